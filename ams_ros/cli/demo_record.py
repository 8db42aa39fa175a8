"""What the runs of a demonstration leave behind for its film, page and report."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum

from ams_ros.cli.task_report import Score, TaskReport
from ams_ros.recovery.wording import told
from ams_ros.types import ActionException, EventKind, Phase, TaskEvent, TaskStatus


@dataclass(frozen=True, slots=True)
class Moment:
    """What there is to say of a run from `seconds` (since its task began) on.

    step, attempt: where the task is; attempts count from 0. placed: cubes in the bowl, as the simulator says; None
    before it was asked. last: what happened last, empty for nothing yet.
    """

    seconds: float
    step: int = 0
    attempt: int = 0
    placed: int | None = None
    last: str = ""


@dataclass(frozen=True, slots=True)
class Injection:
    """The fault that was asked for while a run went on.

    seconds: since the task began. step: executed until then. refused: why it was not injected, empty when it was.
    """

    fault: str
    target: str
    magnitude: float
    unit: str
    duration: float
    step: int
    seconds: float
    refused: str = ""

    def sentence(self) -> str:
        """What was done, for people."""
        what = f"{self.fault} on the {self.target}, {self.magnitude:g} {self.unit} for {self.duration:g} s"
        return f"not injected: {what} ({self.refused})" if self.refused else f"injected: {what}"


@dataclass(frozen=True, slots=True)
class SeenException:
    """What the exception monitor told, and when: seconds since the task began."""

    seconds: float
    exception: ActionException


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. Everything is in seconds since its task began; events are the supervisor's, in their order."""

    report: TaskReport
    moments: tuple[Moment, ...]
    events: tuple[TaskEvent, ...]
    exceptions: tuple[SeenException, ...] = ()
    injection: Injection | None = None

    @property
    def seconds(self) -> float:
        """How long there is anything to show."""
        return max([self.report.seconds, *(event.seconds for event in self.events)])


@dataclass(frozen=True, slots=True)
class DemoRecord:
    """Everything a demo page shows.

    direct, ams: the two runs. contexts_before: contexts in the pool when the run with AMS began; None where no pool
    answered. film: an H.264 mp4 of both, whose time is that of the tasks. settings: what was run with, by name.
    """

    direct: RunRecord
    ams: RunRecord
    contexts_before: int | None
    film: bytes | None
    settings: Mapping[str, str]

    def to_json(self) -> str:
        """All of it but the film, readable by people and programs."""
        told = asdict(replace(self, film=None, settings=dict(self.settings)))
        del told["film"]
        return json.dumps(told, indent=1, default=_plain) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.name.lower() if isinstance(value.value, int) else value.value
    raise TypeError(f"{type(value).__name__} has no JSON form")


@dataclass
class RunLog:
    """Takes down a running task on the wall clock; implements task_run.TaskListener.

    The supervisor's lines carry seconds since the task began. What else is heard is put on the same axis by the line
    that was on its way for the shortest time.
    """

    _heard: list[tuple[float, Score | TaskStatus | TaskEvent | ActionException]] = field(default_factory=list)

    def begun(self, instruction: str, score: Score | None) -> None:
        """The scene stands."""
        if score is not None:
            self._hear(score)

    def scored(self, score: Score) -> None:
        """The simulator was asked again."""
        self._hear(score)

    def moved_on(self, status: TaskStatus) -> None:
        """The supervisor told where it is."""
        self._hear(status)

    def happened(self, event: TaskEvent) -> None:
        """The supervisor told a line of the timeline."""
        self._hear(event)

    def excepted(self, exception: ActionException) -> None:
        """The exception monitor told what it saw and did."""
        self._hear(exception)

    def _hear(self, what: Score | TaskStatus | TaskEvent | ActionException) -> None:
        self._heard.append((time.monotonic(), what))

    @property
    def began(self) -> float | None:
        """When the task began, on the steady clock; None when nothing was heard of it."""
        lines = [at - what.seconds for at, what in self._heard if isinstance(what, TaskEvent)]
        states = [at for at, what in self._heard if isinstance(what, TaskStatus)]
        return min(lines, default=min(states, default=None))

    def record(self, report: TaskReport, injection: Injection | None = None) -> RunRecord:
        """All that was heard, now that the run is over. injection: its seconds are still on the steady clock."""
        began = self.began if self.began is not None else time.monotonic()
        events = tuple(what for _, what in self._heard if isinstance(what, TaskEvent))
        exceptions = tuple(
            SeenException(max(at - began, 0.0), what) for at, what in self._heard if isinstance(what, ActionException)
        )
        if injection is not None:
            injection = replace(injection, seconds=max(injection.seconds - began, 0.0))
        return RunRecord(report, self._moments(began, report, injection), events, exceptions, injection)

    def _moments(self, began: float, report: TaskReport, injection: Injection | None) -> tuple[Moment, ...]:
        moments = [Moment(0.0)]
        heard: list[tuple[float, object]] = [(max(at - began, 0.0), what) for at, what in self._heard]
        if injection is not None:
            heard = sorted([*heard, (injection.seconds, injection)], key=lambda line: line[0])
        for seconds, what in heard:
            moments.append(replace(_after(moments[-1], what), seconds=max(seconds, moments[-1].seconds)))
        moments.append(replace(moments[-1], step=report.steps, placed=report.placed, last=f"ended: {report.message}"))
        return tuple(moments)


def _after(before: Moment, what: object) -> Moment:
    if isinstance(what, Score):
        return replace(before, placed=what.placed)
    if isinstance(what, TaskStatus):
        return replace(before, step=what.step) if what.phase is not Phase.ENDED else before
    if isinstance(what, TaskEvent):
        last = short(what)
        return replace(before, step=what.step, attempt=what.attempt, last=before.last if last is None else last)
    if isinstance(what, ActionException):
        return replace(before, last=told(what).partition(";")[0])
    if isinstance(what, Injection):
        return replace(before, last=what.sentence())
    raise TypeError(f"{type(what).__name__} is nothing that is heard of a run")


_SAID = {
    EventKind.RECOVERED: "recovered",
    EventKind.JOB: "job seen done",
    EventKind.REPLAY: "replay",
    EventKind.RETURNED: "returned",
    EventKind.ENDED: "ended",
}


def short(event: TaskEvent) -> str | None:
    """The event in a few words; None for a slice like many others."""
    if event.kind is EventKind.SLICE:
        guide = event.reuse.guided_episode if event.reuse is not None else ""
        begun = f"guided by attempt {attempt_of(guide)}" if guide else "from noise"
        return None if event.slice else begun
    if event.kind is EventKind.EXCEPTION:
        return event.message.partition(";")[0]
    return f"{_SAID[event.kind]}: {event.message}"


def attempt_of(episode: str) -> str:
    """What a person calls the attempt whose contexts lie under `episode`: its number from 1, else the episode."""
    number = episode.rpartition(".")[2]
    return str(int(number) + 1) if number.isdecimal() else episode
