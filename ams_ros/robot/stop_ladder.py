"""The order in which a robot is stopped, and when that counts as done (spec row E7). No clock, no ROS, no thread."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from ams_ros.robot.driver import RestCriterion, StopStep
from ams_ros.types import StopStage

MOST_REPEATS = 3
"""How often one run gives a rung its full time again because a goal turned up. Beyond that the time goes on, so that a
client that never ceases to send goals drives the ladder up instead of holding it in place."""

_CONTROLLER_RUNGS = frozenset({StopStage.CANCEL, StopStage.HOLD})
"""These leave the controller in charge of the arm."""


class LadderState(Enum):
    """Where a run stands. PROVEN and EXHAUSTED are its two ends."""

    IDLE = "idle"
    UNDER_WAY = "under way"
    PROVEN = "proven"
    EXHAUSTED = "exhausted"


class StopLadder:
    """Tells which rung to try, and when the stop is proven.

    A rung is left for the next one when it is refused, when it is not acknowledged by its deadline, and when the stop
    is not proven `rest.deadline` after its acknowledgement. Methods that can lead on return the rung to try now, or
    None; `now` is s, at least 0, on a clock that never goes back. Three things together prove the stop:

    - A rung was acknowledged. An arm that merely stands still proves nothing: a trajectory may pause and go on.
    - Since then `rest.samples` joint samples in a row were no faster than `rest.velocity`.
    - The controller has no goal left that could move the arm, unless what was acknowledged took the arm out of its
      hands. A controller that acknowledges a cancel and does not obey is found out by this even while it pauses.

    An acknowledgement of an earlier rung counts whenever it comes, as a slow controller is a stopped one in the end; a
    refusal of an earlier rung means nothing any more.
    """

    def __init__(self, steps: Sequence[StopStep], rest: RestCriterion) -> None:
        """steps: the rungs in their order, at least one, each stage at most once."""
        self._steps, self._rest = tuple(steps), rest
        self.state = LadderState.IDLE
        self.stage = StopStage.NONE
        """The last rung that was tried."""
        self.acknowledged = self.rested = -1.0
        """When the stage was acknowledged, and since when the arm has been seen at rest without a break; -1: not."""
        self._at = self._oldest = 0
        self._deadline = 0.0
        self._repeats = self._slow = 0
        self._final = self._overruled = self._goals_left = False
        self._left_out: frozenset[StopStage] = frozenset()

    def begin(self, now: float, without: frozenset[StopStage] = frozenset()) -> StopStep | None:
        """Begin a run; one under way is given up. without: rungs to leave out."""
        self.state, self.stage, self.rested = LadderState.UNDER_WAY, StopStage.NONE, -1.0
        self._repeats, self._oldest, self._left_out = 0, 0, without
        return self._try_from(0, now)

    def again(self, now: float) -> StopStep | None:
        """A goal turned up that the rung under way may have missed: the same rung once more.

        What was acknowledged before does not speak of that goal.
        """
        if self.state is not LadderState.UNDER_WAY:
            return None
        self._oldest = self._at
        self._forget_acknowledgement()
        self._final = self._repeats >= MOST_REPEATS
        if not self._final:
            self._repeats += 1
            self._deadline = now + self._steps[self._at].deadline
        return self._steps[self._at]

    def answered(self, stage: StopStage, accepted: bool, now: float) -> StopStep | None:
        """A rung was acknowledged or refused; answers to rungs that were not tried are ignored."""
        if self.state is not LadderState.UNDER_WAY:
            return None
        if not accepted:
            return self._next(now) if stage is self.stage and self.acknowledged < 0.0 else None
        if any(step.stage is stage for step in self._steps[self._oldest : self._at + 1]):
            self._overruled |= stage not in _CONTROLLER_RUNGS
            if self.acknowledged < 0.0:
                self.acknowledged, self._slow = now, 0
                if not self._final:
                    self._deadline = now + self._rest.deadline
            self._conclude()
        return None

    def goals(self, left: bool) -> None:
        """Whether the controller still has a goal that could move the arm."""
        self._goals_left = left
        self._conclude()

    def speeds(self, fastest: float, now: float) -> None:
        """A fresh joint sample. fastest: the largest joint speed, rad/s; what is not a number is not rest."""
        if self.state is not LadderState.UNDER_WAY:
            return
        if not abs(fastest) <= self._rest.velocity:
            self.no_speed()
            return
        if self.rested < 0.0:
            self.rested = now
        self._slow += self.acknowledged >= 0.0
        self._conclude()

    def no_speed(self) -> None:
        """Samples are missing or cannot be trusted: rest has to be seen anew."""
        if self.state is LadderState.UNDER_WAY:
            self.rested, self._slow = -1.0, 0

    def tick(self, now: float) -> StopStep | None:
        """Time passed."""
        return self._next(now) if self.state is LadderState.UNDER_WAY and now >= self._deadline else None

    def _next(self, now: float) -> StopStep | None:
        return self._try_from(self._at + 1, now)

    def _try_from(self, index: int, now: float) -> StopStep | None:
        for at in range(index, len(self._steps)):
            if self._steps[at].stage not in self._left_out:
                self._at, self.stage = at, self._steps[at].stage
                self._final = False
                self._deadline = now + self._steps[at].deadline
                self._forget_acknowledgement()
                return self._steps[at]
        self.state = LadderState.EXHAUSTED
        return None

    def _forget_acknowledgement(self) -> None:
        self.acknowledged, self._slow, self._overruled = -1.0, 0, False

    def _conclude(self) -> None:
        """Proven, if all three parts of the proof are there."""
        acknowledged = self.state is LadderState.UNDER_WAY and self.acknowledged >= 0.0
        at_rest = self._slow >= self._rest.samples
        if acknowledged and at_rest and (self._overruled or not self._goals_left):
            self.state = LadderState.PROVEN
