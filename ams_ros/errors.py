"""The errors AMS raises on purpose. Every one says what is wrong, with which value, and what would be right."""

from __future__ import annotations


class AmsError(Exception):
    """Base of all errors raised on purpose; the command line prints its text without a traceback."""


class ConfigurationError(AmsError):
    """A setting, argument or file content that cannot be used."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        """Name the key, the value found, and what is allowed."""
        super().__init__(f"{key}: got {value!r}, allowed: {allowed}")
        self.key, self.value, self.allowed = key, value, allowed


class CheckpointError(AmsError):
    """A policy checkpoint that is missing, incomplete or damaged."""


class InferenceError(AmsError):
    """No slice could be inferred: a camera or the joints are silent or stale, or the policy failed."""


class RobotError(AmsError):
    """The robot or its controller cannot be used: absent, rejecting, or silent."""


class PoolError(AmsError):
    """The context pool cannot do what was asked: its store is held by another process, damaged, or full."""


class PlanningError(AmsError):
    """No collision-free motion could be found; the text says what was in the way."""
