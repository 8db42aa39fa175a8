"""One self-contained HTML page that tells how a demonstration went; it loads nothing from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template

from ams_ros.cli.demo_charts import LEFT, RIGHT, WIDTH, gripper_plot, joint_plot, timeline
from ams_ros.cli.demo_record import DemoRecord, PhaseSpan
from ams_ros.cli.task_report import TaskReport

TEMPLATE = Path(__file__).with_name("demo_page.html")


def demo_page(record: DemoRecord) -> str:
    """The page's HTML."""
    report = record.report
    seconds = max([span.end for span in record.spans] + [report.seconds])
    verdict = "success" if report.success else "no success"
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"“{report.instruction}”"),
        verdict=verdict,
        verdict_class="good" if report.success else "bad",
        sentence=escape(report.sentence()),
        seconds=f"{seconds:.3f}",
        video_begin=f"{record.video_begin:.3f}",
        left=LEFT,
        span=WIDTH - LEFT - RIGHT,
        video=_video(record.video),
        result_rows=_rows(_result(report)),
        timeline=timeline(record.spans, seconds),
        slice_rows=_slice_rows(record.spans),
        joints=joint_plot(record.joints, seconds),
        legend=_legend(record.joints.names[:-1]),
        gripper=gripper_plot(record.joints, seconds),
        settings_rows=_rows(record.settings.items()),
    )


def _video(video: bytes | None) -> str:
    if video is None:
        return '<p class="missing">No video was made.</p>'
    source = base64.b64encode(video).decode("ascii")
    return f'<video controls muted autoplay loop playsinline src="data:video/mp4;base64,{source}"></video>'


def _result(report: TaskReport) -> list[tuple[str, str]]:
    placed = "unknown" if report.placed is None else f"{report.placed} of {report.objects}"
    share = report.policy_seconds / report.seconds if report.seconds > 0 else 0.0
    return [
        ("Objects placed", placed),
        ("Ended as", f"{report.outcome}: {report.message}"),
        ("Steps", str(report.steps)),
        ("Inferences", str(report.inferences)),
        ("Exceptions", str(report.exceptions)),
        ("Replays", str(report.replays)),
        ("Time", f"{report.seconds:.1f} s"),
        ("Waiting for the policy", f"{report.policy_seconds:.1f} s ({share:.0%})"),
    ]


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs)


def _slice_rows(spans: Iterable[PhaseSpan]) -> str:
    executing: dict[int, PhaseSpan] = {}
    inferring: list[PhaseSpan] = []
    for span in spans:
        if span.phase == "executing":
            executing[span.slice] = span
        elif span.phase == "inferring":
            inferring.append(span)
    rows = []
    for span in inferring:
        ran = executing.get(span.slice)
        took = f"{ran.seconds * 1000:.0f}" if ran else "-"
        rows.append(
            f"<tr><td>{span.slice}</td><td>{span.step}</td><td>{span.seconds * 1000:.0f}</td><td>{took}</td></tr>"
        )
    return "".join(rows)


def _legend(names: Iterable[str]) -> str:
    return "".join(
        f'<li><svg viewBox="0 0 18 8"><line class="line joint{index}" x1="0" y1="4" x2="18" y2="4"/></svg>'
        f"{escape(name)}</li>"
        for index, name in enumerate(names)
    )
