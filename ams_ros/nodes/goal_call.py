"""One goal sent to an action server, from a thread that may block: every wait ends, and a cancel is confirmed."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Protocol

from action_msgs.msg import GoalStatus
from rclpy.action.client import ClientGoalHandle
from rclpy.task import Future
from unique_identifier_msgs.msg import UUID

from ams_ros.errors import RobotError
from ams_ros.nodes.exception_conversions import goal_message
from ams_ros.nodes.goal_client import GoalClient

_POLL_SECONDS = 0.01


class Interruption(Protocol):
    """What ends a wait early; a StopRequest is one."""

    @property
    def requested(self) -> bool:
        """Whether the wait is to end; looked at some hundred times a second."""
        ...


def cancel(handle: ClientGoalHandle) -> None:
    """Ask the server to cancel the goal."""
    handle.cancel_goal_async()


def wait_for(future: Future, timeout: float, stop: Interruption | None = None) -> bool:
    """Block until `future` is done; False when `timeout` seconds passed or `stop` was requested before."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    deadline = time.monotonic() + timeout
    while not done.wait(max(0.0, min(_POLL_SECONDS, deadline - time.monotonic()))):
        if time.monotonic() >= deadline or (stop is not None and stop.requested):
            return False
    return True


class GoalCall:
    """Sent at construction; then `accept`, `end`, or at any moment `cancel`.

    A goal that is not answered may run all the same, as an answer can get lost: it is canceled by its id, never sent
    again.
    """

    def __init__(
        self,
        client: GoalClient,
        goal: Any,
        what: str,
        *,
        identifier: UUID | None = None,
        halt: Callable[[ClientGoalHandle], None] = cancel,
    ) -> None:
        """what: names server and purpose in error messages, such as "the arm controller /arm/...".

        identifier: of the goal, None for any. halt: asks for the end of an accepted goal; another way than `cancel`
        where the server does not understand cancels.
        """
        self._client, self._what, self._halt = client, what, halt
        self._identifier = goal_message(uuid.uuid4().hex) if identifier is None else identifier
        self._sent: Future = client.send_goal_async(goal, goal_uuid=self._identifier)
        self._result: Future | None = None

    def accept(self, timeout: float, stop: Interruption) -> bool:
        """Whether the server accepted the goal before `stop` was requested.

        Raises RobotError when it rejects the goal or does not answer within `timeout` seconds; the goal is canceled
        then, and the server given as long again to confirm that.
        """
        if wait_for(self._sent, timeout, stop):
            if not self._accepted():
                raise RobotError(f"{self._what} rejected the goal; its log says why")
            return True
        if stop.requested:
            return False
        self._halt(self._unanswered())
        doubt = self._doubt(timeout, stop)
        raise RobotError(f"{self._what} did not answer the goal within {timeout} s; {doubt or 'it was canceled'}")

    def end(self, timeout: float, stop: Interruption | None = None) -> Any | None:
        """The result response (.status, .result) of an accepted goal; None when `stop` came or time ran out."""
        assert self._result is not None, "accept() comes first"
        return self._result.result() if wait_for(self._result, timeout, stop) else None

    @property
    def running(self) -> bool:
        """Whether the goal was accepted and has not ended yet, as far as is known here."""
        return self._result is not None and not self._result.done()

    def cancel(self, timeout: float) -> None:
        """Cancel the goal wherever it is, and return when the server has ended it.

        A goal that nobody answered is canceled now, and once more should it be accepted later. Raises RobotError when
        the end is not confirmed within `timeout` seconds: the robot may still be moving then.
        """
        if not self._sent.done():
            self._halt(self._unanswered())
        if not wait_for(self._sent, timeout):
            doubt = self._doubt(timeout)
            if doubt:
                raise RobotError(f"{self._what} did not answer the goal within {timeout} s; {doubt}")
            return
        if not self._accepted():
            return
        assert self._result is not None
        if not self._result.done():
            self._halt(self._sent.result())
        if not wait_for(self._result, timeout):
            raise RobotError(f"{self._what} did not confirm within {timeout} s that it stopped")

    def _accepted(self) -> bool:
        handle = self._sent.result()
        if handle.accepted and self._result is None:
            self._result = handle.get_result_async()
        return bool(handle.accepted)

    def _unanswered(self) -> ClientGoalHandle:
        return self._client.unanswered(self._identifier)

    def _doubt(self, timeout: float, stop: Interruption | None = None) -> str:
        """Why a goal that was not answered, and canceled, may move all the same; empty when it has ended."""
        self._sent.add_done_callback(self._halt_if_accepted)
        result = self._unanswered().get_result_async()
        if not wait_for(result, timeout, stop):
            return "nor did it confirm that the goal was canceled, so it may still be moving"
        if result.result().status == GoalStatus.STATUS_UNKNOWN:
            return "it does not know the goal, and will be asked to cancel it should it still take it"
        return ""

    def _halt_if_accepted(self, sent: Future) -> None:
        if sent.result().accepted:
            self._halt(sent.result())
