"""Carrying the stop ladder out: handing its rungs to the actuator, and judging which samples may prove rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from ams_ros.exception.state import RobotState
from ams_ros.robot.driver import DriverProfile, StopStep
from ams_ros.robot.stop_actuator import StopActuator
from ams_ros.robot.stop_ladder import LadderState, StopLadder
from ams_ros.types import StopStage

STALE_PERIODS = 5.0
"""Joint samples further apart than so many of the driver's periods have a gap between them."""

_HOLD = frozenset({StopStage.HOLD})


class StopRun:
    """One pass up the stop ladder after the other.

    Rest is judged by samples that are fresh and come from a sensor that is alive. Whether it is shows only in numbers
    that change. Hence no sample counts as rest before one has differed from those at the beginning, if the arm was
    moving then, or if the samples themselves are in doubt. For the same reasons the arm is not told to hold a position
    that is in doubt or old: it would jump there.
    """

    def __init__(
        self, driver: DriverProfile, actuator: StopActuator, state: RobotState, clock: Callable[[], float]
    ) -> None:
        """state: the detector's. clock: s, the one `now` is read from."""
        self._ladder = StopLadder(driver.stop, driver.rest)
        self._actuator, self._state, self._clock = actuator, state, clock
        self._rest, self._velocity_measured = driver.rest, driver.velocity
        self._stale = STALE_PERIODS / driver.joint_states.rate
        self._answers: deque[tuple[StopStage, bool, str]] = deque()
        self._acting = self._unseen = False
        self._position, self._velocity = state.position.copy(), state.velocity.copy()
        self._sample = -np.inf
        self._fast = 0
        self._told = True
        self.handed_over = -1.0
        """When the first request of this run had been handed over; -1 while none was."""
        self.doubt = False
        """Whether the samples could not be trusted in this run."""
        self.refusals: list[str] = []
        """Why rungs of this run were left, in words."""

    @property
    def under_way(self) -> bool:
        """Whether a run has not come to its end."""
        return self._ladder.state is LadderState.UNDER_WAY

    @property
    def stage(self) -> StopStage:
        """The last rung that was tried."""
        return self._ladder.stage

    @property
    def acknowledge_seconds(self) -> float:
        """From the first request to the acknowledgement of the last rung; -1 for none."""
        return self._since_request(self._ladder.acknowledged)

    @property
    def rest_seconds(self) -> float:
        """From the first request to the moment since which the arm has been seen at rest; -1 for not."""
        return self._since_request(self._ladder.rested)

    def begin(self, now: float, *, doubt: bool, moving: bool, hold: bool = True) -> None:
        """Begin a run. doubt: the samples cannot be trusted. hold: whether the hold rung may be tried."""
        self.handed_over, self.doubt, self._told, self._fast = -1.0, doubt, False, 0
        self.refusals.clear()
        self._act(self._ladder.begin(now, frozenset() if hold else _HOLD), now)
        self._look(doubt or moving)

    def again(self, now: float) -> None:
        """Ask the present rung again, for a goal that turned up."""
        self._act(self._ladder.again(now), now)

    def distrust(self) -> None:
        """The samples turned out to be in doubt."""
        if not self.doubt:
            self.doubt = True
            self._ladder.no_speed()
            self._look(True)

    def answered(self, stage: StopStage, accepted: bool, message: str, now: float) -> None:
        """The answer to a request; it may come from inside the actuator's call."""
        self._answers.append((stage, accepted, message))
        if not self._acting:
            self._act(self._next_answer(now), now)

    def goals(self, left: bool) -> None:
        """Whether the controller still has a goal."""
        self._ladder.goals(left)

    def joints(self, now: float) -> None:
        """The detector took a joint sample into the state."""
        gap, self._sample = now - self._sample, now
        speed = float(np.abs(self._state.velocity).max())
        self._fast = self._fast + 1 if speed > self._rest.velocity else 0
        if not self.under_way:
            return
        if self._unseen and self._differs():
            self._unseen = False
        if gap > self._stale or self._unseen or not self._state.period > 0.0:
            self._ladder.no_speed()
        if not self._unseen and self._state.period > 0.0:
            self._ladder.speeds(speed, now)

    @property
    def moves(self) -> bool:
        """Whether the arm has been seen moving in as many samples in a row as it takes to see it at rest."""
        return self._fast >= self._rest.samples

    def fresh(self, now: float) -> bool:
        """Whether joint samples are coming in."""
        return now - self._state.joints_arrival <= self._stale

    def tick(self, now: float) -> None:
        """Time passed."""
        self._act(self._ladder.tick(now), now)

    def give_up(self) -> None:
        """A person took over: forget the run."""
        self._ladder.state, self._told = LadderState.IDLE, True

    def outcome(self) -> LadderState | None:
        """How the run ended, told once."""
        if self._told or self.under_way:
            return None
        self._told = True
        return self._ladder.state

    def _act(self, step: StopStep | None, now: float) -> None:
        self._acting = True
        try:
            while step is not None:
                refusal = self._hand_over(step, now)
                if refusal:
                    self._answers.append((step.stage, False, refusal))
                step = self._next_answer(now)
        finally:
            self._acting = False

    def _hand_over(self, step: StopStep, now: float) -> str:
        """Returns why it could not be done."""
        try:
            if step.stage is StopStage.CANCEL:
                self._actuator.cancel_all()
            elif step.stage is not StopStage.HOLD:
                self._actuator.call(step)
            elif self.doubt or not self.fresh(now):
                return "where the arm is cannot be told for certain"
            else:
                self._actuator.hold(self._state.position.copy())
        except Exception as error:  # whatever it is, the next rung has to be tried
            return f"{type(error).__name__}: {error}"
        if self.handed_over < 0.0:
            self.handed_over = self._clock()
        return ""

    def _next_answer(self, now: float) -> StopStep | None:
        while self._answers:
            stage, accepted, message = self._answers.popleft()
            if not accepted and self.under_way:
                self.refusals.append(f"{stage.value}: {message or 'refused'}")
            step = self._ladder.answered(stage, accepted, now)
            if step is not None:
                return step
        return None

    def _look(self, unseen: bool) -> None:
        self._unseen = unseen
        self._position[:], self._velocity[:] = self._state.position, self._state.velocity

    def _differs(self) -> bool:
        """Whether what is measured differs; an estimated velocity goes on changing while the positions are frozen."""
        if not np.array_equal(self._position, self._state.position):
            return True
        return self._velocity_measured and not np.array_equal(self._velocity, self._state.velocity)

    def _since_request(self, moment: float) -> float:
        return max(0.0, moment - self.handed_over) if moment >= 0.0 and self.handed_over >= 0.0 else -1.0
