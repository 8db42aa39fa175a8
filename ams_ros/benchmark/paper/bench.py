"""The paper's experiments from the plan to the pages."""

from __future__ import annotations

import json
from collections.abc import Callable

from ams_ros.benchmark.paper.catalogue import find_figures
from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.cell_runner import CellRunner, Progress, read_checkpoints
from ams_ros.benchmark.paper.cell_store import CellStore
from ams_ros.benchmark.paper.drawing import draw
from ams_ros.benchmark.paper.finding import Finding
from ams_ros.benchmark.paper.markdown import PAGE, page
from ams_ros.benchmark.paper.plan import Plan, make_plan
from ams_ros.benchmark.paper.request import PaperRequest


class PaperBench:
    """One run of `ams bench paper`."""

    def __init__(self, request: PaperRequest, notice: Callable[[str], None]) -> None:
        """notice: told in one line what cannot be used of an earlier run, and what is left out.

        Raises ConfigurationError for an unknown figure, CheckpointError for a checkpoint that is not there.
        """
        self._request, self._notice = request, notice
        self._figures = find_figures(request.figures)
        self._checkpoints = read_checkpoints(request.policies)
        self._store = CellStore(request.folder, notice)
        self.cells: tuple[Cell, ...] = tuple(
            dict.fromkeys(cell for figure in self._figures for cell in figure.cells(request))
        )

    def plan(self) -> Plan:
        """What is to be run, and how long that takes."""
        hashes = self._checkpoints.hashes
        plan = make_plan(
            self.cells,
            self._request.episodes,
            self._request.workers,
            lambda cell: self._store.read(cell, hashes[cell.policy]),
        )
        if self._store.by_other_code:
            names = ", ".join(sorted(self._store.by_other_code))
            self._notice(f"run by other code than this and kept; remove their files to run them again: {names}")
        return plan

    def run(self, progress: Progress) -> tuple[Finding, ...]:
        """Run what is missing, then write every figure: JSON, PNG, and all tables together as one page."""
        request = self._request
        runner = CellRunner(request.folder, self._checkpoints, self._store, request.workers)
        reports = runner.run(self.cells, request.episodes, progress)
        findings = []
        for figure in self._figures:
            finding = figure.make(request, reports)
            if finding is None:
                self._notice(f"{figure.name} ({figure.paper}): left out, nothing to tell it from")
                continue
            self._write(finding)
            findings.append(finding)
        (request.folder / PAGE).write_text(page(findings, request), encoding="utf-8")
        return tuple(findings)

    def _write(self, finding: Finding) -> None:
        content = {"figure": finding.name, "title": finding.title, **finding.figures}
        path = self._request.folder / f"{finding.name}.json"
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        if finding.charts:
            draw(finding.charts, self._request.folder / f"{finding.name}.png")
