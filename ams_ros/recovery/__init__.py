"""Bringing the robot back to a good state after an exception (spec rows E4-E6)."""
