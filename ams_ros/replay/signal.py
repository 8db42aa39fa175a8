"""The replay signal: nothing happens any more, so that going on as before is pointless (spec R1).

Source: paper, section 3.4.1 ("if all actions within an action slice are marked as completed, or if no actions are
executed") and its Table 4, whose best thresholds are the defaults here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.types import ActionSlice, Float64Array, JointSample

_LARGEST_ARM = 0.5
_LARGEST_GRIPPER = 0.05

PROMISED, STILL = "the policy moves nothing any more", "nothing has moved any more"
"""How it is told that the signal was raised: before anything was executed, or afterwards."""


@dataclass(frozen=True, slots=True)
class SignalSettings:
    """When nothing happens any more.

    arm: rad, of any arm joint; gripper: m, of the finger position; a change of no more than this is none. They work as
    they stand on a servo with a command deadband; `ams calibrate` learns them for others. slices: executed slices in a
    row that must have moved nothing. confirm: slices in a row, each inferred with other noise, that must promise to
    move nothing; they need not be executed.
    """

    arm: float = 1e-5
    gripper: float = 0.001
    slices: int = 1
    confirm: int = 2

    def __post_init__(self) -> None:
        """Refuse thresholds that could never or always fire."""
        for key, value, largest in (("arm", self.arm, _LARGEST_ARM), ("gripper", self.gripper, _LARGEST_GRIPPER)):
            if not 0.0 < value <= largest:
                raise ConfigurationError(f"replay.{key}", value, f"above 0 and at most {largest:g}")
        for key, count in (("slices", self.slices), ("confirm", self.confirm)):
            if not 1 <= count <= 100:
                raise ConfigurationError(f"replay.{key}", count, "a whole number of 1 to 100")


class ReplaySignal:
    """Looks at each slice twice: at what it promises before it is executed, and at what has moved afterwards.

    Joint samples hold the arm joints and, last, the gripper. Every method that takes one raises RobotError when it
    holds no number where one is needed, or does not fit the slice or the sample before it.
    """

    def __init__(self, settings: SignalSettings, deadband: float) -> None:
        """deadband: rad, of the arm's servos (RobotProfile.deadband). Raises ConfigurationError when it is none."""
        if not (math.isfinite(deadband) and deadband >= 0.0):
            raise ConfigurationError("deadband", deadband, "a finite number of at least 0 rad")
        self._settings, self._deadband = settings, deadband
        self.begin_anew()

    def begin_anew(self) -> None:
        """Count from zero again: a slice was broken off, or something else than the policy moved the arm."""
        self._promised, self._still = 0, 0

    @property
    def confirmed(self) -> bool:
        """Whether as many slices in a row as it takes promised to move nothing."""
        return self._promised >= self._settings.confirm

    def predicts_nothing(
        self, action_slice: ActionSlice, measured: JointSample, commanded_gripper: float | None
    ) -> bool:
        """Whether every action of the slice is complete before it began, so that it need not be executed.

        That is so when the arm stands still, no step to be executed would move a servo, and the fingers are to stay
        where they are or were already told to go; commanded_gripper: m, None when they were told nothing yet. A slice
        with the policy's own stop flag counts as well, whatever it holds (spec R2). Ask once for each slice, before it
        is executed: the answers count towards `confirmed`.
        """
        arm, finger = _positions(measured)
        if action_slice.joints.shape[1] != len(arm):
            dof = action_slice.joints.shape[1]
            raise RobotError(f"a slice for {dof} joints met a joint sample of {len(arm)} and a gripper")
        nothing = action_slice.stop or (
            self._at_rest(measured, action_slice.period)
            and self._keeps_arm(action_slice, arm)
            and self._keeps_gripper(action_slice, finger, commanded_gripper)
        )
        self._promised = self._promised + 1 if nothing else 0
        return nothing

    def observe(self, before: JointSample, after: JointSample) -> bool:
        """Take the joints before and after one executed slice; whether enough of these in a row have moved nothing."""
        (arm, finger), (arm_after, finger_after) = _positions(before), _positions(after)
        if len(arm) != len(arm_after):
            raise RobotError(f"joint samples of {len(arm)} and {len(arm_after)} arm joints met in one slice")
        moved = (
            np.abs(arm_after - arm).max() > self._settings.arm or abs(finger_after - finger) > self._settings.gripper
        )
        self._still = 0 if moved else self._still + 1
        return self._still >= self._settings.slices

    def _at_rest(self, measured: JointSample, period: float) -> bool:
        """Whether nothing is under way: fingers that close need their time, in which the policy has the arm wait."""
        if measured.velocity is None:
            return True
        if len(measured.velocity) != len(measured.position):
            raise RobotError(f"a joint sample has {len(measured.position)} places and {len(measured.velocity)} speeds")
        # A speed that is no number is no sign of motion; where the joints are is told by the positions.
        travel = np.abs(np.nan_to_num(measured.velocity)) * period
        return bool((travel[:-1] <= self._deadband + self._settings.arm).all() and travel[-1] <= self._settings.gripper)

    def _keeps_arm(self, action_slice: ActionSlice, arm: Float64Array) -> bool:
        ahead = action_slice.joints[: action_slice.execute] - arm
        return bool(np.abs(ahead).max() <= self._deadband + self._settings.arm)

    def _keeps_gripper(self, action_slice: ActionSlice, finger: float, commanded: float | None) -> bool:
        targets, near = action_slice.gripper[: action_slice.execute], self._settings.gripper
        known = [finger] if commanded is None or not math.isfinite(commanded) else [finger, commanded]
        return any(float(np.abs(targets - place).max()) <= near for place in known)


def _positions(sample: JointSample) -> tuple[Float64Array, float]:
    """The arm's joints and the finger. Raises RobotError when there are none, or a number is missing."""
    if sample.position.ndim != 1 or len(sample.position) < 2:
        raise RobotError(
            f"a joint sample has positions of shape {sample.position.shape}: arm joints and gripper needed"
        )
    if not np.isfinite(sample.position).all():
        missing = [name for name, place in zip(sample.names, sample.position, strict=False) if not math.isfinite(place)]
        raise RobotError(f"a joint sample at {sample.stamp:.3f} s holds no number for {', '.join(missing)}")
    return sample.position[:-1], float(sample.position[-1])
