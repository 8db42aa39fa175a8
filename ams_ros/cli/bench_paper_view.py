"""What `ams bench paper` prints."""

from __future__ import annotations

from pathlib import Path

from ams_ros.benchmark.paper.finding import Finding
from ams_ros.benchmark.paper.plan import Plan
from ams_ros.cli.output import console, figure_table, print_table


def show_plan(plan: Plan) -> None:
    """Every cell with what is missing of it, and the time all take together."""
    table = figure_table("cell", "missing", "s each", "", "cap")
    for each in plan.cells:
        known = "measured" if each.measured else "guessed"
        table.add_row(each.cell.name, str(each.missing), f"{each.seconds:.1f}", known, str(each.cell.cap))
    print_table(table)
    console().print(
        f"{plan.episodes} episodes to run with {plan.workers} workers: some {plan.seconds / 60.0:.0f} minutes, "
        "as long as nothing else runs here"
    )


def show_findings(findings: tuple[Finding, ...], folder: Path) -> None:
    """Every table."""
    for finding in findings:
        console().print(f"\n{finding.title}", markup=False)
        table = figure_table(*finding.columns, wraps=True)
        for row in finding.rows:
            table.add_row(*row)
        print_table(table)
    console().print(f"\nJSON, pictures and results.md lie in {folder}", markup=False)
