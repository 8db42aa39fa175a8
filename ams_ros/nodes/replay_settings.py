"""Action replay as a node sets it up: its parameters, and what is made of them."""

from __future__ import annotations

from ams_ros.errors import ConfigurationError
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.parameters import Setting
from ams_ros.replay.settings import ReplaySettings, ReturnSettings
from ams_ros.replay.signal import SignalSettings
from ams_ros.types import GuidanceVariant

_ATTEMPTS, _SIGNAL, _RETURN = ReplaySettings(), SignalSettings(), ReturnSettings()
_VARIANTS = ", ".join(each.value for each in GuidanceVariant)

REPLAY_SETTINGS = (
    Setting("pool", "context_pool", "name of the context pool's node, which is told how attempts went"),
    Setting("pool_timeout", 10.0, "for it to answer, s; a success is on disk before it does", 0.1, 600.0),
    Setting("judge_service", "", "JudgeTask service of your own that knows when a task is done; empty: none"),
    Setting("judge_timeout", 0.5, "so long its answer is waited for, s", 0.01, 10.0),
    Setting("replay.arm", _SIGNAL.arm, "a change of any arm joint that is none, rad", 1e-9, 0.5),
    Setting("replay.gripper", _SIGNAL.gripper, "the same for the finger, m", 1e-9, 0.05),
    Setting(
        "replay.slices", _SIGNAL.slices, "so many executed slices in a row without a change end an attempt", 1, 100
    ),
    Setting(
        "replay.confirm", _SIGNAL.confirm, "so many slices in a row that promise to move nothing end it, too", 1, 100
    ),
    Setting("replay.start_time", _ATTEMPTS.start_time, "flow time that guided slices start at", 0.01, 1.0),
    Setting("replay.variant", _ATTEMPTS.variant.value, f"what guided slices start from: {_VARIANTS}"),
    Setting(
        "replay.denoising", _ATTEMPTS.denoising, "denoising steps of guided slices; 0: proportionally few", 0, 1000
    ),
    Setting("replay.warm", _ATTEMPTS.warm, "slices at the beginning of an attempt that are guided", 1, 1000),
    Setting("replay.tries", _ATTEMPTS.tries, "attempts in a row that may come to nothing with an instruction", 1, 1000),
    Setting("replay.unguided", _ATTEMPTS.unguided, "how many of them may be from noise", 1, 1000),
    Setting("replay.homeward", _ATTEMPTS.homeward, "slices in which the policy may go home after a job", 0, 100),
    Setting(
        "replay.attempt_first", _ATTEMPTS.attempt_first, "longest attempt before one succeeded, steps", 1, 1_000_000
    ),
    Setting("replay.attempt_least", _ATTEMPTS.attempt_least, "later attempts may be at least as long", 1, 1_000_000),
    Setting(
        "replay.attempt_factor",
        _ATTEMPTS.attempt_factor,
        "and so many times the median of those that succeeded",
        1.0,
        100.0,
    ),
    Setting(
        "replay.return.scale", _RETURN.scale, "of the profile's speed and acceleration, on the way back", 0.01, 1.0
    ),
    Setting("replay.return.plan_timeout", _RETURN.plan_timeout, "for finding that way, s", 0.1, 60.0),
    Setting("replay.return.near", _RETURN.near, "any joint may be away from the start pose, rad", 0.001, 0.5),
    Setting("replay.return.tries", _RETURN.tries, "motions back before the task is given up", 1, 100),
)


def replay_settings(node: AmsNode) -> ReplaySettings:
    """How attempts follow each other; raises ConfigurationError for parameters that do not go together."""
    names = (
        "start_time",
        "denoising",
        "warm",
        "tries",
        "unguided",
        "homeward",
        "attempt_first",
        "attempt_least",
        "attempt_factor",
    )
    variant = node.setting("replay.variant")
    if variant not in {each.value for each in GuidanceVariant}:
        raise ConfigurationError("replay.variant", variant, _VARIANTS)
    return ReplaySettings(variant=GuidanceVariant(variant), **{name: node.setting(f"replay.{name}") for name in names})


def signal_settings(node: AmsNode) -> SignalSettings:
    """When nothing happens any more."""
    return SignalSettings(**{name: node.setting(f"replay.{name}") for name in ("arm", "gripper", "slices", "confirm")})


def return_settings(node: AmsNode) -> ReturnSettings:
    """How the arm gets back to the start pose."""
    names = ("scale", "plan_timeout", "near", "tries")
    return ReturnSettings(**{name: node.setting(f"replay.return.{name}") for name in names})
