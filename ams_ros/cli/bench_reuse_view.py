"""The tables of `ams bench reuse`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from ams_ros.benchmark.reuse_overhead import OverheadFigures, PairedTimes
from ams_ros.benchmark.reuse_report import ReuseBenchReport
from ams_ros.benchmark.reuse_stages import StageFigures


def show(report: ReuseBenchReport, out: Console) -> None:
    """Print every part."""
    for name, figures in report.stages.items():
        _show_stages(name, figures, out)
    _show_overhead(report.overhead, out)
    filling = report.filling
    out.print(
        f"Warm starts come from {filling.succeeded} successes in {filling.episodes} scenes of one cube (seeds "
        f"{filling.seeds[0]} to {filling.seeds[1]}), run directly and labelled by the simulator's truth: "
        f"{filling.contexts} contexts, {filling.bytes / 2**20:.0f} MiB."
    )
    rows = [cell.as_dictionary() for cell in report.cells]
    for scenes in dict.fromkeys(row["scenes"] for row in rows):
        _show_cells(scenes, [row for row in rows if row["scenes"] == scenes], out)


def _show_cells(scenes: str, rows: list[dict[str, Any]], out: Console) -> None:
    table = Table(title=scenes, title_justify="left")
    table.add_column("way to infer")
    for name in (
        *("success", "95 %", "steps", "actions/s", "of policy time", "slice ms", "to direct"),
        *("warm or short slices ms", "to direct", "vision", "prefix", "saved ms", "lookup ms"),
    ):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*_cell_row(row))
    out.print(table)


def _cell_row(row: dict[str, Any]) -> list[str]:
    times, special, reuse = row["slice"], row["special_slices"], row["reuse"]
    low, high = row["ci95"]
    return [
        row["cell"],
        f"{row['successes']}/{row['episodes']}",
        f"{low:.0%} to {high:.0%}",
        f"{row['steps_mean_capped']:.0f}",
        f"{row['actions_per_second']:.2f}",
        f"{row['actions_per_policy_second']:.0f}",
        f"{times['ms_median']:.1f}",
        _number(times["ratio_to_direct"]),
        _number(special and special["ms_median"], 1),
        _number(special and special["ratio_to_direct"]),
        f"{reuse['vision_exact'] + reuse['vision_approximate']:.0%}",
        f"{reuse['prefix_exact'] + reuse['prefix_approximate']:.0%}",
        f"{reuse['saved_ms_per_slice']:.2f}",
        f"{reuse['lookup_ms_median']:.2f}",
    ]


def _show_overhead(figures: OverheadFigures, out: Console) -> None:
    table = Table(title="nothing to reuse: the pool over direct inference", title_justify="left")
    table.add_column(f"{figures.slices} slices")
    for name in (
        "direct ms",
        "p99",
        "with pool ms",
        "p99",
        "ratio",
        "in pairs",
        "of p99",
        "noise",
        "in pairs",
        "of p99",
    ):
        table.add_column(name, justify="right")
    for name, times in (("time for puts between slices", figures.drained), ("no pause", figures.not_drained)):
        table.add_row(name, *_paired_row(times))
    out.print(table)
    out.print(
        "Noise is direct inference over itself. "
        f"A put takes {figures.put_cpu_ms_median:.2f} ms of CPU in the background (p99 {figures.put_cpu_ms_p99:.2f}); "
        f"without a pause {figures.not_stored} contexts were not taken."
    )


def _paired_row(times: PairedTimes) -> list[str]:
    milliseconds = (times.direct_ms_median, times.direct_ms_p99, times.context_ms_median, times.context_ms_p99)
    ratios = (times.ratio_median, times.ratio_paired, times.ratio_p99)
    noise = (times.noise_median, times.noise_paired, times.noise_p99)
    return [f"{value:.2f}" for value in milliseconds] + [f"{value:.3f}" for value in (*ratios, *noise)]


def _show_stages(name: str, figures: StageFigures, out: Console) -> None:
    sizes = figures.sizes
    table = Table(
        title=f"{name} ({figures.dtype}, {figures.cameras} cameras, {figures.denoising_steps} steps): "
        f"vision {sizes.vision:,} B a camera, prefix {sizes.prefix:,} B, latents {sizes.latents:,} B, "
        f"output {sizes.output:,} B",
        title_justify="left",
    )
    table.add_column("situation")
    stages = list(dict.fromkeys(stage for row in figures.rows for stage in row.stages_ms))
    for column in (*(f"{stage} ms" for stage in stages), "slice ms", "to direct", "reused", "from"):
        table.add_column(column, justify="right")
    for row in figures.rows:
        table.add_row(
            row.situation,
            *(_number(row.stages_ms.get(stage)) for stage in stages),
            f"{row.slice_ms:.2f}",
            f"{row.ratio_to_direct:.3f}",
            f"{row.bytes_reused:,} B",
            ", ".join(row.tiers),
        )
    out.print(table)
    shares = ", ".join(f"{stage} {share:.0%}" for stage, share in figures.shares().items())
    out.print(f"Direct inference: {shares}. A put takes {figures.put_ms:.2f} ms in the background.")


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
