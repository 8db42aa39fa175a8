"""Inference that asks the pool before it computes (spec C1, C2, C7)."""
