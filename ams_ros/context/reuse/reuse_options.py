"""What can be set about reusing."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.context.eviction.choice import find_policy
from ams_ros.context.reuse.approximate import ApproximateReuse
from ams_ros.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ReuseOptions:
    """How an inference process uses the pool.

    robot: profile name, and calibration_id: names the cameras' calibration; both are part of the model key (C7).
    device_bytes: budget of the tier on the policy's device; 0 switches it off.
    device_policy: what leaves that tier first, by the name of an eviction policy.
    approximate_threshold: largest patch difference that counts as the same picture; 0 keeps reuse exact.
    approximate_maximum_age: slices an encoded picture may stand for others.
    put_queue: contexts that may wait to be stored; more are not kept.
    """

    robot: str
    calibration_id: str = ""
    device_bytes: int = 256 * 2**20
    device_policy: str = "priority"
    approximate_threshold: float = 0.0
    approximate_maximum_age: int = 8
    put_queue: int = 16

    def __post_init__(self) -> None:
        """Refuse what cannot be used before a policy is loaded for it."""
        if self.device_bytes < 0:
            raise ConfigurationError("device_bytes", self.device_bytes, "0 or more")
        if self.put_queue < 1:
            raise ConfigurationError("put_queue", self.put_queue, "an integer of at least 1")
        find_policy(self.device_policy)
        if self.approximate_threshold != 0.0:
            ApproximateReuse(self.approximate_threshold, self.approximate_maximum_age)
