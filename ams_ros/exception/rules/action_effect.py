"""Exception 6: a planned motion did not take place (paper, section 3.3.1; Table 3's rows about moving)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ams_ros.exception.conditions.condition import Condition
from ams_ros.exception.conditions.effect import MotionEffect
from ams_ros.exception.rule import Violation, WatchedRobot
from ams_ros.exception.rules.condition import ConditionRule, ConditionSettings
from ams_ros.exception.settings import check_limits, limit
from ams_ros.exception.state import RobotState
from ams_ros.types import ExceptionKind


@dataclass(frozen=True, slots=True)
class ActionEffectSettings(ConditionSettings):
    """What is judged; how much of it must have been done is said by config/outcomes.yaml."""

    lag: float = limit(0.1, "s", 0.0, 1.0, "how far the joints may follow behind the plan", source="simulated WidowX")
    joint_minimum: float = limit(
        0.04, "rad", 0.01, 1.0, "planned motion of a joint in a sub-slice from which on it must show",
        source="four deadbands of the servos",
    )  # fmt: skip
    tip_minimum: float = limit(
        0.02, "m", 0.001, 1.0, "planned motion of the tip in a sub-slice from which on it must show"
    )

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a threshold out of its range."""
        check_limits(self, ActionEffect.name)


class ActionEffect(ConditionRule):
    """Compares measured with planned motion at the end of each sub-slice, on the state the monitor has anyway.

    Execution never waits for it.
    """

    name = "action_effect"
    kind = ExceptionKind.UNEXPECTED_ACTION
    Settings: ClassVar[type[ConditionSettings]] = ActionEffectSettings

    def __init__(self, settings: ActionEffectSettings, robot: WatchedRobot) -> None:
        """settings: conditions on quantities that are not known at the ends of sub-slices are left to `outcome`."""
        super().__init__(settings, robot)
        self._effect = MotionEffect(self.readings, settings.lag, settings.joint_minimum, settings.tip_minimum)

    def judged(self, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """Those on quantities known at the ends of sub-slices."""
        return tuple(condition for condition in conditions if condition.expected.quantity.per_sub_slice)

    def begin(self, state: RobotState) -> None:
        """The first sub-slice begins."""
        super().begin(state)
        self._effect.begin(state)

    def joints(self, state: RobotState) -> Violation | None:
        """Keep how far the joints got around; nothing is judged before the sub-slice ends."""
        self._effect.take(state)
        return None

    def sub_slice(self, state: RobotState, index: int, begin: RobotState) -> Violation | None:
        """Judge the sub-slice."""
        self.readings.take(state)
        self._effect.end(state, begin)
        return self._look(self._watches, state)
