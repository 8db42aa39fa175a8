"""An arm of arithmetic behind a monitor of arithmetic: it goes where told, and is stopped where a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ams_ros.errors import RobotError
from ams_ros.robot.profile import load_profile
from ams_ros.types import ActionException, ExceptionKind, Execution, JointSample, Severity, StopStage

PROFILE = load_profile("widowx_250s")
NAMES = (*PROFILE.joint_names, PROFILE.gripper.joint)


def an_exception(kind=ExceptionKind.COLLISION, number=1, stamp=0.0, severity=Severity.SERIOUS, **more):
    known = {"stopped": True, "stage": StopStage.CANCEL, **more}
    return ActionException(number, stamp, kind, severity, "a_rule", "something happened", **known)


@dataclass
class RecoverableArm:
    """Implements RecoverableRobot as far as recovery goes.

    stops: by number of the motion followed, the exception that stops it halfway. coming: exceptions that come up, one
    with each release asked for. Every call is kept in `calls`. A
    motion without the release it needs is a mistake of the caller and fails the test.
    """

    position: np.ndarray = field(default_factory=PROFILE.start.copy)
    stops: dict = field(default_factory=dict)
    during: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)
    followed: list = field(default_factory=list)
    in_force: ActionException | None = None
    released: str = "for good"
    time: float = 0.0
    silent: int = 0
    restarting: RobotError | None = None
    releasing: RobotError | None = None
    coming: list = field(default_factory=list)
    stuck: bool = False
    listener: object = None

    def listen(self, listener):
        self.listener = listener

    def joints(self):
        if self.silent:
            self.silent -= 1
            raise RobotError("joint states are silent")
        return JointSample(self.time, NAMES, np.append(self.position, 0.02))

    def go(self, position, seconds=0.01):
        self.time += seconds
        self.position = np.array(position)
        self.listener(JointSample(self.time, NAMES, np.append(self.position, 0.02)))

    def move(self, *poses, count=50):
        """Run a slice through `poses`, straight between them."""
        for pose in poses:
            for row in self.position + np.linspace(0, 1, count)[1:, None] * (pose - self.position):
                self.go(row)

    def stop_for(self, exception):
        self.in_force, self.released = exception, ""
        return exception

    def release(self, exception, *, recovery):
        self.calls.append("release for recovery" if recovery else "release")
        if self.releasing is not None:
            raise self.releasing
        if self.coming:
            return self.stop_for(replace(self.coming.pop(0), stamp=self.time))
        assert exception is self.in_force, "a stop released that is not in force"
        self.released = "for recovery" if recovery else "for good"

    def follow(self, joints, period, stop):
        assert self.released == "for recovery", "a motion while a stop was in force"
        number = len(self.followed)
        self.calls.append("follow")
        self.followed.append(joints)
        event, exception = self.during.get(number), self.stops.get(number)
        half = len(joints) // 2
        if self.stuck:
            return Execution(0, False, "the arm does not move")
        for row in joints if exception is None and event is None else joints[:half]:
            self.go(row, period)
        if event is not None:
            event()
            return Execution(half, False, stop.reason)
        if exception is not None:
            return Execution(half, False, exception.message, self.stop_for(replace(exception, stamp=self.time)))
        return Execution(len(joints), True)

    def restart(self, stop):
        self.calls.append("restart")
        if self.restarting is not None:
            raise self.restarting
        self.stuck = False
