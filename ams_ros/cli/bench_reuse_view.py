"""The tables of `ams bench reuse`."""

from __future__ import annotations

from typing import Any

from ams_ros.benchmark.reuse.overhead import OverheadFigures, PairedTimes
from ams_ros.benchmark.reuse.report import Filling, ReuseBenchReport
from ams_ros.benchmark.reuse.stages import StageFigures
from ams_ros.cli.output import console, figure_table, print_table


def show(report: ReuseBenchReport) -> None:
    """Print every part."""
    for name, figures in report.stages.items():
        _show_stages(name, figures)
    _show_overhead(report.overhead)
    _show_filling(report.filling)
    rows = [cell.as_dictionary() for cell in report.cells]
    for scenes in dict.fromkeys(row["scenes"] for row in rows):
        _show_cells(scenes, [row for row in rows if row["scenes"] == scenes])


def _show_filling(filling: Filling) -> None:
    console().print(
        f"Warm starts come from {filling.succeeded} successes in {filling.episodes} scenes of one cube (seeds "
        f"{filling.seeds[0]} to {filling.seeds[1]}), inferred without guidance and labelled by the simulator's truth: "
        f"{filling.contexts} contexts, {filling.bytes / 2**20:.0f} MiB.\n"
    )


def _show_cells(scenes: str, rows: list[dict[str, Any]]) -> None:
    console().print(
        f"{scenes[0].upper()}{scenes[1:]}; each way on the same scenes; x: times direct inference, in pairs"
    )
    table = figure_table(
        *("way to infer", "success", "95 %", "steps", "actions/s", "slice ms", "x", "first ms", "x"),
        *("vision", "prefix", "saved ms"),
        wraps=True,
    )
    for row in rows:
        table.add_row(*_cell_row(row))
    print_table(table)
    console().print("")


def _cell_row(row: dict[str, Any]) -> list[str]:
    times, special, reuse = row["slice"], row["special_slices"], row["reuse"]
    low, high = row["ci95"]
    return [
        row["cell"],
        f"{row['successes']}/{row['episodes']}",
        f"{low * 100:.0f}-{high * 100:.0f}",
        f"{row['steps_mean_capped']:.0f}",
        f"{row['actions_per_policy_second']:.0f}",
        f"{times['ms_median']:.1f}",
        _number(times["ratio_to_direct"]),
        _number(special and special["ms_median"], 1),
        _number(special and special["ratio_to_direct"]),
        f"{reuse['vision_exact'] + reuse['vision_approximate']:.0%}",
        f"{reuse['prefix_exact'] + reuse['prefix_approximate']:.0%}",
        f"{reuse['saved_ms_per_slice']:.2f}",
    ]


def _show_overhead(figures: OverheadFigures) -> None:
    console().print(f"Nothing to reuse, {figures.slices} slices: the pool over direct inference, and that over itself")
    table = figure_table(
        *("", "direct ms", "p99", "pool ms", "p99", "ratio", "in pairs", "of p99"),
        *("itself", "in pairs", "of p99"),
        wraps=True,
    )
    for name, times in (("puts between slices", figures.drained), ("no pause for puts", figures.not_drained)):
        table.add_row(name, *_paired_row(times))
    print_table(table)
    console().print(
        f"A put takes {figures.put_cpu_ms_median:.2f} ms of CPU in the background (p99 {figures.put_cpu_ms_p99:.2f}); "
        f"without a pause {figures.not_stored} contexts were not taken.\n"
    )


def _paired_row(times: PairedTimes) -> list[str]:
    milliseconds = (times.direct_ms_median, times.direct_ms_p99, times.context_ms_median, times.context_ms_p99)
    ratios = (times.ratio_median, times.ratio_paired, times.ratio_p99)
    noise = (times.noise_median, times.noise_paired, times.noise_p99)
    return [f"{value:.2f}" for value in milliseconds] + [f"{value:.3f}" for value in (*ratios, *noise)]


def _show_stages(name: str, figures: StageFigures) -> None:
    sizes = figures.sizes
    console().print(
        f"Stages of {name} ({figures.dtype}, {figures.cameras} cameras, {figures.denoising_steps} steps), median ms; "
        f"vision {sizes.vision:,} B a camera, prefix {sizes.prefix:,} B, latents {sizes.latents:,} B, "
        f"output {sizes.output:,} B"
    )
    stages = list(dict.fromkeys(stage for row in figures.rows for stage in row.stages_ms))
    table = figure_table("situation", *stages, "slice", "x direct", "reused bytes", "from", wraps=True)
    for row in figures.rows:
        table.add_row(
            row.situation,
            *(_number(row.stages_ms.get(stage)) for stage in stages),
            f"{row.slice_ms:.2f}",
            f"{row.ratio_to_direct:.3f}",
            f"{row.bytes_reused:,}",
            ", ".join(row.tiers),
        )
    print_table(table)
    shares = ", ".join(f"{stage} {share:.0%}" for stage, share in figures.shares().items())
    console().print(f"Direct inference: {shares}. A put takes {figures.put_ms:.2f} ms in the background.\n")


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
