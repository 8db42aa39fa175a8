"""Since when a fault truly had an effect on the arm or its task."""

from __future__ import annotations

from collections.abc import Sequence

from ams_ros.benchmark.faults.witness import Moment
from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.faults.fault import FAULTS, Fault

_APART = 0.03
"""rad; a joint this far from where it is told to be, and not moving, is held."""

_STILL = 0.02
"""rad/s."""

_AT_LIMIT = 0.99
"""Share of what torque is left from which on a motor is at its limit."""

EMPTY = 0.0005
"""m; fingers this close to their closed stop hold nothing."""


def effect_since(fault: Fault, begun: float | None, moments: Sequence[Moment], profile: RobotProfile) -> float | None:
    """Simulation time, s; None for never.

    begun: since when the simulator knows it at work. A jammed joint has an effect once it should move, missing torque
    once it is wanted, slippery cubes once the fingers have closed on nothing. The others have it at once.
    """
    if begun is None:
        return None
    names = profile.joint_names
    end = begun + fault.duration
    for moment in moments:
        if moment.time < begun:
            continue
        match fault.name:
            case "stuck_joint":
                joint = names.index(fault.target)
                if moment.time <= end and moment.lag[joint] > _APART and moment.velocity[joint] < _STILL:
                    return moment.time
            case "torque_saturation":
                share = fault.magnitude or FAULTS[fault.name].default
                weak = range(len(names)) if not fault.target else (names.index(fault.target),)
                if moment.time <= end and any(
                    moment.effort[joint] >= _AT_LIMIT * share * profile.joints[joint].effort for joint in weak
                ):
                    return moment.time
            case "slippery":
                if moment.gap <= EMPTY:
                    return moment.time
            case _:
                return begun
    return None
