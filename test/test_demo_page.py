"""The page of a demonstration: everything in one file, and what it shows is what happened."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from demo_runs import EXCEPTION, PUSH, demo_record_of

from ams_ros.cli.demo_page import demo_page, fault_sentence, pool_sentences, summary
from ams_ros.cli.demo_record import DemoRecord, SeenException
from ams_ros.cli.demo_timeline import lanes_of, timeline
from ams_ros.types import EventKind, ReuseReport

VOID = {"meta", "link", "br", "img", "line", "rect", "circle"}


@pytest.fixture
def record(monkeypatch) -> DemoRecord:
    return demo_record_of(monkeypatch)


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


def lane(record: DemoRecord, name: str):
    return next(lane.bars for lane in lanes_of(record.ams) if lane.name == name)


def test_the_page_is_well_formed_and_loads_nothing_from_anywhere(record) -> None:
    html = demo_page(record)
    page = Page(html)
    assert all(source.startswith("data:") for source in page.sources)
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html


def test_the_film_is_inside_the_page(record) -> None:
    (source,) = Page(demo_page(record)).sources
    assert base64.b64decode(source.removeprefix("data:video/mp4;base64,")) == b"an mp4"


def test_a_page_without_film_says_so(record) -> None:
    page = Page(demo_page(replace(record, film=None)))
    assert "No film was made" in page.text
    assert "video" not in page.counts


def test_the_verdict_is_that_of_the_run_with_ams_and_of_the_simulator(record, monkeypatch) -> None:
    assert 'class="verdict good">AMS: success<' in demo_page(record)
    html = demo_page(demo_record_of(monkeypatch, placed=2))
    assert 'class="verdict bad">AMS: no success<' in html
    assert "AMS: 2 of 3 cubes in the bowl" in html


def test_both_runs_are_summed_up_as_they_were(record) -> None:
    direct, ams = summary(record)
    assert direct.startswith("Direct: 1 of 3 cubes in the bowl after ")
    assert ams == f"AMS: 3 of 3 cubes in the bowl after {record.ams.report.steps} steps."


def test_every_slice_is_drawn_by_what_it_started_from(record) -> None:
    slices = [event for event in record.ams.events if event.kind is EventKind.SLICE]
    kinds = [bar.kind for bar in lane(record, "slices")]
    assert len(kinds) == len(slices) >= 9
    assert kinds.count("guided") == sum(bool(event.reuse.guided_by) for event in slices) == 4
    assert timeline(record.ams, 30.0).count('<rect class="guided"') == 4


def test_guidance_names_the_attempt_that_guided_its_similarity_and_the_flow_time(record) -> None:
    tips = [bar.tip for bar in lane(record, "guided by")]
    assert tips[0] == "guided by attempt 1, similarity 0.000, from flow time 1"
    assert len(tips) == 2


def test_the_pool_lane_tells_tiers_and_bytes_and_is_coloured_by_the_slowest(record) -> None:
    reuse = ReuseReport("connected", tiers=("process", "disk"), bytes_reused=123_456)
    events = tuple(
        replace(event, reuse=reuse) if event.kind is EventKind.SLICE and event.slice == 1 else event
        for event in record.ams.events
    )
    found = lane(replace(record, ams=replace(record.ams, events=events)), "pool")
    assert {bar.kind for bar in found} == {"tier disk"}
    assert "1 from process, 1 from disk; 123,456 bytes" in found[0].tip


def test_an_exception_tells_the_rung_that_stopped_it_and_the_milliseconds(record) -> None:
    (bar,) = lane(record, "exceptions")
    assert "stop by cancel, asked for 1.4 ms after the sample, at rest 76.0 ms after that" in bar.tip
    (recovery,) = lane(record, "recovery")
    assert recovery.end - recovery.begin == pytest.approx(2.0)
    page = Page(demo_page(record))
    assert EXCEPTION.message in page.text


def test_jobs_attempts_and_ways_back_are_drawn(record) -> None:
    assert [bar.text for bar in lane(record, "attempts")] == ["1", "2", "3"]
    assert len(lane(record, "jobs done")) == 3
    assert len(lane(record, "replay")) == 2


def test_a_lane_in_which_nothing_happened_is_not_drawn(record) -> None:
    assert [lane.name for lane in lanes_of(record.direct)] == ["slices", "jobs done"]


def test_the_fault_and_the_stop_that_followed_are_told_with_the_time_between(record) -> None:
    seen = record.ams.exceptions[0].seconds - record.ams.injection.seconds
    assert fault_sentence(record.ams).endswith(f"The next stop of the exception monitor came {seen:.2f} s later.")


def test_a_fault_that_nobody_saw_is_told_as_such(record) -> None:
    unseen = replace(record.ams, exceptions=())
    assert fault_sentence(unseen).endswith("The exception monitor stopped nothing after it.")
    before = replace(record.ams, exceptions=(SeenException(0.0, EXCEPTION),))
    assert fault_sentence(before).endswith("The exception monitor stopped nothing after it.")
    watched = (SeenException(9.0, replace(EXCEPTION, acted=False)),)
    assert "stopped nothing" in fault_sentence(replace(record.ams, exceptions=watched))


def test_a_fault_that_was_refused_or_never_came_is_told_as_such(record) -> None:
    refused = replace(record.ams, injection=replace(PUSH, refused="no such target"))
    assert "not injected: push on the hand, 40 N for 0.4 s (no such target)" in fault_sentence(refused)
    assert "fault" not in [lane.name for lane in lanes_of(refused)]
    assert fault_sentence(replace(record.ams, injection=None)).startswith("No fault was injected")


def test_the_page_says_that_the_pool_was_empty_only_when_it_was(record) -> None:
    empty = pool_sentences(record)[0]
    assert "It held 0 contexts when the run with AMS began, so the first attempt started from noise" in empty
    full, counted = pool_sentences(replace(record, contexts_before=12))
    slices = sum(event.kind is EventKind.SLICE for event in record.ams.events)
    assert counted == f"Of {slices} slices 4 were guided, and 0 reused encoded pictures or a prefix."
    assert full == "The demo has a pool of its own. It held 12 contexts when the run with AMS began."
    assert pool_sentences(replace(record, contexts_before=None)) == ("No context pool answered.",)


def test_every_event_stands_in_the_table_below(record) -> None:
    rows = re.findall(r"<tr><td>[\d.]+</td><td>\d+</td><td>\d+</td><td>[\d-]+</td><td>(\w+)</td>", demo_page(record))
    assert rows == [event.kind.value for event in record.ams.events]


def test_a_run_of_which_nothing_was_heard_still_has_a_page(record) -> None:
    deaf = replace(record.ams, events=(), exceptions=(), injection=None)
    page = Page(demo_page(replace(record, ams=deaf, direct=replace(record.direct, events=()))))
    assert "The supervisor told nothing of this run" in page.text


def test_texts_from_outside_cannot_break_the_page(record) -> None:
    nasty = "</title><script>alert(1)</script> $title"
    events = tuple(replace(event, message=nasty) for event in record.ams.events)
    report = replace(record.ams.report, instruction=nasty, message="<b>")
    html = demo_page(replace(record, ams=replace(record.ams, report=report, events=events)))
    Page(html)
    assert "<script>alert" not in html
    assert "<b>" not in html


def test_the_report_holds_both_runs_every_event_and_the_fault(record) -> None:
    told = json.loads(record.to_json())
    assert (told["direct"]["report"]["placed"], told["ams"]["report"]["placed"]) == (1, 3)
    assert [event["kind"] for event in told["ams"]["events"]] == [event.kind.value for event in record.ams.events]
    assert told["ams"]["exceptions"][0]["exception"]["kind"] == "collision"
    assert told["ams"]["injection"]["magnitude"] == 40.0
    assert "film" not in told
