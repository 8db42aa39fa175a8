"""An arm behind a controller and a driver that may disobey, small enough to know the truth about, for the guard."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ams_ros.errors import RobotError
from ams_ros.exception.detector import Detector
from ams_ros.exception.guard import ExceptionGuard, GoalNews, GuardState
from ams_ros.exception.plan import MotionPlan, Purpose
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import load_rule_settings
from ams_ros.robot.driver import StopStep
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import load_profile
from ams_ros.types import ActionException, ExceptionKind, Float64Array, Severity, StopStage

PROFILE = load_profile("widowx_250s")
DYNAMICS = ArmDynamics(PROFILE)
SETTINGS = load_rule_settings(load_driver("simulated_widowx"))
STEP = 0.01
"""s between two joint samples, two ticks and two moments at which the controller looks."""

NAMES = (*PROFILE.joint_names, PROFILE.gripper.joint)
NODE_DEATH = (ExceptionKind.CONDITION, Severity.SERIOUS)
RULES = ("invalid_sample", "joint_limits", "silence")
"""Those this arm can break: the others look at wrenches, torques and the like."""


@dataclass(frozen=True)
class Manner:
    """How a rung is met. obeys: the arm stops. answer: what is said, None for nothing. after: steps until both."""

    obeys: bool = True
    answer: bool | None = True
    after: int = 1
    raises: bool = False


OBEY = Manner()
REFUSE = Manner(obeys=False, answer=False)
IGNORE = Manner(obeys=False, answer=None)
LIE = Manner(obeys=False, answer=True)
LATE = Manner(after=25)
RAISE = Manner(obeys=False, answer=None, raises=True)
AT_ONCE = Manner(after=0)
REFUSE_AT_ONCE = Manner(obeys=False, answer=False, after=0)


@dataclass
class Goal:
    """One goal at the controller. moves: steps from its acceptance on in which it moves the arm, with rest between."""

    accepted: int
    moves: tuple[range, ...]
    live: bool = True


@dataclass
class Arm:
    """Implements StopActuator. The first joint turns at `speed` while a live goal moves it."""

    driver_name: str = "simulated_widowx"
    manners: dict[StopStage, Manner] = field(default_factory=dict)
    rules: Sequence[str] = RULES
    shadow: bool = False
    speed: float = 0.2

    def __post_init__(self) -> None:
        driver = load_driver(self.driver_name)
        # Drivers of other arms are met with this one's joints and masses: what differs is how they are stopped.
        self._robot = WatchedRobot(PROFILE, replace(driver, robot=PROFILE.name, wrench=None), DYNAMICS)
        self._settings = {name: replace(setting, enabled=name in self.rules) for name, setting in SETTINGS.items()}
        self.driver = driver
        self.period = max(1, round(1.0 / (driver.joint_states.rate * STEP)))
        self.steps = 0
        self.requests: list[tuple[StopStage, int]] = []
        self.reports: list[ActionException] = []
        self.held: list[Float64Array] = []
        self.goals: dict[str, Goal] = {}
        self.position = PROFILE.start.copy()
        self.velocity = 0.0
        self.muted = self.frozen = self.broken = False
        self._pending: list[tuple[int, StopStage, Manner, int]] = []
        self._newest: dict[StopStage, int] = {}
        self._shown: tuple[Float64Array, float] = (self.position.copy(), 0.0)
        self._told: dict[str, bool] = {}
        self._numbers = itertools.count(1)
        self._watch()

    def _watch(self, numbered: int = 0, in_force: ActionException | None = None) -> None:
        self.detector = Detector(self._robot, self._settings)
        self.guard = ExceptionGuard(
            self.detector,
            self.driver,
            self,
            self._report,
            self.shadow,
            clock=lambda: self.now,
            numbered=numbered,
            in_force=in_force,
        )

    def configure_anew(self) -> None:
        """The monitor gets another guard, which hears of the goals that run but of no answer to what was asked."""
        self._newest = {stage: number + 1 for stage, number in self._newest.items()}
        self._told = {}
        self._watch(self.guard.numbered, self.guard.exception)

    @property
    def now(self) -> float:
        """s, steady clock; the robot's clock runs 1000 s ahead of it."""
        return self.steps * STEP

    @property
    def stages(self) -> list[StopStage]:
        """The rungs asked for, repeats of one told once."""
        return [stage for stage, _ in itertools.groupby(stage for stage, _ in self.requests)]

    def _report(self, exception: ActionException) -> None:
        assert not exception.acted or self.requests, "told before it was acted on"
        self.reports.append(exception)

    def cancel_all(self) -> None:
        self._ask(StopStage.CANCEL)

    def hold(self, position: Float64Array) -> None:
        self.held.append(position)
        self._ask(StopStage.HOLD)

    def call(self, step: StopStep) -> None:
        self._ask(step.stage)

    def _ask(self, stage: StopStage) -> None:
        self.requests.append((stage, self.steps))
        manner = self.manners.get(stage, OBEY)
        if manner.raises:
            raise RobotError(f"no {stage.value} here")
        number = self._newest[stage] = self._newest.get(stage, 0) + 1
        if manner.after == 0:
            self._meet(stage, manner, number)
        else:
            self._pending.append((self.steps + manner.after, stage, manner, number))

    def _meet(self, stage: StopStage, manner: Manner, number: int) -> None:
        if manner.obeys:
            for goal in self.goals.values():
                goal.live = goal.live and goal.accepted > self.steps
        if manner.answer is not None and self._newest[stage] == number:
            self.guard.stop_answered(stage, manner.answer, "", self.now)

    def send(
        self, purpose: Purpose | None = Purpose.TASK, after: int = 2, moves: tuple[range, ...] = (range(10_000),)
    ) -> str:
        """Announce a goal (None: do not) and send it; the controller accepts it `after` steps later."""
        goal = f"{next(self._numbers):032x}"
        if purpose is not None:
            self.guard.announce(plan(goal, purpose), self.now)
        self.goals[goal] = Goal(self.steps + after, moves)
        return goal

    def known(self) -> list[str]:
        """The goals the controller told as live."""
        return [goal for goal, live in self._told.items() if live]

    def turning(self, goal: Goal) -> bool:
        """Whether that goal moves the arm now."""
        since = self.steps - goal.accepted
        return goal.live and since >= 0 and any(since in stretch for stretch in goal.moves)

    def step(self, count: int = 1) -> None:
        """Let time pass: requests are met, the arm moves, statuses, a sample and a tick reach the guard."""
        for _ in range(count):
            self.steps += 1
            due = [each for each in self._pending if each[0] <= self.steps]
            self._pending = [each for each in self._pending if each[0] > self.steps]
            for _, stage, manner, number in due:
                self._meet(stage, manner, number)
            self.velocity = self.speed if any(self.turning(goal) for goal in self.goals.values()) else 0.0
            self.position[0] += self.velocity * STEP
            self.tell_goals()
            if not self.muted and self.steps % self.period == 0:
                self.sample()
            self.guard.tick(self.now)

    def tell_goals(self) -> None:
        """As the controller does, only when something changed."""
        told = {name: goal.live for name, goal in self.goals.items() if goal.accepted <= self.steps}
        if told != self._told:
            self._told = told
            stamps = {name: 1000.0 + goal.accepted * STEP for name, goal in self.goals.items()}
            self.guard.goals([GoalNews(name, live, stamps[name]) for name, live in told.items()], self.now)

    def sample(self) -> None:
        """One joint sample with a trembling last digit, as an encoder has it."""
        if not self.frozen:
            tremble = 1e-7 * (self.steps % 7)
            self._shown = (self.position + tremble, self.velocity + tremble)
        position, velocity = self._shown
        first = float("nan") if self.broken else float(position[0])
        self.guard.joints(
            NAMES,
            [first, *position[1:].tolist(), 0.03],
            [velocity, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0] if self.driver.velocity else (),
            [0.0] * 7 if self.driver.effort else (),
            1000.0 + self.now,
            self.now,
        )

    def violate(self, message: str = "the node died") -> bool:
        """A reason to stop from outside."""
        return self.guard.outside("node_death", *NODE_DEATH, message, self.now)

    def settle(self, longest: int = 600) -> GuardState:
        """Let time pass until the arm is not being stopped any more."""
        for _ in range(longest):
            if self.guard.state is not GuardState.STOPPING:
                break
            self.step()
        return self.guard.state


def plan(goal: str, purpose: Purpose = Purpose.TASK, steps: int = 20) -> MotionPlan:
    joints = np.tile(PROFILE.start, (steps, 1))
    task = purpose is Purpose.TASK
    return MotionPlan(goal, "context" if task else "", 3 if task else -1, 4, joints, 0.03, 0.03, 0.2, (steps,), purpose)


CANCEL, HOLD, DRIVER_STOP, DEACTIVATE = (
    StopStage.CANCEL,
    StopStage.HOLD,
    StopStage.DRIVER_STOP,
    StopStage.DEACTIVATE,
)
ALL = [CANCEL, HOLD, DRIVER_STOP, DEACTIVATE]
MULISH = {stage: IGNORE for stage in ALL}


def moving(**kwargs: object) -> tuple[Arm, str]:
    """An arm in the middle of an announced slice."""
    arm = Arm(**kwargs)  # type: ignore[arg-type]
    arm.step(10)
    goal = arm.send()
    arm.step(20)
    assert arm.velocity > 0.0
    return arm, goal


def stopped(**kwargs: object) -> Arm:
    """An arm that was stopped while it moved."""
    arm, _ = moving(**kwargs)
    arm.violate()
    assert arm.settle() is GuardState.STOPPED
    return arm
