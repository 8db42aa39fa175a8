"""The SQLite database of a store: opening, checking and setting it aside, transactions.

Journal mode WAL with synchronous=FULL: the log is synced in every commit, so what was acknowledged survives a loss of
power as well as kill -9 (https://www.sqlite.org/pragma.html#pragma_synchronous; NORMAL would only survive the latter).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ams_ros.context.disk.disk_errors import storage_error
from ams_ros.context.disk.packs import sync_folder
from ams_ros.errors import PoolError

SCHEMA_VERSION = 1
PAGE_BYTES = 4096
LOG_PAGES = 256
"""The log is written back into the database when it is that long, and its file is cut back to that length."""

_TABLES = (
    """CREATE TABLE models (
    number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, content TEXT NOT NULL) STRICT""",
    """CREATE TABLE contexts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, context_id TEXT NOT NULL UNIQUE, instruction TEXT NOT NULL,
    episode TEXT NOT NULL, place INTEGER NOT NULL, outcome TEXT NOT NULL, created REAL NOT NULL,
    joints BLOB NOT NULL, gripper REAL NOT NULL, embedding BLOB NOT NULL, seed INTEGER NOT NULL,
    start_time REAL NOT NULL, guided_by TEXT NOT NULL, pinned INTEGER NOT NULL, model INTEGER NOT NULL,
    checksum BLOB NOT NULL) STRICT""",
    """CREATE TABLE vectors (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL, key BLOB NOT NULL,
    dtype TEXT NOT NULL, shape TEXT NOT NULL, cost REAL NOT NULL, content BLOB NOT NULL, checksum BLOB NOT NULL,
    segments BLOB NOT NULL) STRICT""",
    """CREATE TABLE holdings (
    context INTEGER NOT NULL, vector INTEGER NOT NULL, checksum BLOB NOT NULL,
    PRIMARY KEY (context, vector)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX holders ON holdings (vector)",
    """CREATE TABLE segments (
    digest BLOB PRIMARY KEY, pack INTEGER NOT NULL, position INTEGER NOT NULL, nbytes INTEGER NOT NULL,
    refs INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    "CREATE TABLE packs (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, nbytes INTEGER NOT NULL)"
    " STRICT",
)
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    # Large enough that a transaction writes each page it touched once, when it commits: `disk_room` counts on that.
    "PRAGMA cache_size = -32768",
    f"PRAGMA wal_autocheckpoint = {LOG_PAGES}",
    f"PRAGMA journal_size_limit = {LOG_PAGES * PAGE_BYTES}",
)
_BUSY_SECONDS = 10.0


class DamagedIndexError(PoolError):
    """The database is not one, or its structure is broken."""


class DiskIndex:
    """A connection to the database of one store; whoever owns it calls it from one thread at a time."""

    def __init__(self, path: Path, read_only: bool) -> None:
        """Open, creating it unless `read_only`; raises DamagedIndexError, or PoolError for anything else."""
        self.path = path
        self.read_only = read_only
        with self._errors():
            mode = "ro" if read_only else "rwc"
            self._connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=_BUSY_SECONDS,
            )
        try:
            with self._errors():
                self._prepare()
        except PoolError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Write the log back and close."""
        with self._errors():
            self._connection.close()

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query, or none for a statement that gives none."""
        with self._errors():
            return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        """The first row of a query; None when there is none."""
        found = self.rows(statement, *values)
        return found[0] if found else None

    def change(self, statement: str, *values: object) -> int:
        """Run a statement that changes rows; the number of the row it inserted last."""
        with self._errors():
            return self._connection.execute(statement, values).lastrowid or 0

    def change_many(self, statement: str, values: list[tuple[Any, ...]]) -> None:
        """Run a statement once for each tuple of values."""
        with self._errors():
            self._connection.executemany(statement, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable at the end of the block."""
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._errors():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                with self._errors():
                    self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Queries inside the block see the store as it is at the first of them, whatever others write meanwhile."""
        self.rows("BEGIN")
        try:
            yield
        finally:
            self.rows("COMMIT")

    def used_bytes(self) -> int:
        """Size of the database, its log and the log's index, and of a damaged one set aside earlier."""
        total = 0
        for suffix in ("", "-wal", "-shm", ".damaged", ".damaged-wal"):
            try:
                total += Path(f"{self.path}{suffix}").stat().st_size
            except FileNotFoundError:
                continue
            except OSError as error:
                raise storage_error(self.path, error) from error
        return total

    def compact(self) -> None:
        """Give the pages nothing needs back to the file system, and write the log back into the database."""
        self.rows("PRAGMA incremental_vacuum")
        self.write_back()

    def write_back(self) -> None:
        """Write the log back into the database and empty it; a reader in the middle of a query leaves it as it is."""
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def check(self) -> None:
        """Read the whole database; raises DamagedIndexError naming what is broken in its structure."""
        problems = [str(problem) for (problem,) in self.rows("PRAGMA integrity_check(5)") if problem != "ok"]
        if problems:
            raise DamagedIndexError(f"{self.path}: {'; '.join(problems)[:400]}")

    def _prepare(self) -> None:
        execute = self._connection.execute
        self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
        self._refuse_newer()
        empty = execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        if self.read_only and empty:
            raise PoolError(f"{self.path}: there is no store here yet; let a pool write one first")
        if empty:
            execute(f"PRAGMA page_size = {PAGE_BYTES}")
            execute("PRAGMA auto_vacuum = INCREMENTAL")
        if not self.read_only:
            execute("PRAGMA journal_mode = WAL")
        for setting in _SETTINGS:
            execute(setting)
        if empty:
            with self.transaction():
                for table in _TABLES:
                    execute(table)
                execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self.write_back()
            try:
                sync_folder(self.path.parent)
            except OSError as error:
                raise storage_error(self.path.parent, error) from error
        self._check_schema()

    def _refuse_newer(self) -> None:
        """Raise PoolError for a store of a later version, before any setting of it is changed.

        By SQLite and not from the bytes of the file: to open and close the file beside SQLite would drop its locks
        (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        """
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise PoolError(
                f"{self.path}: a store of version {version}, this program knows up to {SCHEMA_VERSION}; "
                "update it, or choose another path"
            )

    def _check_schema(self) -> None:
        """Accept our tables and nothing else, above all no triggers and views that would run with our statements."""
        found = self.rows("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
        version = self.row("PRAGMA user_version")
        if {sql for (sql,) in found} != set(_TABLES) or version != (SCHEMA_VERSION,):
            raise DamagedIndexError(f"{self.path}: its tables are not those of a store of version {SCHEMA_VERSION}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # SQLite's complaint about a damaged schema quotes from it, and Python fails to decode the quotation.
            damaged = type(error) in (sqlite3.DatabaseError, UnicodeDecodeError)
            mend = "" if damaged else "; see that the disk has room and that this user may write there"
            raise (DamagedIndexError if damaged else PoolError)(f"{self.path}: {error}{mend}") from error


def set_aside(path: Path) -> Path:
    """Rename a damaged database and its log so that a new one can begin; the one set aside before is replaced."""
    kept = Path(f"{path}.damaged")
    try:
        for suffix in ("-wal", ""):
            old, new = Path(f"{path}{suffix}"), Path(f"{kept}{suffix}")
            new.unlink(missing_ok=True)
            if old.exists():
                old.rename(new)
        Path(f"{path}-shm").unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    return kept
