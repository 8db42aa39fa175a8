"""A user's own service as the judge of a task."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.client import Client
from rclpy.task import Future

from ams_ros.nodes.goal_call import wait_for
from ams_ros.replay.judge import Judgement
from ams_ros.robot.stop_request import StopRequest
from ams_ros.srv import JudgeTask

_ASK_AGAIN = 5.0
"""s without an answer after which it counts as lost: a server may hear a question before it knows who asks."""


class RosJudge:
    """Implements replay.judge.Judge for one task; blocks, and belongs into the task's thread.

    One question is under way at a time. Once one was not answered in time, nobody waits any more until an answer came,
    however late: a slow judge delays a task once, and is heard when it has spoken.
    """

    def __init__(self, client: Client, timeout: float, stop: StopRequest, on_change: Callable[[str], None]) -> None:
        """timeout: s an answer is waited for. stop: ends a wait early.

        on_change: told once why the judge says nothing, and with an empty text that it speaks again.
        """
        self._client, self._timeout, self._stop, self._on_change = client, timeout, stop, on_change
        self._asked: tuple[Future, float] | None = None
        self._complaint = ""

    def judge(self, task: str, instruction: str, step: int, attempt: int) -> Judgement | None:
        """Where the task stands, in the judge's eyes; None when it did not say so in time."""
        if self._asked is None:
            if not self._client.service_is_ready():
                self._note(f"the judge {self._client.srv_name} is not there")
                return None
            request = JudgeTask.Request(task=task, instruction=instruction, step=step, attempt=attempt)
            self._asked = self._client.call_async(request), time.monotonic()
        future, since = self._asked
        if wait_for(future, 0.0 if self._complaint else self._timeout, self._stop):
            self._asked = None
            self._note("")
            word = future.result()
            return Judgement(word.jobs, word.finished, word.message)
        if not self._stop.requested:
            self._note(f"the judge {self._client.srv_name} did not answer within {self._timeout:g} s")
        if time.monotonic() - since > _ASK_AGAIN:
            self._forget()
        return None

    def close(self) -> None:
        """The task is over."""
        self._forget()
        self._note("")

    def _forget(self) -> None:
        if self._asked is not None:
            self._client.remove_pending_request(self._asked[0])
            self._asked = None

    def _note(self, complaint: str) -> None:
        if bool(complaint) != bool(self._complaint):
            self._on_change(complaint)
        self._complaint = complaint
