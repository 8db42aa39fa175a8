"""The open goals of one action server whose work is done in another thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from ams_ros.nodes.handoff import Handoff

End = TypeVar("End")


@dataclass(slots=True)
class _Entry:
    handle: ServerGoalHandle
    future: Future
    number: int | None = None


class GoalLedger(Generic[End]):
    """Goals from acceptance to result.

    Accepted on the executor (`open`), given a number by the controller in its thread (`begin`), ended there (`end`),
    and finished by a coroutine on the executor that waits in `ended`.
    """

    def __init__(self, handoff: Handoff) -> None:
        """Start empty."""
        self._handoff = handoff
        self._changed = threading.Condition()
        self._entries: dict[bytes, _Entry] = {}

    def open(self, handle: ServerGoalHandle) -> None:
        """Enter a goal that was just accepted."""
        with self._changed:
            self._entries[_key(handle)] = _Entry(handle, self._handoff.future())

    def begin(self, handle: ServerGoalHandle, number: int) -> None:
        """Note the controller's number of a goal."""
        with self._changed:
            self._entries[_key(handle)].number = number

    def number(self, handle: ServerGoalHandle) -> int | None:
        """The controller's number of a goal, None before it began and after its result was sent."""
        with self._changed:
            entry = self._entries.get(_key(handle))
        return None if entry is None else entry.number

    def handle(self, number: int) -> ServerGoalHandle | None:
        """The goal of that number, None once its result was sent."""
        with self._changed:
            return next((entry.handle for entry in self._entries.values() if entry.number == number), None)

    def end(self, number: int, end: End) -> None:
        """Wake the coroutine that waits for the goal of that number."""
        with self._changed:
            future = next((entry.future for entry in self._entries.values() if entry.number == number), None)
        if future is not None and not future.done():
            self._handoff.resolve(future, end)

    def refuse(self, handle: ServerGoalHandle, end: End) -> None:
        """End an accepted goal that the controller did not take after all."""
        with self._changed:
            future = self._entries[_key(handle)].future
        self._handoff.resolve(future, end)

    def end_all(self, end: End) -> None:
        """End every goal that has not ended yet; for when the controller's thread is gone."""
        with self._changed:
            futures = [entry.future for entry in self._entries.values() if not entry.future.done()]
        for future in futures:
            self._handoff.resolve(future, end)

    async def ended(self, handle: ServerGoalHandle) -> Any:
        """Wait for the end of a goal."""
        return await self._entries[_key(handle)].future

    def close(self, handle: ServerGoalHandle) -> None:
        """Strike out a goal whose result is decided."""
        with self._changed:
            del self._entries[_key(handle)]
            self._changed.notify_all()

    def drain(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until no goal is open; whether that is so. Never on the executor's thread."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._entries, timeout)


def _key(handle: ServerGoalHandle) -> bytes:
    return bytes(handle.goal_id.uuid)
