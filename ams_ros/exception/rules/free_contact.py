"""Collision (#1): the gripper is touched, or touches something, where there is nothing to work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ams_ros.exception.external_wrench import ExternalWrenchRule, payload_limit, smoothing_limit
from ams_ros.exception.persistence import Duration
from ams_ros.exception.rule import Need, Violation, WatchedRobot
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState


@dataclass(frozen=True, slots=True)
class FreeContactSettings:
    """Thresholds of `FreeContact`."""

    force: float = limit(
        10.0,
        "N",
        0.1,
        10000.0,
        "largest external force there; more than the weight of what is carried",
        source="simulated WidowX: clean runs up to 3",
    )
    torque: float = limit(
        1.0,
        "N m",
        0.01,
        10000.0,
        "largest external torque there",
        source="simulated WidowX: clean runs up to 0.3",
    )
    height: float = limit(
        0.1,
        "m",
        -10.0,
        10.0,
        "of the tip over the base, above which nothing is worked on",
        source="simulated WidowX: its policy touches things up to 0.07",
    )
    duration: float = limit(0.05, "s", 0.0, 10.0, "time above the limit that counts")
    release: float = limit(0.7, "", 0.1, 1.0, "share of the limit below which the contact has ended")
    smoothing: float = smoothing_limit()
    payload: float = payload_limit()

    def __post_init__(self) -> None:
        """Refuse thresholds out of range."""
        check_limits(self, FreeContact.name)


class FreeContact(ExternalWrenchRule):
    """Watches the external force and torque at the wrist while the tip is above where it works.

    Work touches things, and some of it hard; free motion does not. Hence far lower limits and a far shorter time than
    those of `WrenchContact` do there. Only a contact that begins there counts: after a stop was released, none does
    before the gripper has been free once, so that an arm may withdraw from what it hit.
    """

    name = "free_contact"
    # Without them the gripper's weight turns with the pose and is more than the limit.
    needs = frozenset({Need.WRENCH, Need.DYNAMICS})
    Settings = FreeContactSettings

    def __init__(self, settings: FreeContactSettings, robot: WatchedRobot) -> None:
        """settings: thresholds in the units of the sensor."""
        self._duration = Duration(settings.duration, settings.release)
        super().__init__(settings, robot, self._duration, settings.smoothing)
        self._free = False

    def compared(self) -> Mapping[str, Sequence[float]]:
        """Nothing: good runs hardly touch anything there, so its limits are not learned from them."""
        return {}

    def reset(self) -> None:
        """Forget the past, but not the sensor's offset."""
        super().reset()
        self._free = False

    def wrench(self, state: RobotState) -> Violation | None:
        """Compare with the level, when it is high enough for anything to matter."""
        if not self._compensation.update(state) or self._compensation.degraded or not state.joint_samples:
            return None
        self.margin = self._counted(self._compare(self._compensation.external, state.caution), state)
        if not self._duration.lasts(self.margin, state.stamp):
            return None
        return self._exceeded(state, "the gripper touches something where there should be nothing")

    def _counted(self, margin: float, state: RobotState) -> float:
        """The margin, 0 where the gripper works and while it is not free of an old contact."""
        if margin <= self.settings.release:
            self._free = True
            return margin
        # Looked up only now, as it takes time.
        height = self.robot.dynamics.tip_pose(state.position)[1][2]
        if height <= self.settings.height:
            # What is touched at work may still be touched on the way up.
            self._free = False
        return margin if self._free else 0.0
