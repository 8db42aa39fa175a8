"""Exception 6: an action did not have the outcome it should have (paper, Table 3; config/outcomes.yaml)."""

from __future__ import annotations

from ams_ros.exception.conditions.condition import Condition
from ams_ros.exception.rules.condition import ConditionRule
from ams_ros.types import ExceptionKind


class Outcome(ConditionRule):
    """The expected outcomes that show with every sample: grasp, apply_force, stop.

    Those of planned motion, which show at the end of a sub-slice, are rule `action_effect`'s.
    """

    name = "outcome"
    kind = ExceptionKind.UNEXPECTED_ACTION

    def judged(self, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """Those on quantities known with every sample."""
        return tuple(condition for condition in conditions if not condition.expected.quantity.per_sub_slice)
