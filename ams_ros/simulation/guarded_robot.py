"""The simulated robot in one process with the exception guard in front of it, all in simulation time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.exception.detector import Detector
from ams_ros.exception.guard import ExceptionGuard, GoalNews, GuardState
from ams_ros.exception.guard_state import LATCHED
from ams_ros.exception.plan import MotionPlan, recovery_plan, task_plan
from ams_ros.exception.rule import WatchedRobot
from ams_ros.exception.threshold_file import RuleSettings
from ams_ros.robot.stop_request import StopRequest
from ams_ros.robot.stretches import cut_into_stretches
from ams_ros.simulation.controller_stop_actuator import ControllerStopActuator
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import RESULT_MARGIN, SimulatedRobot
from ams_ros.simulation.trajectory_controller import GoalEnd, GoalStatus
from ams_ros.types import ActionException, ActionSlice, Execution, Float64Array, JointSample, StopStage, WrenchSample

_SETTLING = 2.0
"""s in which an arm that is not told to move comes to rest."""

_PASSING = 10.0
"""s within which a sensor that fell silent, or talks nonsense, may come back."""

_LONGEST_STOP = 30.0
"""s within which every stop ladder has come to its end."""


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """How the guard is put in front of the robot.

    announce: tell it the plan of each motion, without which only the rules for hardware apply. shadow: detect, do not
    act. rate: Hz of joint states and wrenches, 0 for the driver's. latency: s from a stop request to its answer, None
    for one sample. caution: factor on every limit during recoveries. settle: s the arm rests after a reset, in which
    the guard sees it at rest, as it does before a real task.
    """

    announce: bool = True
    shadow: bool = False
    rate: float = 0.0
    latency: float | None = None
    caution: float = 0.7
    settle: float = 0.3


class GuardedRobot(SimulatedRobot):
    """Implements robot.recoverable.RecoverableRobot with the guard that the exception monitor runs.

    Joint states and wrenches come to the guard through the same tap as to the node's publishers, so faults of both
    robots are alike. `now` of the guard is simulation time.
    """

    def __init__(
        self,
        plant: Plant,
        watched: WatchedRobot,
        rules: RuleSettings,
        options: GuardOptions | None = None,
        cameras: Sequence[str] = ("front", "wrist"),
    ) -> None:
        """watched, rules: as for the detector. Raises ConfigurationError for a rate the physics does not allow."""
        self._watched, self._rules, self._options = watched, rules, options or GuardOptions()
        self._every = _steps_per_sample(self._options.rate or watched.driver.joint_states.rate, plant.timestep)
        self._listeners: list[Callable[[JointSample], None]] = []
        self._wrench_listeners: list[Callable[[WrenchSample], None]] = []
        super().__init__(plant, watched.profile, cameras=cameras)

    def _take_over(self) -> None:
        super()._take_over()
        options, sample = self._options, self._every * self.plant.timestep
        self._actuator = ControllerStopActuator(
            self._loop, sample if options.latency is None else options.latency, self._answered
        )
        self._detector = self._make_detector()
        self.guard = ExceptionGuard(
            self._detector,
            self._watched.driver,
            self._actuator,
            self._take,
            options.shadow,
            clock=lambda: self.plant.time,
            caution=options.caution,
        )
        self.exceptions: list[ActionException] = []
        """What the guard told since the last reset."""
        self._goals = itertools.count(1)
        self._live: tuple[int, GoalNews] | None = None
        self._slice = -1
        self._since_sample = 0

    def _make_detector(self) -> Detector:
        """The one of the next guard; for those who want to see what it sees."""
        return Detector(self._watched, self._rules)

    def reset(self, layout: SceneLayout) -> None:
        """Build the scene, with a guard that knows of nothing yet, and let the arm rest for `settle` s."""
        super().reset(layout)
        self.advance(self._options.settle)

    # robot.protocol.Robot

    def execute(self, action_slice: ActionSlice, stop: StopRequest) -> Execution:
        """Run the slice; see the protocol. Raises RobotError when a controller refuses, or gives no result."""
        self._slice += 1
        steps = 0
        for stretch in cut_into_stretches(action_slice, self._gripper_target):
            if stop.requested:
                return Execution(steps, completed=False, message=stop.reason)
            before = self._gripper_target
            if stretch.gripper is not None:
                self._command_gripper(stretch.gripper)
            plan = None
            if self._options.announce:
                plan = task_plan(
                    self._next_goal(),
                    action_slice,
                    stretch,
                    number=self._slice,
                    first_step=steps,
                    begin=self._measured(),
                    gripper=before,
                )
            part = self._guarded(stretch.joints, action_slice.period, plan, stop)
            steps += part.steps
            if not part.completed:
                self._halt_gripper()
                return replace(part, steps=steps)
        return Execution(steps, completed=True)

    # robot.recoverable.RecoverableRobot

    def listen(self, listener: Callable[[JointSample], None]) -> None:
        """Have `listener` called with every joint sample; see the protocol."""
        self._listeners.append(listener)

    def listen_wrench(self, listener: Callable[[WrenchSample], None]) -> None:
        """The same with every sample of the wrist sensor; see the protocol."""
        self._wrench_listeners.append(listener)

    def release(self, exception: ActionException, *, recovery: bool) -> ActionException | None:
        """Lift the stop of `exception`; see the protocol.

        It waits for what stands in the way of any motion to pass, and for a stop under way to come to its end.
        """
        begin, guard = self.plant.time, self.guard
        # Planning took no simulated time, so the guard may not have looked since the arm came to rest.
        self._tick()
        while refusal := guard.release(exception.number, recovery, self.plant.time):
            stopping = guard.state is GuardState.STOPPING
            if not stopping and guard.exception is not None and guard.exception.number > exception.number:
                return guard.exception
            patience = _LONGEST_STOP if stopping else _PASSING if guard.concern else 0.0
            if self.plant.time - begin > patience:
                raise RobotError(refusal)
            self._tick()
        return None

    def follow(self, joints: Float64Array, period: float, stop: StopRequest) -> Execution:
        """Run a recovery motion; see the protocol."""
        plan = recovery_plan(self._next_goal(), joints, period, self._measured())
        return self._guarded(joints, period, plan, stop)

    def restart(self, stop: StopRequest) -> None:
        """Go through the driver's restart steps; see the protocol. It takes its time whatever `stop` says."""
        steps = self._watched.driver.restart
        if not steps:
            raise RobotError(self._watched.driver.by_hand)
        self._rest()
        for step in steps:
            back: list[float] = []
            self._loop.restart(lambda back=back: back.append(self.plant.time))  # type: ignore[misc]
            deadline = self.plant.time + step.deadline
            while not back:
                if self.plant.time > deadline:
                    raise RobotError(f"the driver is not back within {step.deadline} s. {self._watched.driver.by_hand}")
                self._tick()
            self.advance(step.settle)

    def _rest(self) -> None:
        """Wait until the guard has seen the arm at rest: a moving arm that falls silent is a crash to it."""
        until = self.plant.time + _SETTLING
        while self._detector.moving:
            if self.plant.time > until:
                raise RobotError(f"the arm does not come to rest within {_SETTLING} s")
            self._tick()

    # One motion.

    def _next_goal(self) -> str:
        return f"{next(self._goals):032x}"

    def _measured(self) -> Float64Array:
        return self.joints().position[:-1]

    def _guarded(self, joints: Float64Array, period: float, plan: MotionPlan | None, stop: StopRequest) -> Execution:
        """Run one goal, announced or not, until it has ended and no stop is under way."""
        begin, told = self.plant.time, len(self.exceptions)
        if plan is not None:
            self.guard.announce(plan, begin)
        number = self._send(joints, period)
        news = GoalNews(plan.goal if plan is not None else self._next_goal(), True, begin)
        self._live = number, news
        self.guard.goals([news], begin)
        end, moving_until = self._until_over(number, begin + len(joints) * period, told, stop)
        if end is not None and end.status is GoalStatus.SUCCEEDED and not self._stopped(told):
            return Execution(len(joints), completed=True)
        self._settle()
        steps = min(len(joints), int((moving_until - begin) / period + 1e-9))
        exception = self._stopped(told)
        if exception is None and self.guard.state in LATCHED:
            # An earlier stop is still in force, so this goal was never allowed to run.
            exception = self.guard.exception
        if exception is not None:
            return Execution(steps, completed=False, message=exception.message, exception=exception)
        assert end is not None
        return Execution(steps, completed=False, message=stop.reason or end.message)

    def _until_over(self, number: int, due: float, told: int, stop: StopRequest) -> tuple[GoalEnd | None, float]:
        """Returns the goal's end, None when it gave none and the guard's stop is over, and until when it moved."""
        end, moving_until = None, self.plant.time
        while True:
            if self._loop.arm.goal == number:
                moving_until = self.plant.time
            if stop.requested:
                self._loop.cancel_arm(number)
            end = next((each for each in self._tick() if each.goal == number), end)
            if self.guard.state is GuardState.STOPPING:
                if self.plant.time > due + _LONGEST_STOP:
                    raise RobotError(f"the stop did not come to an end within {_LONGEST_STOP} s")
            elif end is not None or self._stopped(told) is not None:
                return end, moving_until
            elif self.plant.time > due + RESULT_MARGIN:
                raise RobotError(f"the arm controller gave no result within {RESULT_MARGIN} s of a trajectory's end")

    def _stopped(self, told: int) -> ActionException | None:
        """The newest exception since `told` of them that was acted on."""
        return next((each for each in reversed(self.exceptions[told:]) if each.acted), None)

    def _halt_gripper(self) -> None:
        """Stop fingers that are under way; those that grasped keep their grip."""
        self._loop.gripper.stop()
        self._gripper_target = None

    # Time.

    def _tick(self) -> tuple[GoalEnd, ...]:
        self._loop.update()
        left = round(self._loop.period / self.plant.timestep)
        while left:
            steps = min(left, self._every - self._since_sample)
            self.plant.advance(steps * self.plant.timestep)
            left -= steps
            self._since_sample = (self._since_sample + steps) % self._every
            if self._since_sample == 0:
                self._sample()
        self._loop.gripper.monitor(self.plant.time)
        _, ends = self._loop.monitor_arm()
        if self._live is not None and any(end.goal == self._live[0] for end in ends):
            self._live = None
            self.guard.goals([], self.plant.time)
        return ends

    def _sample(self) -> None:
        """What a monitor gets to see at this moment, in the order it would come."""
        now = self.plant.time
        self._actuator.deliver()
        joints = self._loop.tap.joints()
        if joints is not None:
            self.guard.joints(
                joints.names,
                joints.position,
                () if joints.velocity is None else joints.velocity,
                () if joints.effort is None else joints.effort,
                joints.stamp,
                now,
            )
            for listener in self._listeners:
                listener(joints)
        wrench = self._loop.tap.wrench()
        if wrench is not None:
            self.guard.wrench(wrench.frame, wrench.force.tolist(), wrench.torque.tolist(), wrench.stamp, now)
            for hear in self._wrench_listeners:
                hear(wrench)
        self.guard.tick(now)
        if self.guard.failure is not None and self.guard.state is not GuardState.STOPPING:
            raise RobotError(f"the exception guard failed: {self.guard.failure}") from self.guard.failure

    def _answered(self, stage: StopStage, accepted: bool, message: str) -> None:
        self.guard.stop_answered(stage, accepted, message, self.plant.time)

    def _take(self, exception: ActionException) -> None:
        self.exceptions.append(exception)


def _steps_per_sample(rate: float, timestep: float) -> int:
    """Physics steps between two samples."""
    steps = round(1.0 / (rate * timestep)) if rate > 0.0 else 0
    if steps < 1 or abs(steps * timestep * rate - 1.0) > 1e-6:
        allowed = f"{1.0 / timestep:g} Hz divided by a whole number"
        raise ConfigurationError("rate", rate, allowed)
    return steps
