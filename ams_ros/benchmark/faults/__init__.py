"""Injected faults and clean work under the exception guard: what is seen, stopped, survived, and raised for nothing."""
