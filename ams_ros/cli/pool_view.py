"""Contexts and figures of a pool as tables for people, or as JSON for programs."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, is_dataclass
from typing import Any

from rich.console import JustifyMethod
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from ams_ros.cli.output import console, print_table
from ams_ros.cli.pool_access import ContextRow, Imported, Listing, Verified

NUMBERS = ("slice", "size", "cost", "reads")
OUTCOME_STYLES = {"succeeded": "green", "failed": "red"}


def print_json(content: Any) -> None:
    """Write JSON to stdout and nothing else."""
    plain = asdict(content) if is_dataclass(content) and not isinstance(content, type) else content
    print(json.dumps(plain, indent=2))


def show_listing(listing: Listing, offset: int) -> None:
    """A table of contexts."""
    if not listing.contexts:
        console().print("No contexts." if not listing.total else f"No more than {listing.total} contexts.")
        return
    table = _table("context", "episode", "slice", "outcome", "pinned", "created", "guided by", "instruction")
    for row in listing.contexts:
        table.add_row(
            row.context_id,
            row.episode or "-",
            str(row.index),
            _outcome(row.outcome),
            "yes" if row.pinned else "",
            _when(row.created),
            row.guided_by or "-",
            Text(row.instruction),
        )
    print_table(table)
    last = offset + len(listing.contexts)
    if listing.total > len(listing.contexts):
        console().print(f"{offset + 1} to {last} of {listing.total}; --offset {last} goes on.")


def show_context(row: ContextRow) -> None:
    """Everything about one context, and a table of its vectors."""
    facts = Table.grid(padding=(0, 2))
    joints = " ".join(f"{joint:.3f}" for joint in row.joints)
    guidance = f"{row.guided_by} at flow time {row.start_time:g}" if row.guided_by else "noise"
    rows: list[tuple[str, str | Text]] = [
        ("context", row.context_id),
        ("episode", f"{row.episode}, slice {row.index}" if row.episode else "-"),
        ("instruction", row.instruction),
        ("outcome", _outcome(row.outcome)),
        ("pinned", "yes" if row.pinned else "no"),
        ("created", _when(row.created)),
        ("started from", guidance),
        ("seed", str(row.seed)),
        ("joints", f"{joints} rad, gripper {row.gripper:.4f} m"),
        ("model", _plain(row.model["model_id"])),
        *((f"  {key}", _plain(value)) for key, value in row.model.items() if key != "model_id"),
    ]
    for name, value in rows:
        facts.add_row(name, value if isinstance(value, Text) else Text(value))
    print_table(facts)
    table = _table("vector", "name", "shape", "type", "size", "cost", "reads", "tier")
    for vector in row.vectors:
        shape = " x ".join(map(str, vector.shape))
        size, cost = decimal(vector.nbytes), f"{vector.cost * 1e3:.2f} ms"
        table.add_row(
            vector.kind, vector.name or "-", shape, vector.dtype, size, cost, str(vector.accesses), vector.tier
        )
    table.add_section()
    table.add_row("all", "", "", "", decimal(sum(vector.nbytes for vector in row.vectors)))
    print_table(table)


def show_stats(stats: dict[str, int | str]) -> None:
    """Figures of a pool, bytes against their budgets."""
    table = Table.grid(padding=(0, 2))
    for name, value in stats.items():
        if name.endswith("_budget"):
            continue
        label = name.replace("_", " ")
        if not name.endswith("_bytes"):
            table.add_row(label, str(value))
            continue
        budget = stats.get(name.replace("_bytes", "_budget"))
        full = f" of {decimal(int(budget))} ({int(value) / int(budget):.0%})" if budget else ""
        table.add_row(label.removesuffix(" bytes"), decimal(int(value)) + full)
    found, asked = int(stats.get("hits", 0)), int(stats.get("hits", 0)) + int(stats.get("misses", 0))
    if asked:
        table.add_row("hit rate", f"{found / asked:.1%}")
    if stats.get("stored_bytes"):
        table.add_row("stored once", f"{int(stats['logical_bytes']) / int(stats['stored_bytes']):.2f} times smaller")
    print_table(table)


def show_verified(verified: Verified) -> None:
    """One line for each damaged entry, then the sum."""
    for line in verified.details:
        console().print(Text(line, "red"))
    read = f"Read {verified.vectors} vectors of {verified.contexts} contexts on disk"
    console().print(f"{read}: {verified.damaged} damaged and removed." if verified.damaged else f"{read}: all sound.")


def show_imported(imported: Imported) -> None:
    """What was taken, and what was skipped and why."""
    if imported.message:
        console().print(Text(imported.message, "red" if imported.skipped else ""))
    console().print(
        f"Took {imported.contexts} contexts, {imported.known} were known, {imported.skipped} skipped as damaged."
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        justify: JustifyMethod = "right" if column in NUMBERS else "left"
        table.add_column(column, no_wrap=column != "instruction", overflow="fold", justify=justify)
    return table


def _outcome(outcome: str) -> Text:
    return Text(outcome, OUTCOME_STYLES.get(outcome, ""))


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _when(created: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(created))
