"""One self-contained HTML page that tells how a demonstration went; it loads nothing from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

from ams_ros.cli.demo_record import DemoRecord, RunRecord
from ams_ros.cli.demo_timeline import (
    LEFT,
    RIGHT,
    WIDTH,
    Lane,
    lanes_of,
    legend,
    milliseconds,
    reused_of,
    start_of,
    timeline,
)
from ams_ros.cli.task_report import TaskReport
from ams_ros.types import EventKind, TaskEvent

TEMPLATE = Path(__file__).with_name("demo_page.html")
_NARROW = 3
"""Columns that fit on a phone; a table of more is scrolled there."""
_ATTEMPT = ("attempt", "from step", "started", "jobs", "exceptions", "ended")
_MEANINGS = {
    "noise": "slice from noise",
    "reused": "slice from noise, something of it reused",
    "guided": "slice guided by a success",
    "tier process": "found in the process",
    "tier host": "found in shared memory",
    "tier disk": "found on disk",
}


def demo_page(record: DemoRecord) -> str:
    """The page's HTML."""
    direct, ams = record.direct, record.ams
    seconds = max(direct.seconds, ams.seconds)
    success = ams.report.exit_code == 0
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"“{ams.report.instruction}”"),
        verdict="AMS: success" if success else "AMS: no success",
        verdict_class="good" if success else "bad",
        sentence=escape(" ".join(summary(record))),
        seconds=f"{seconds:.3f}",
        left=LEFT,
        span=WIDTH - LEFT - RIGHT,
        film=_film(record.film),
        comparison=_table(("", "direct inference", "with AMS"), _comparison(direct.report, ams.report)),
        legend=_legend((*lanes_of(ams), *lanes_of(direct))),
        timeline=timeline(ams, seconds),
        direct_timeline=timeline(direct, seconds),
        fault=escape(fault_sentence(ams)),
        exceptions=_exceptions(ams),
        attempts=_table(
            ("attempt", "from step", "started", "jobs", "exceptions", "ended"),
            [_attempt(ams, k) for k in _numbers(ams)],
        ),
        pool=escape(" ".join(pool_sentences(record))),
        events=_table(("s", "step", "attempt", "slice", "event", ""), [_event(event) for event in ams.events]),
        settings=_table(("", ""), list(record.settings.items())),
    )


def summary(record: DemoRecord) -> tuple[str, ...]:
    """What became of both runs, by the simulator's own judgement."""
    return tuple(
        f"{name}: {_in_the_bowl(run.report)}." for name, run in (("Direct", record.direct), ("AMS", record.ams))
    )


def fault_sentence(run: RunRecord) -> str:
    """What was done to the arm on the way, and whether the monitor stopped it after that."""
    injection = run.injection
    if injection is None:
        return "No fault was injected: the run ended before its time came."
    told = f"{injection.seconds:.1f} s into the run with AMS, at step {injection.step}, {injection.sentence()}."
    if injection.refused:
        return told
    seen = [each for each in run.exceptions if each.exception.acted and each.seconds >= injection.seconds]
    if not seen:
        return f"{told} The exception monitor stopped nothing after it."
    return f"{told} The next stop of the exception monitor came {seen[0].seconds - injection.seconds:.2f} s later."


def pool_sentences(record: DemoRecord) -> tuple[str, ...]:
    """What the pool held before, and what it did meanwhile."""
    if record.contexts_before is None:
        return ("No context pool answered.",)
    begun = f"The demo has a pool of its own. It held {record.contexts_before} contexts when the run with AMS began"
    unguided = next((event for event in record.ams.events if event.kind is EventKind.SLICE), None)
    from_noise = unguided is not None and unguided.reuse is not None and not unguided.reuse.guided_by
    more = ", so the first attempt started from noise, and only successes of this run guide it." if from_noise else "."
    slices = [event.reuse for event in record.ams.events if event.reuse is not None]
    guided, reused = (sum(map(bool, each)) for each in ([r.guided_by for r in slices], [r.tiers for r in slices]))
    counted = f"Of {len(slices)} slices {guided} were guided, and {reused} reused encoded pictures or a prefix."
    used = record.ams.report.pool
    return (begun + (more if record.contexts_before == 0 else "."), counted, *((used.sentence(),) if used else ()))


def _in_the_bowl(report: TaskReport) -> str:
    placed = "unknown" if report.placed is None else str(report.placed)
    return f"{placed} of {report.objects} cubes in the bowl after {report.steps} steps"


def _film(film: bytes | None) -> str:
    if film is None:
        return '<p class="missing">No film was made.</p>'
    source = base64.b64encode(film).decode("ascii")
    return f'<video controls muted autoplay loop playsinline src="data:video/mp4;base64,{source}"></video>'


def _comparison(direct: TaskReport, ams: TaskReport) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (name, before, after) for (name, before), (_, after) in zip(_result(direct), _result(ams), strict=True)
    ]
    if ams.job_steps is not None:
        steps = ", ".join(map(str, ams.job_steps)) or "none"
        rows.append(("Jobs the robot saw done, at step", "not looked for", steps))
    return rows


def _result(report: TaskReport) -> list[tuple[str, str]]:
    placed = "unknown" if report.placed is None else f"{report.placed} of {report.objects}"
    return [
        ("Cubes in the bowl, says the simulator", placed),
        ("Success", {True: "yes", False: "no", None: "unknown"}[report.success]),
        ("Ended as", f"{report.outcome}: {report.message.partition(';')[0]}"),
        ("Steps", str(report.steps)),
        ("Time", f"{report.seconds:.1f} s"),
        ("Inferences", f"{report.inferences}, {report.policy_seconds:.1f} s in all"),
        ("Exceptions", str(report.exceptions)),
        ("Returns to the start pose", str(report.replays)),
    ]


def _exceptions(run: RunRecord) -> str:
    if not run.exceptions:
        return '<p class="missing">The exception monitor told of none.</p>'
    head = ("s", "no.", "kind", "rule", "what", "stopped by", "sample to stop request", "to answer", "to rest")
    rows = []
    for seen in run.exceptions:
        one = seen.exception
        stage = one.stage.value if one.acted else "nothing was stopped"
        times = [milliseconds(each) for each in (one.detection_seconds, one.acknowledge_seconds, one.rest_seconds)]
        kind = one.kind.name.lower().replace("_", " ")
        rows.append((f"{seen.seconds:.2f}", str(one.number), kind, one.rule, one.message, stage, *times))
    return _table(head, rows)


def _numbers(run: RunRecord) -> list[int]:
    return list(dict.fromkeys(event.attempt for event in run.events if event.kind is EventKind.SLICE))


def _attempt(run: RunRecord, number: int) -> tuple[str, ...]:
    events = [event for event in run.events if event.attempt == number]
    begun = next(event for event in events if event.kind is EventKind.SLICE)
    over = next((event.message for event in events if event.kind in (EventKind.REPLAY, EventKind.ENDED)), "-")
    over = over.partition(";")[0]
    counts = [str(sum(event.kind is kind for event in events)) for kind in (EventKind.JOB, EventKind.EXCEPTION)]
    return (str(number + 1), str(begun.step), start_of(begun), *counts, over)


def _event(event: TaskEvent) -> tuple[str, ...]:
    told = event.message
    if event.kind is EventKind.SLICE and event.reuse is not None:
        told = f"{start_of(event)}; from the pool: {reused_of(event.reuse)}"
        told += f"; {event.reuse.message}" if event.reuse.message else ""
    number = str(event.slice + 1) if event.slice >= 0 else "-"
    return (f"{event.seconds:.2f}", str(event.step), str(event.attempt + 1), number, event.kind.value, told)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head) if any(head) else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row)}</tr>" for row in rows)
    many = ' class="many"' if len(head) > _NARROW else ""
    return f'<div class="wide"><table{many}>{f"<tr>{top}</tr>" if top else ""}{body}</table></div>'


def _legend(lanes: Sequence[Lane]) -> str:
    kinds = legend(lanes)
    return "".join(
        f'<li><svg viewBox="0 0 14 14"><rect class="{escape(kind)}" width="14" height="14" rx="2"/></svg>'
        f"{escape(_MEANINGS.get(kind, kind))}</li>"
        for kind in kinds
    )
