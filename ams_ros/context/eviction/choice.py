"""Eviction policies by the names that configuration uses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ams_ros.context.eviction.lru import Lru
from ams_ros.context.eviction.policy import EvictionPolicy
from ams_ros.context.eviction.priority_hybrid import PriorityHybrid
from ams_ros.context.eviction.s3_fifo import S3Fifo
from ams_ros.errors import ConfigurationError

POLICIES: dict[str, Callable[[], EvictionPolicy]] = {
    "priority": PriorityHybrid,
    "vision_first": partial(PriorityHybrid, vision_first=True),
    "lru": Lru,
    "s3_fifo": S3Fifo,
}


def find_policy(name: str) -> EvictionPolicy:
    """A new policy of that name; raises ConfigurationError when there is none."""
    if name not in POLICIES:
        raise ConfigurationError("eviction policy", name, ", ".join(POLICIES))
    return POLICIES[name]()
