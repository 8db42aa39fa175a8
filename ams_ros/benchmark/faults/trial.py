"""What happened in one task of `ams bench faults`."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.simulation.faults.fault import Fault
from ams_ros.types import ActionException


@dataclass(frozen=True, slots=True)
class SeenStop:
    """One exception, and the stop as the simulator saw it.

    begun, told: simulation time of the first stop request and of the exception having been told, s. rested: since when
    the arm truly stood still until then, None if it did not.
    """

    exception: ActionException
    begun: float
    told: float
    rested: float | None

    @property
    def proven(self) -> bool:
        """Whether the guard says that the arm came to rest, and it did."""
        return self.exception.stopped and self.rested is not None


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How a task ended. success: by the simulator's truth. outcome, message: the loop's. seconds: simulation time."""

    success: bool
    outcome: str
    message: str
    steps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FaultTrial:
    """One task with a fault, with the guard and without.

    injected: whether the fault began before the task ended. effect: since when it truly showed, s of simulation time,
    None for never. early: exceptions before that. caught: the first stop since; None for none. exceptions: of the
    whole task. held: whether the task was given up with the stop in force and the arm truly at rest a second later.
    """

    fault: Fault
    seed: int
    injected: bool
    effect: float | None
    early: int
    caught: SeenStop | None
    exceptions: int
    guarded: TaskEnd
    direct: TaskEnd
    held: bool

    @property
    def recovered(self) -> bool:
        """Whether the task went on after what was caught."""
        return self.caught is not None and self.guarded.outcome != "failed"

    @property
    def seconds_to_stop(self) -> float | None:
        """From the fault's effect until the arm truly stood still."""
        if self.effect is None or self.caught is None or self.caught.rested is None:
            return None
        return max(0.0, self.caught.rested - self.effect)

    @property
    def seconds_to_see(self) -> float | None:
        """From the fault's effect until the stop was requested."""
        if self.effect is None or self.caught is None:
            return None
        return max(0.0, self.caught.begun - self.effect)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An exception in a task without a fault. true: why it was right nevertheless, by the simulator; empty if not."""

    stop: SeenStop
    true: str


@dataclass(frozen=True, slots=True)
class CleanTrial:
    """One task without a fault, with the guard and without."""

    seed: int
    alarms: tuple[Alarm, ...]
    guarded: TaskEnd
    direct: TaskEnd
