"""The nodes without which a task's motion must not go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ams_ros.exception.plan import MotionPlan, Purpose
from ams_ros.nodes.heartbeat import ProcessWatch
from ams_ros.nodes.lifecycle import AmsNode


class NeededNodes:
    """Remembers which of them died and has not come back; one that was never heard of is not missed."""

    def __init__(
        self, node: AmsNode, names: Sequence[str], announcer: str, limit: float, died: Callable[[], None]
    ) -> None:
        """To be made in the node's _setup. announcer: which of them announces plans and follows what becomes of them.

        limit: s of silence. died: called on the executor's thread.
        """
        self._announcer, self._died = announcer, died
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
        return "; ".join(self._present().values())

    def death_during(self, plan: MotionPlan | None) -> str:
        """What is to be said about a death while `plan` is under execution, once for each; empty for nothing.

        Recovery needs nobody but the one who announces it: it leads to where the arm may stay.
        """
        if not self._deaths or plan is None:
            return ""
        missing = self._present()
        if plan.purpose is not Purpose.TASK:
            missing = {name: text for name, text in missing.items() if name == self._announcer}
        new = [text for text in missing.values() if self._judged.get(text) != plan.goal]
        self._judged |= dict.fromkeys(new, plan.goal)
        return "; ".join(new)

    def _present(self) -> dict[str, str]:
        for name in [name for name in self._deaths if self._watches[name].alive]:
            self._judged.pop(self._deaths.pop(name), None)
        return self._deaths

    def _note(self, name: str, text: str) -> None:
        self._deaths[name] = text
        self._died()
