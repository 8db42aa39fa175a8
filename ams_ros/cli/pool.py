"""`ams pool`: look into the context pool and say what shall stay."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ams_ros.cli.output import console, writable_file
from ams_ros.cli.up import full_name
from ams_ros.errors import ConfigurationError

if TYPE_CHECKING:
    from ams_ros.cli.pool_access import PoolAccess

NODE = "/ams/context_pool"
OUTCOMES = ("unknown", "succeeded", "failed")

pool = typer.Typer(name="pool", no_args_is_help=True, help="Look into the context pool and say what shall stay.")

Reference = Annotated[str, typer.Argument(help="A context id, the beginning of one, or an episode id.")]
AnyReference = Annotated[str, typer.Argument(metavar="[REFERENCE]", help="Only this context or episode.")]
Node = Annotated[str | None, typer.Option(metavar="NAME", help=f"Of the running pool [default: {NODE}].")]
Store = Annotated[Path | None, typer.Option(metavar="FOLDER", help="A store on disk, read without any node.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@pool.command("ls")
def ls(
    reference: AnyReference = "",
    *,
    outcome: Annotated[str, typer.Option(help="Only unknown, succeeded or failed ones.")] = "",
    limit: Annotated[int, typer.Option(help="How many, 1 to 1000.")] = 100,
    offset: Annotated[int, typer.Option(help="How many of the newest to leave out.")] = 0,
    node: Node = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """List contexts, newest first."""
    _check_outcome("--outcome", outcome)
    for key, value, lowest, highest in (("--limit", limit, 1, 1000), ("--offset", offset, 0, 2**32 - 1)):
        if not lowest <= value <= highest:
            raise ConfigurationError(key, value, f"{lowest} to {highest}")
    from ams_ros.cli.pool_access import resolve
    from ams_ros.cli.pool_view import print_json, show_listing

    with _reach(node, store) as reached:
        wanted = resolve(reached, reference) if reference else ""
        listing = reached.listing(wanted, outcome, offset, limit, vectors=as_json)
    if as_json:
        print_json(listing)
    else:
        show_listing(listing, offset)


@pool.command("show")
def show(reference: Reference, *, node: Node = None, store: Store = None, as_json: AsJson = False) -> None:
    """Show a context and its vectors, or list the contexts of an episode."""
    from ams_ros.cli.pool_access import PAGE, resolve
    from ams_ros.cli.pool_view import print_json, show_context, show_listing

    with _reach(node, store) as reached:
        listing = reached.listing(resolve(reached, reference), "", 0, PAGE, vectors=True)
    if as_json:
        print_json(listing)
    elif listing.total == 1:
        show_context(listing.contexts[0])
    else:
        show_listing(listing, 0)


@pool.command("stats")
def stats(*, node: Node = None, store: Store = None, as_json: AsJson = False) -> None:
    """Show what the pool holds and has done."""
    from ams_ros.cli.pool_view import print_json, show_stats

    with _reach(node, store) as reached:
        figures = reached.stats()
    (print_json if as_json else show_stats)(figures)


@pool.command("verify")
def verify(*, node: Node = None, store: Store = None, as_json: AsJson = False) -> None:
    """Read everything on disk and compare it with its checksums; what is damaged is removed.

    Exit code 1 when something was damaged.
    """
    from ams_ros.cli.pool_view import print_json, show_verified

    with _reach(node, store, writes=True) as reached:
        verified = reached.verify()
    (print_json if as_json else show_verified)(verified)
    raise typer.Exit(1 if verified.damaged else 0)


@pool.command("evict")
def evict(
    reference: AnyReference = "",
    *,
    outcome: Annotated[str, typer.Option(help="All unpinned ones of this outcome.")] = "",
    size: Annotated[
        str, typer.Option("--bytes", metavar="SIZE", help="What the pool can spare most: 500M, 2G, or plain bytes.")
    ] = "",
    node: Node = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Remove contexts: one, an episode, all of an outcome, or as many as a size needs. Pinned ones stay."""
    given = [text for text in (reference, outcome, size) if text]
    if len(given) != 1:
        raise ConfigurationError("evict", given, "exactly one of REFERENCE, --outcome and --bytes")
    _check_outcome("--outcome", outcome)
    nbytes = _bytes(size) if size else 0
    from rich.filesize import decimal

    from ams_ros.cli.pool_access import resolve
    from ams_ros.cli.pool_view import print_json

    with _reach(node, store, writes=True) as reached:
        removed = reached.evict(resolve(reached, reference) if reference else "", outcome, nbytes)
    if as_json:
        print_json(removed)
    else:
        console().print(f"Removed {removed.contexts} contexts, {decimal(removed.freed_bytes)} are free again.")


@pool.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="To be written; must not exist.")],
    reference: AnyReference = "",
    *,
    node: Node = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Write contexts into one portable file."""
    file = file.absolute()
    if file.exists() or file.is_symlink():
        raise ConfigurationError("FILE", str(file), "a file that does not exist yet")
    from rich.filesize import decimal

    from ams_ros.cli.pool_access import resolve
    from ams_ros.cli.pool_view import print_json

    with _reach(node, store) as reached:
        wanted = resolve(reached, reference) if reference else ""
        exported = reached.export(writable_file("FILE", file), wanted)
    if as_json:
        print_json(exported)
    else:
        console().print(
            f"Wrote {exported.contexts} contexts, {decimal(exported.bytes)}, to {exported.file}", markup=False
        )


@pool.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Written by `ams pool export`.")],
    *,
    node: Node = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Take the contexts of a portable file; damaged ones are skipped and named.

    Exit code 1 when something was skipped.
    """
    file = file.absolute()
    if not file.is_file():
        raise ConfigurationError("FILE", str(file), "a file that exists")
    from ams_ros.cli.pool_view import print_json, show_imported

    with _reach(node, store, writes=True, create=True) as reached:
        imported = reached.import_file(file)
    (print_json if as_json else show_imported)(imported)
    raise typer.Exit(1 if imported.skipped else 0)


@pool.command("mark")
def mark(
    reference: Reference,
    outcome: Annotated[str, typer.Argument(help="succeeded, failed or unknown.")],
    *,
    node: Node = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Say how a context or an episode went; what succeeded can guide later inferences."""
    _check_outcome("OUTCOME", outcome or " ")
    from ams_ros.cli.pool_access import resolve

    with _reach(node, store, writes=True) as reached:
        count = reached.mark(resolve(reached, reference), outcome)
    _tell_count(f"Marked {count} contexts as {outcome}.", {"contexts": count, "outcome": outcome}, as_json)


@pool.command("pin")
def pin(reference: Reference, *, node: Node = None, store: Store = None, as_json: AsJson = False) -> None:
    """Keep a context or an episode, whatever room is needed."""
    _pin(reference, True, (node, store), as_json)


@pool.command("unpin")
def unpin(reference: Reference, *, node: Node = None, store: Store = None, as_json: AsJson = False) -> None:
    """Let a context or an episode go again when room is needed."""
    _pin(reference, False, (node, store), as_json)


def _pin(reference: str, pinned: bool, way: tuple[str | None, Path | None], as_json: bool) -> None:
    from ams_ros.cli.pool_access import resolve

    with _reach(*way, writes=True) as reached:
        count = reached.pin(resolve(reached, reference), pinned)
    sentence = f"{'Pinned' if pinned else 'Unpinned'} {count} contexts."
    _tell_count(sentence, {"contexts": count, "pinned": pinned}, as_json)


def _tell_count(sentence: str, figures: dict[str, int | str], as_json: bool) -> None:
    from ams_ros.cli.pool_view import print_json

    if as_json:
        print_json(figures)
    else:
        console().print(sentence)


@contextmanager
def _reach(node: str | None, store: Path | None, writes: bool = False, create: bool = False) -> Iterator[PoolAccess]:
    """The pool behind --node or --store, see `pool_folder.open_folder`; raises ConfigurationError for both."""
    if store is not None:
        if node is not None:
            raise ConfigurationError("--node", node, "either --node or --store")
        from ams_ros.cli.pool_folder import open_folder

        with open_folder(store, writes, create) as folder:
            yield folder
        return
    name = full_name("--node", node) if node is not None else NODE
    from ams_ros.cli.interrupts import Interrupts
    from ams_ros.cli.pool_client import PoolClient
    from ams_ros.cli.ros_session import RosSession

    try:
        with Interrupts() as interrupts, RosSession(interrupts.check) as session:
            yield PoolClient(session, name)
    except KeyboardInterrupt:
        raise typer.Exit(1) from None


def _check_outcome(key: str, outcome: str) -> None:
    if outcome and outcome not in OUTCOMES:
        raise ConfigurationError(key, outcome, ", ".join(OUTCOMES))


def _bytes(size: str) -> int:
    """Bytes of a size such as 500M; raises ConfigurationError for another form."""
    found = re.fullmatch(r"([0-9]{1,15})([kMGT]?)B?", size)
    number = int(found[1]) * 1000 ** " kMGT".index(found[2] or " ") if found else 0
    if not 0 < number < 2**63:
        raise ConfigurationError(
            "--bytes", size, "a size above 0: plain bytes, or a number with k, M, G or T (of 1000)"
        )
    return number
