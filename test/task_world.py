"""A task's world made of arithmetic: clock, slices, robot and recovery, so that any course of events can be had."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ams_ros.errors import AmsError
from ams_ros.robot.stop_request import StopRequest
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop
from ams_ros.types import (
    ActionException,
    ActionSlice,
    ExceptionKind,
    Execution,
    Inference,
    JointSample,
    Mode,
    ReuseReport,
    Severity,
    StageTime,
    TaskRequest,
    TaskStatus,
)


class ManualClock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


@dataclass
class ArithmeticSource:
    """Slices of `horizon` steps, each moving the first joint by `stride`; event k happens during inference k."""

    clock: ManualClock
    horizon: int = 16
    execute: int = 8
    stride: float = 0.01
    seconds: float = 0.06
    events: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    position: float = 0.0

    def infer(self, request):
        self.asked.append(request)
        self.clock.time += self.seconds
        event = self.events.get(len(self.asked) - 1)
        if isinstance(event, AmsError):
            raise event
        if event is not None:
            event()
        joints = np.zeros((self.horizon, 6))
        joints[:, 0] = self.position + self.stride * np.arange(1, self.horizon + 1)
        action_slice = ActionSlice(joints, np.full(self.horizon, 0.02), 0.05, self.execute, f"c{len(self.asked)}")
        return Inference(action_slice, (StageTime("denoise", self.seconds),), ReuseReport("off"))


@dataclass
class ArithmeticRobot:
    """Reaches every target exactly; event k happens in the middle of execution k, which then ends halfway.

    An event that is an exception stops the arm there, as the monitor does.
    """

    clock: ManualClock
    source: ArithmeticSource
    events: dict = field(default_factory=dict)
    executed: list = field(default_factory=list)
    moving: bool = False

    def joints(self):
        position = np.zeros(7)
        position[0] = self.source.position
        return JointSample(self.clock.time, tuple("abcdefg"), position)

    def execute(self, action_slice, stop):
        event = self.events.get(len(self.executed))
        steps = action_slice.horizon
        if isinstance(event, AmsError):
            raise event
        exception = event if isinstance(event, ActionException) else None
        if event is not None:
            steps //= 2
            if exception is None:
                event()
        self.executed.append(action_slice)
        self.clock.time += steps * action_slice.period
        if steps:
            self.source.position = action_slice.joints[steps - 1, 0]
        return Execution(steps, event is None, "" if event is None else "the arm was stopped halfway", exception)


@dataclass
class ArithmeticRecovery:
    """Takes two seconds for every exception; answer k is what it says of exception k, else that the robot is back."""

    clock: ManualClock
    answers: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)
    further: int = 0

    def begin_task(self):
        self.calls.append("begin")

    def slice_began(self):
        self.calls.append("slice")

    def handle(self, exception, stop):
        self.calls.append(exception.number)
        self.clock.time += 2.0
        answer = self.answers.get(exception.number)
        if isinstance(answer, AmsError):
            raise answer
        return answer(stop) if callable(answer) else answer


def stopped(number, **more):
    return ActionException(
        number,
        100.0,
        ExceptionKind.COLLISION,
        Severity.SERIOUS,
        "wrench_jump",
        "the force rose by 40 N",
        **{"stopped": True, **more},
    )


class World:
    def __init__(self, rest: RestThresholds | None = None, recovers: bool = True, **source) -> None:
        self.clock, self.stop = ManualClock(), StopRequest()
        self.source = ArithmeticSource(self.clock, **source)
        self.robot = ArithmeticRobot(self.clock, self.source)
        self.progress: list[TaskStatus] = []
        self.recovery = ArithmeticRecovery(self.clock)
        self.loop = TaskLoop(
            self.source,
            self.robot,
            self.clock,
            rest or RestThresholds(),
            self.progress.append,
            recovery=self.recovery if recovers else None,
        )

    def run(self, budget=100, seed=7, mode=Mode.DIRECT, **more):
        return self.loop.run(TaskRequest("put the cubes in the bowl", mode, budget, seed, **more), self.stop)
