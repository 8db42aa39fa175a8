"""Thresholds that may differ from joint to joint."""

from __future__ import annotations

from ams_ros.errors import ConfigurationError


def for_each_joint(value: float | tuple[float, ...], dof: int, key: str) -> list[float]:
    """One number for each joint. Raises ConfigurationError naming `key` for a tuple of another length."""
    if not isinstance(value, tuple):
        return [float(value)] * dof
    if len(value) != dof:
        raise ConfigurationError(key, value, f"one number for all joints or {dof}, one for each")
    return [float(number) for number in value]
