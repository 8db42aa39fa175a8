"""Evaluation of tasks in one process, without DDS."""
