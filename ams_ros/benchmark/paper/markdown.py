"""All findings as one page, in the style of docs/results.md."""

from __future__ import annotations

from collections.abc import Sequence

from ams_ros.benchmark.paper.finding import Finding
from ams_ros.benchmark.paper.request import PaperRequest
from ams_ros.benchmark.request import CAP

PAGE = "results.md"


def page(findings: Sequence[Finding], request: PaperRequest) -> str:
    """The page; every finding with its table and its pictures."""
    policies = ", ".join(f"`{word}`" for word in request.policies)
    lines = [
        "## The paper's experiments",
        "",
        f"{request.episodes} episodes in every cell, seeds 900000 and on, {CAP} steps at most, fixed beforehand. "
        f"Policies: {policies}.",
        "",
        "    ./run ams bench paper --json DIR" + (" --quick" if request.quick else ""),
        "",
    ]
    for finding in findings:
        lines += section(finding)
    return "\n".join(lines)


def section(finding: Finding) -> list[str]:
    """Title, text, table and pictures of one finding."""
    lines = [f"### {finding.title}", ""]
    for paragraph in finding.text:
        lines += [paragraph, ""]
    lines += table(finding.columns, finding.rows)
    pictures = [*finding.pictures, *([f"{finding.name}.png"] if finding.charts else [])]
    for picture in pictures:
        lines += ["", f"![{finding.title}]({picture})"]
    return [*lines, ""]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; what would end a cell is taken out of its text."""
    cleaned = [[cell.replace("|", "/").replace("\n", " ") for cell in row] for row in rows]
    return [
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
        *(f"| {' | '.join(row)} |" for row in cleaned),
    ]
