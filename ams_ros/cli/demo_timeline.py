"""The timeline of a run as inline SVG: one lane for each kind of thing that happens; classes carry the colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ams_ros.cli.demo_record import RunRecord, SeenException, attempt_of
from ams_ros.types import EventKind, Mode, ReuseReport, TaskEvent

WIDTH = 1000
LEFT, RIGHT = 104, 12
LANE = 30
TIERS = ("process", "host", "disk")
_BAR = 20
_LEAST = 1.5
"""px; what is shorter would not be seen."""
_ROOM = 7.0
"""px that a letter takes."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that lasts from `begin` to `end` (s); text is written into it where it fits, tip is its tooltip."""

    begin: float
    end: float
    kind: str
    tip: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """Bars under one name."""

    name: str
    bars: tuple[Bar, ...]


def lanes_of(run: RunRecord) -> tuple[Lane, ...]:
    """What happened in a run, lane by lane; a lane without anything in it is left out."""
    lanes = (
        Lane("attempts", _attempts(run) if Mode(run.report.mode).replayed else ()),
        Lane("slices", _slices(run)),
        Lane("guided by", _guidance(run)),
        Lane("pool", _tiers(run)),
        Lane("fault", _fault(run)),
        Lane("exceptions", _exceptions(run)),
        Lane("recovery", _recoveries(run)),
        Lane("jobs done", _jobs(run)),
        Lane("replay", _spans(run, EventKind.REPLAY, EventKind.RETURNED, "replay")),
    )
    return tuple(lane for lane in lanes if lane.bars)


def timeline(run: RunRecord, seconds: float) -> str:
    """The lanes over a common time axis of `seconds`."""
    lanes = lanes_of(run)
    if not lanes:
        return '<p class="missing">The supervisor told nothing of this run.</p>'
    scale = _Scale(max(seconds, 1e-3))
    bottom = LANE * len(lanes) + 6
    drawn = list(scale.axis(bottom))
    for row, lane in enumerate(lanes):
        top = LANE * row + 6
        drawn.append(f'<text class="label" x="0" y="{top + 15}">{escape(lane.name)}</text>')
        drawn.append(f'<line class="grid" x1="{LEFT}" y1="{top + 25}" x2="{WIDTH - RIGHT}" y2="{top + 25}"/>')
        drawn += [_drawn(bar, scale, top) for bar in lane.bars]
    height = bottom + 26
    drawn.append(f'<line class="playhead" x1="{LEFT}" y1="0" x2="{LEFT}" y2="{bottom}"/>')
    body = "\n".join(drawn)
    label = f"Timeline of the run in mode {run.report.mode}"
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">\n{body}\n</svg>'


# The lanes.


def _attempts(run: RunRecord) -> tuple[Bar, ...]:
    bars = []
    for number in dict.fromkeys(event.attempt for event in run.events):
        events = [event for event in run.events if event.attempt == number and event.kind is not EventKind.RETURNED]
        if not events:
            continue
        over = next((event for event in events if event.kind in (EventKind.REPLAY, EventKind.ENDED)), events[-1])
        tip = f"attempt {number + 1}: steps {events[0].step} to {over.step}, {over.message}"
        bars.append(Bar(events[0].seconds, over.seconds, "attempt", tip, str(number + 1)))
    return tuple(bars)


def _slices(run: RunRecord) -> tuple[Bar, ...]:
    bars = []
    for index, event in enumerate(run.events):
        if event.kind is EventKind.SLICE:
            then = next(iter(run.events[index + 1 :]), event)
            tip = f"slice {event.slice + 1} of attempt {event.attempt + 1}: {start_of(event)}"
            tip = f"{tip}; {then.step - event.step} steps run before the next event"
            bars.append(Bar(event.seconds, then.seconds, origin_of(event.reuse), tip))
    return tuple(bars)


def _guidance(run: RunRecord) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    for event in run.events:
        if event.kind is EventKind.SLICE and event.slice == 0 and event.reuse is not None and event.reuse.guided_by:
            others = [each.seconds for each in run.events if each.attempt == event.attempt]
            bars.append(Bar(event.seconds, max(others), "guide", start_of(event), guide_of(event.reuse)))
    return tuple(bars)


def _tiers(run: RunRecord) -> tuple[Bar, ...]:
    bars = []
    for index, event in enumerate(run.events):
        if event.reuse is not None and event.reuse.tiers:
            then = next(iter(run.events[index + 1 :]), event)
            slowest = max(event.reuse.tiers, key=lambda tier: TIERS.index(tier) if tier in TIERS else len(TIERS))
            tip = f"slice {event.slice + 1} of attempt {event.attempt + 1}: {reused_of(event.reuse)}"
            bars.append(Bar(event.seconds, then.seconds, f"tier {slowest}", tip))
    return tuple(bars)


def _fault(run: RunRecord) -> tuple[Bar, ...]:
    injection = run.injection
    if injection is None or injection.refused:
        return ()
    tip = f"{injection.sentence()}, at step {injection.step}"
    return (Bar(injection.seconds, injection.seconds + injection.duration, "fault", tip),)


def _exceptions(run: RunRecord) -> tuple[Bar, ...]:
    return tuple(Bar(seen.seconds, seen.seconds, "exception", exception_tip(seen)) for seen in run.exceptions)


def _recoveries(run: RunRecord) -> tuple[Bar, ...]:
    """In modes without recovery an exception ends the task instead."""
    if not Mode(run.report.mode).guarded:
        return ()
    return _spans(run, EventKind.EXCEPTION, EventKind.RECOVERED, "recovery")


def _jobs(run: RunRecord) -> tuple[Bar, ...]:
    jobs = [event for event in run.events if event.kind is EventKind.JOB]
    return tuple(
        Bar(event.seconds, event.seconds, "job", f"job {number} seen done at step {event.step}: {event.message}")
        for number, event in enumerate(jobs, 1)
    )


def _spans(run: RunRecord, begin: EventKind, end: EventKind, kind: str) -> tuple[Bar, ...]:
    """From each event of kind `begin` to the next one of kind `end`, or to whatever ends it before."""
    bars = []
    for index, event in enumerate(run.events):
        if event.kind is begin:
            over = (end, begin, EventKind.SLICE, EventKind.ENDED)
            then = next((each for each in run.events[index + 1 :] if each.kind in over), event)
            told = f"; {then.message}" if then.kind is end else ""
            lasted = f"{then.seconds - event.seconds:.2f} s, {then.step - event.step} steps"
            bars.append(Bar(event.seconds, then.seconds, kind, f"{event.message}{told} ({lasted})"))
    return tuple(bars)


# Words that the page's tables use as well.


def origin_of(reuse: ReuseReport | None) -> str:
    """What a slice came from: guided, reused (something of it), or noise alone."""
    if reuse is None:
        return "noise"
    if reuse.guided_by:
        return "guided"
    return "reused" if reuse.tiers else "noise"


def guide_of(reuse: ReuseReport) -> str:
    """Which attempt guided, and how similar its beginning was."""
    return f"attempt {attempt_of(reuse.guided_episode)}, similarity {reuse.similarity:.3f}"


def start_of(event: TaskEvent) -> str:
    """Where the denoising of a slice began."""
    reuse = event.reuse
    if reuse is None or not reuse.guided_by:
        return "from noise"
    return f"guided by {guide_of(reuse)}, from flow time {reuse.start_time:g}"


def reused_of(reuse: ReuseReport) -> str:
    """What came from the pool, from which tiers, and how large it was."""
    counts = [f"{reuse.tiers.count(tier)} from {tier}" for tier in dict.fromkeys(reuse.tiers)]
    return f"{', '.join(counts)}; {reuse.bytes_reused:,} bytes" if counts else "nothing"


def exception_tip(seen: SeenException) -> str:
    """What the monitor saw, by which rung it stopped the arm, and how long that took."""
    exception = seen.exception
    kind = exception.kind.name.lower().replace("_", " ")
    stop = f"stop by {exception.stage.value}, asked for {milliseconds(exception.detection_seconds)} after the sample"
    rest = f"at rest {milliseconds(exception.rest_seconds)} after that"
    return f"exception {exception.number}, {kind} ({exception.rule}): {exception.message}; {stop}, {rest}"


def milliseconds(seconds: float) -> str:
    """A time of the stop, which is negative when there was none."""
    return f"{1000.0 * seconds:.1f} ms" if seconds >= 0.0 else "never"


# Drawing.


class _Scale:
    """Seconds to horizontal pixels."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def x(self, second: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(second / self.seconds, 0.0), 1.0)

    def axis(self, top: float) -> list[str]:
        step = _round_step(self.seconds, 10)
        drawn = [f'<line class="axis" x1="{LEFT}" y1="{top}" x2="{WIDTH - RIGHT}" y2="{top}"/>']
        for index in range(math.floor(self.seconds / step + 1e-9) + 1):
            x = self.x(index * step)
            drawn.append(f'<line class="axis" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + 4}"/>')
            drawn.append(f'<text class="tick middle" x="{x:.1f}" y="{top + 18}">{index * step:g} s</text>')
        return drawn


def _drawn(bar: Bar, scale: _Scale, top: float) -> str:
    begin, end = scale.x(bar.begin), scale.x(bar.end)
    tip = f"<title>{escape(f'{bar.begin:.2f} s: {bar.tip}')}</title>"
    if bar.kind in ("exception", "job"):
        x = min(max(begin, LEFT + 5.0), WIDTH - RIGHT - 5.0)
        return f'<circle class="{bar.kind}" cx="{x:.1f}" cy="{top + _BAR / 2}" r="7">{tip}</circle>'
    width = max(end - begin, _LEAST)
    drawn = (
        f'<rect class="{escape(bar.kind)}" x="{begin:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2">'
        f"{tip}</rect>"
    )
    if bar.text and len(bar.text) * _ROOM <= width:
        drawn += f'<text class="inside" x="{begin + 5:.1f}" y="{top + 14}">{escape(bar.text)}</text>'
    return drawn


def _round_step(span: float, most: int) -> float:
    """The smallest 1, 2 or 5 times a power of ten that divides `span` into at most `most` parts."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most)


def legend(lanes: Sequence[Lane]) -> tuple[str, ...]:
    """The classes of the bars that a legend has to explain, in the order of the lanes."""
    return tuple(dict.fromkeys(bar.kind for lane in lanes for bar in lane.bars if lane.name in ("slices", "pool")))
