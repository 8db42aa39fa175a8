"""The nodes without which a task's motion must not go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ams_ros.exception.plan import MotionPlan, Purpose
from ams_ros.nodes.heartbeat import ProcessWatch
from ams_ros.nodes.lifecycle import AmsNode


class NeededNodes:
    """Remembers which of them died and has not come back; one that was never heard of is not missed."""

    def __init__(self, node: AmsNode, names: Sequence[str], limit: float, died: Callable[[], None]) -> None:
        """To be made in the node's _setup. limit: s of silence. died: called on the executor's thread."""
        self._died = died
        self._deaths: dict[str, str] = {}
        self._judged: dict[str, str] = {}
        self._watches = {name: ProcessWatch(node, name, partial(self._note, name), limit) for name in names if name}

    @property
    def present(self) -> dict[str, str]:
        """How each of them is, in words."""
        words = {name: "alive" if watch.alive else "never heard of" for name, watch in self._watches.items()}
        return {**words, **{name: text for name, text in self._deaths.items() if not self._watches[name].alive}}

    @property
    def missing(self) -> str:
        """Who died and has not come back, in words; empty for nobody."""
        return "; ".join(self._present())

    def death_during(self, plan: MotionPlan | None) -> str:
        """What is to be said about a death while `plan` is under execution, once for each; empty for nothing.

        Recovery goes on without them: it leads to where the arm may stay.
        """
        if not self._deaths or plan is None or plan.purpose is not Purpose.TASK:
            return ""
        new = [text for text in self._present() if self._judged.get(text) != plan.goal]
        self._judged |= dict.fromkeys(new, plan.goal)
        return "; ".join(new)

    def _present(self) -> list[str]:
        for name in [name for name in self._deaths if self._watches[name].alive]:
            del self._deaths[name]
        return list(self._deaths.values())

    def _note(self, name: str, text: str) -> None:
        self._deaths[name] = text
        self._died()
