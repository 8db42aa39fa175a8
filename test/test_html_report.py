"""The page of a demonstration: everything in one file, and what it shows is what happened."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

from ams_ros.cli.demo_page import demo_page
from ams_ros.cli.demo_record import DemoRecord, JointTrace, PhaseLog, PhaseSpan
from ams_ros.cli.task_report import TaskReport
from ams_ros.types import Phase, TaskStatus

NAMES = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "left_finger")
VOID = {"meta", "link", "br", "img", "line", "rect", "polyline"}

REPORT = TaskReport(
    task="cubes",
    instruction="put the cubes in the bowl",
    mode="direct",
    seed=7,
    objects=1,
    success=True,
    placed=1,
    steps=80,
    inferences=10,
    exceptions=0,
    replays=0,
    seconds=5.0,
    policy_seconds=0.5,
    outcome="at_rest",
    message="the policy has come to rest",
)


def spans() -> tuple[PhaseSpan, ...]:
    pairs = []
    for index in range(10):
        begin = 0.5 * index
        pairs.append(PhaseSpan("inferring", index + 1, 8 * index, begin, begin + 0.05))
        pairs.append(PhaseSpan("executing", index + 1, 8 * index, begin + 0.05, begin + 0.5))
    return tuple(pairs)


def trace() -> JointTrace:
    times = tuple(0.05 * index for index in range(100))
    rows = tuple((*(math.sin(at + joint) for joint in range(6)), 0.02) for at in times)
    return JointTrace(NAMES, times, rows)


def record() -> DemoRecord:
    return DemoRecord(REPORT, spans(), trace(), b"an mp4", 0.4, {"Policy": "cubes", "Machine": "2 cores"})


class Page(HTMLParser):
    """Checks that tags close in order, and keeps what the page would load and show."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.counts: dict[str, int] = {}
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.sources += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_well_formed_and_loads_nothing_from_anywhere() -> None:
    html = demo_page(record())
    page = Page(html)
    assert all(source.startswith("data:") for source in page.sources)
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html


def test_the_film_is_inside_the_page() -> None:
    (source,) = Page(demo_page(record())).sources
    assert base64.b64decode(source.removeprefix("data:video/mp4;base64,")) == b"an mp4"


def test_a_page_without_film_says_so() -> None:
    page = Page(demo_page(replace(record(), video=None)))
    assert "No video was made" in page.text
    assert "video" not in page.counts


def test_success_and_failure_are_told_as_they_were() -> None:
    assert 'class="verdict good">success<' in demo_page(record())
    failed = replace(record(), report=replace(REPORT, success=False, placed=0))
    html = demo_page(failed)
    assert 'class="verdict bad">no success<' in html
    assert "0 of 1 placed" in html


def test_every_phase_of_every_slice_is_drawn_with_its_duration() -> None:
    html = demo_page(record())
    assert len(re.findall(r'<rect class="inferring', html)) == 10
    assert len(re.findall(r'<rect class="executing', html)) == 10
    assert "slice 1: executing 450 ms, from step 0" in html


def test_the_table_pairs_each_inference_with_the_slice_it_gave() -> None:
    html = demo_page(record())
    assert "<tr><td>1</td><td>0</td><td>50</td><td>450</td></tr>" in html
    assert "<tr><td>10</td><td>72</td><td>50</td><td>450</td></tr>" in html


def test_all_joints_are_drawn_and_named() -> None:
    page = Page(demo_page(record()))
    assert page.counts["polyline"] == len(NAMES)
    for name in NAMES:
        assert name in page.text


def test_a_run_without_joint_states_still_has_a_page() -> None:
    page = Page(demo_page(replace(record(), joints=JointTrace((), (), ()))))
    assert "No joint states were received" in page.text


def test_texts_from_outside_cannot_break_the_page() -> None:
    nasty = replace(REPORT, instruction="</title><script>alert(1)</script> $title", message="<b>")
    html = demo_page(replace(record(), report=nasty))
    Page(html)
    assert "<script>alert" not in html
    assert "<b>" not in html


def test_a_task_that_ended_at_once_still_has_a_page() -> None:
    ended = replace(REPORT, seconds=0.0, policy_seconds=0.0, steps=0, inferences=0, success=False, outcome="failed")
    Page(demo_page(replace(record(), report=ended, spans=())))


def test_the_phase_log_closes_each_phase_where_the_next_begins_and_counts_slices_from_one() -> None:
    log = PhaseLog()
    for phase, step, slice_index in (("inferring", 0, 0), ("executing", 0, 1), ("inferring", 8, 1), ("ended", 8, 1)):
        log.moved_on(TaskStatus(Phase(phase), step, slice_index))
    assert [(span.phase, span.slice, span.step) for span in log.spans] == [
        ("inferring", 1, 0),
        ("executing", 1, 0),
        ("inferring", 2, 8),
    ]
    assert log.spans[0].begin == 0.0
    assert [span.end for span in log.spans[:-1]] == [span.begin for span in log.spans[1:]]
