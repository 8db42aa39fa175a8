"""The goals of the arm's controller, whoever sent them: which are live, which were announced, which must not run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ams_ros.exception.plan import MotionPlan, Purpose

EXPECTED_SECONDS = 5.0
"""s; a goal announced longer ago than this and not seen since was not sent, or was refused."""

SAME_MOMENT = 1.0
"""s; a goal's stamp further than this from the newest sample's was taken from another clock."""

_REMEMBERED = 256
"""So many announced and condemned goals are remembered, far more than a controller keeps results of."""


@dataclass(frozen=True, slots=True)
class GoalNews:
    """The status of one goal. goal: hex id. live: accepted and not at its end yet; one being canceled is live.

    stamp: when it was accepted, s on the robot's clock.
    """

    goal: str
    live: bool
    stamp: float


class GoalWatch:
    """Keeps what is known of each goal.

    A goal is condemned when a stop was in force while it was live, announced, or about to be sent: it must not run,
    even if it turns up after that stop was released. It is struck when a stop request was handed over after it had
    turned up.
    """

    def __init__(self) -> None:
        """No goal is known."""
        self.live: dict[str, GoalNews] = {}
        self._plans: dict[str, MotionPlan] = {}
        self._expected: dict[str, float] = {}
        self._condemned: dict[str, None] = {}
        self._struck: set[str] = set()

    def announce(self, plan: MotionPlan, now: float) -> None:
        """A goal is about to be sent. The first plan for a goal counts; it cannot be given another purpose later."""
        if plan.goal not in self._plans:
            self._plans[plan.goal] = plan
            _trim(self._plans)
            if plan.goal not in self.live:
                self._expected[plan.goal] = now
                _trim(self._expected)

    def update(self, statuses: Sequence[GoalNews]) -> bool:
        """Take over what the controller says of all goals it knows; returns whether one has turned up live."""
        live = {news.goal: news for news in statuses if news.live}
        turned_up = not live.keys() <= self.live.keys()
        self.live = live
        self._struck &= live.keys()
        for news in statuses:
            self._expected.pop(news.goal, None)
        return turned_up

    def plan(self, goal: str) -> MotionPlan | None:
        """What was announced for that goal."""
        return self._plans.get(goal)

    def newest(self) -> GoalNews | None:
        """The live goal accepted last: the one that a controller which preempts is following."""
        return max(self.live.values(), key=_acceptance, default=None)

    def expected(self, now: float) -> bool:
        """Whether an announced goal may still turn up."""
        return any(now - since <= EXPECTED_SECONDS for since in self._expected.values())

    def condemn(self, goal: str) -> None:
        """That goal must not run."""
        self._expected.pop(goal, None)
        self._condemned[goal] = None
        _trim(self._condemned)

    def condemn_all(self) -> None:
        """No goal that is live or was announced and has not turned up yet may run."""
        for goal in (*self._expected, *self.live):
            self.condemn(goal)

    def strike(self) -> None:
        """A stop request has just been handed over: it speaks of all goals that are live."""
        self._struck |= self.live.keys()

    def forget_strikes(self) -> None:
        """A stop is released: condemned goals that are live still, or again, have to be stopped again."""
        self._struck.clear()

    def unstruck(self, recoveries_only: bool, none: bool) -> str:
        """A live goal that must not run and has not been struck; empty when there is none.

        recoveries_only: only announced recoveries may run. none: nothing may.
        """
        for goal in self.live:
            if goal not in self._struck and (none or not self.may_run(goal, recoveries_only)):
                return goal
        return ""

    def may_run(self, goal: str, recoveries_only: bool) -> bool:
        """Whether that goal may run while no goal is forbidden altogether."""
        if goal in self._condemned:
            return False
        plan = self._plans.get(goal)
        return not recoveries_only or (plan is not None and plan.purpose is Purpose.RECOVERY)


def start_of_goal(accepted: float, sampled: float) -> float:
    """When a goal began, s on the robot's clock: as its controller says, unless that is another clock's time."""
    if abs(accepted - sampled) <= SAME_MOMENT:
        return accepted
    return sampled if math.isfinite(sampled) else 0.0


def _acceptance(news: GoalNews) -> float:
    return news.stamp if math.isfinite(news.stamp) else -math.inf


def _trim(remembered: dict[str, object] | dict[str, MotionPlan] | dict[str, float] | dict[str, None]) -> None:
    while len(remembered) > _REMEMBERED:
        remembered.pop(next(iter(remembered)))
