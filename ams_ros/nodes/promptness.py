"""Making a process answer within a millisecond or so: its place before others, and no garbage collection in between."""

from __future__ import annotations

import gc
import os
from pathlib import Path

_NICE = -10


class Precedence:
    """Puts all threads of this process before those of others, as far as the system lets it.

    The threads of the transport count as well: a sample they do not hand over in time is late for everybody.
    """

    def __init__(self) -> None:
        """Nothing asked for yet."""
        self.granted = "normal"
        """What is in force, in words."""

    def take(self, priority: int) -> None:
        """Ask for real-time precedence 1..99, and for a better place among ordinary processes if that is refused.

        0 asks for nothing.
        """
        if priority == 0:
            return
        try:
            self._all_threads(os.SCHED_FIFO, priority)
            self.granted = f"SCHED_FIFO {priority}"
        except PermissionError:
            try:
                for thread in _threads():
                    os.setpriority(os.PRIO_PROCESS, thread, _NICE)
                self.granted = f"nice {_NICE}; SCHED_FIFO {priority} was refused"
            except PermissionError:
                self.granted = f"normal; SCHED_FIFO {priority} and nice {_NICE} were refused"

    def give_back(self) -> None:
        """Be as other processes are; a better place among ordinary ones stays."""
        if self.granted.startswith("SCHED_FIFO"):
            self._all_threads(os.SCHED_OTHER, 0)
            self.granted = "normal"

    def _all_threads(self, policy: int, priority: int) -> None:
        for thread in _threads():
            try:
                os.sched_setscheduler(thread, policy | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
            except ProcessLookupError:
                continue  # a thread that has just ended


class QuietCollection:
    """Collects garbage only when told that the moment is quiet.

    What was there at `begin` is not looked at any more, which leaves little to look at: less than a millisecond.
    """

    def begin(self) -> None:
        """From now on only `collect` collects."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def collect(self) -> None:
        """Collect what has become garbage since."""
        gc.collect()

    def end(self) -> None:
        """Back to collecting whenever Python likes."""
        gc.enable()
        gc.unfreeze()


def _threads() -> list[int]:
    return [int(entry.name) for entry in Path("/proc/self/task").iterdir()]
