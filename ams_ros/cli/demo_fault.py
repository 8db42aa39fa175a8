"""The fault of a demonstration: something pushes the simulated arm while it moves freely."""

from __future__ import annotations

import time
from typing import Any

from ams_ros.cli.demo_record import Injection
from ams_ros.cli.ros_session import DISCOVERY_SECONDS, RosSession
from ams_ros.cli.task_report import Score
from ams_ros.errors import RobotError
from ams_ros.simulation.faults.fault import FAULTS, HAND
from ams_ros.srv import InjectFault
from ams_ros.types import ActionException, Phase, TaskEvent, TaskStatus

PUSH = "push"
NEWTON = 25.0
SECONDS = 0.8
"""As long and as strong as in `ams bench faults`, where every push is seen; one of 0.4 s is not always."""
STEP = 8
"""The first slice that begins at this step or later is pushed: the arm moves freely above the table."""
ANSWER_SECONDS = 2.0


class Push:
    """Pushes the hand once, at a fixed step of the task it listens to; implements task_run.TaskListener."""

    def __init__(self, session: RosSession, namespace: str) -> None:
        """Raises RobotError when nobody there can let a fault happen."""
        self._session = session
        name = f"{namespace}/simulated_robot/inject_fault"
        if not session.offered(InjectFault, name, DISCOVERY_SECONDS):
            raise RobotError(f"nobody offers {name}: is the simulated robot active? `ams doctor` tells")
        self._client = session.node.create_client(InjectFault, name)
        session.until(self._client.service_is_ready, DISCOVERY_SECONDS)
        self._asked: tuple[float, int, Any] | None = None

    def begun(self, instruction: str, score: Score | None) -> None:
        """Nothing to do yet."""

    def scored(self, score: Score) -> None:
        """None of its business."""

    def happened(self, event: TaskEvent) -> None:
        """None of its business."""

    def excepted(self, exception: ActionException) -> None:
        """None of its business."""

    def moved_on(self, status: TaskStatus) -> None:
        """Push when it is time; the answer is awaited later, as this is called while messages are handled."""
        if self._asked is None and status.phase is Phase.EXECUTING and status.step >= STEP:
            request = InjectFault.Request(fault=PUSH, duration=SECONDS, magnitude=NEWTON, target=HAND)
            self._asked = time.monotonic(), status.step, self._client.call_async(request)

    def injection(self) -> Injection | None:
        """What was done, its seconds on the steady clock; None when the task never came so far."""
        if self._asked is None:
            return None
        at, step, answer = self._asked
        refused = "no answer"
        if self._session.wait(answer, ANSWER_SECONDS):
            response = answer.result()
            refused = "" if response.success else str(response.message) or "no reason given"
        return Injection(PUSH, HAND, NEWTON, FAULTS[PUSH].unit, SECONDS, step, at, refused)
