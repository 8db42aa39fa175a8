"""A store survives what happens to processes and disks: kill -9, torn writes, flipped bits, lost files (spec C3)."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from disk_fixtures import record, same_record, vector
from store_writer import vectors_of

from ams_ros.context.disk.disk_tier import DamagedVectorError, DiskTier, DiskVector
from ams_ros.context.records import VectorKind
from ams_ros.errors import PoolError

BUDGET = 2**30
WRITER = Path(__file__).with_name("store_writer.py")


def told_before_the_kill(folder: Path, first: int, chance: random.Random) -> list[str]:
    """Everything a writer said was done before it was killed, after a random number of deeds and at a random moment."""
    command = [sys.executable, str(WRITER), str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        told = [writer.stdout.readline().strip() for _ in range(chance.randrange(1, 14))]
        timer = threading.Timer(chance.uniform(0.0, 0.03), writer.kill)
        timer.start()
        told += [line.strip() for line in writer.stdout if line.endswith("\n")]
        timer.join()
    assert told[0] == "open"
    return told[1:]


def kill_and_look(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    present: set[int] = set()
    first = 0
    for _ in range(kills):
        told = told_before_the_kill(folder, first, chance)
        present |= {int(line[1:]) for line in told if line[0] == "+"}
        present -= {int(line[1:]) for line in told if line[0] == "-"}
        saved = [int(line[1:]) for line in told if line[0] == "+"]
        last = max(saved, default=first - 1)
        tier = DiskTier(folder, BUDGET)
        assert tier.damaged == 0
        found = {}
        for context, _, rows in tier.contexts():
            number = int(context.context_id[1:])
            found[number] = rows
            assert same_record(context, record(context.context_id))
            assert [(row.kind, row.nbytes) for row in rows] == [(v.kind, v.content.size) for v in vectors_of(number)]
            for row, written in zip(rows, vectors_of(number), strict=True):
                assert np.array_equal(tier.load(row.number), written.content)
        in_doubt = {last + 1, last - 1}
        assert set(found) - in_doubt == present - in_doubt
        assert last not in present or last in found
        listed = {name for (name,) in tier._index.rows("SELECT name FROM packs")}
        assert {path.name for path in (folder / "packs").iterdir()} == listed
        assert tier.verify().damaged == ()
        present, first = set(found), last + 2
        tier.close()


def test_a_killed_writer_loses_nothing_it_acknowledged_and_leaves_nothing_bad_c3(tmp_path):
    kill_and_look(tmp_path / "store", 12, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_many_killed_writers_lose_nothing_they_acknowledged_c3(tmp_path, seed):
    kill_and_look(tmp_path / "store", 60, seed)


CONTEXTS = 6


def expected_vectors(number: int) -> list[DiskVector]:
    return [
        vector(VectorKind.VISION, number // 2, 70_000, "front", b"k" * 32),
        vector(VectorKind.LATENTS, number + 100, 9_000),
    ]


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> dict[str, Path]:
    """The same store closed, and copied while it was open with all of its last commits in the log."""
    root = tmp_path_factory.mktemp("stores")
    tier = DiskTier(root / "closed", BUDGET)
    for number in range(CONTEXTS):
        tier.save(record(f"c{number}"), expected_vectors(number), pinned=number == 1)
        if number == 2:
            tier.collect()
    shutil.copytree(root / "closed", root / "logged")
    tier.close()
    assert (root / "logged" / "index.sqlite-wal").stat().st_size > 10_000
    return {"closed": root / "closed", "logged": root / "logged"}


def hurt(path: Path, chance: random.Random) -> str:
    """Do to a file what disks and crashes do; what it was."""
    size = path.stat().st_size
    way = chance.choice(["flip", "flips", "truncate", "zeros", "noise", "delete", "swap"])
    at = chance.randrange(max(size, 1))
    if way == "delete":
        path.unlink()
        return way
    content = bytearray(path.read_bytes())
    span = min(chance.choice([16, 512, 4096, 20_000]), size - at)
    if way == "truncate":
        del content[at:]
    elif way in ("flip", "flips"):
        for _ in range(1 if way == "flip" else 20):
            content[chance.randrange(size)] ^= 1 << chance.randrange(8)
    elif way == "zeros":
        content[at : at + span] = bytes(span)
    elif way == "noise":
        content[at : at + span] = chance.randbytes(span)
    else:
        page = at // 4096 * 4096
        other = chance.randrange(max(size // 4096, 1)) * 4096
        content[page : page + 4096] = content[other : other + 4096]
    path.write_bytes(content)
    return f"{way} at {at}"


def everything_returned_is_right(tier: DiskTier) -> int:
    """Read all there is; how many vectors came back, each of them the one that was written."""
    whole = 0
    for context, pinned, rows in tier.contexts():
        number = int(context.context_id[1:])
        assert same_record(context, record(f"c{number}"))
        assert pinned == (number == 1)
        written = {(each.kind, each.name): each for each in expected_vectors(number)}
        for row in rows:
            one = written[row.kind, row.name]
            assert (row.key, row.dtype, row.shape, row.cost) == (one.key, one.dtype, one.shape, one.cost)
            try:
                assert np.array_equal(tier.load(row.number), one.content)
                whole += 1
            except DamagedVectorError:
                continue
    return whole


def look_at_hurt_store(folder: Path, log_was_hurt: bool) -> None:
    with contextlib.suppress(PoolError), contextlib.closing(DiskTier(folder, BUDGET, read_only=True)) as reader:
        everything_returned_is_right(reader)
        reader.verify()
    try:
        tier = DiskTier(folder, BUDGET)
    except PoolError as error:
        if "version" not in str(error):
            raise
        return
    whole = everything_returned_is_right(tier)
    report = tier.verify()
    assert report.vectors <= whole
    if whole < 2 * CONTEXTS and not log_was_hurt:
        assert tier.damaged > 0 or tier.findings
    assert tier.verify().damaged == ()
    tier.save(record("c0"), expected_vectors(0), pinned=False)
    tier.collect()
    assert everything_returned_is_right(tier) >= 2
    tier.close()
    tier = DiskTier(folder, BUDGET)
    assert (tier.findings, tier.damaged) == ((), 0)
    tier.close()


def hurt_and_look(stores: dict[str, Path], scratch: Path, seed: int) -> None:
    chance = random.Random(seed)
    kind = chance.choice(["closed", "logged"])
    shutil.copytree(stores[kind], scratch)
    (scratch / "index.sqlite-shm").unlink(missing_ok=True)
    packs = sorted((scratch / "packs").iterdir())
    log = scratch / "index.sqlite-wal"
    victims = [scratch / "index.sqlite", chance.choice(packs), *([log] if log.exists() else [])]
    victim = chance.choice(victims)
    deed = hurt(victim, chance)
    try:
        look_at_hurt_store(scratch, kind == "logged" and victim.suffix != ".safetensors")
    except BaseException as error:
        raise AssertionError(f"seed {seed}: {deed} of {victim.name}") from error
    finally:
        shutil.rmtree(scratch)


def test_torn_disk_write_of_any_file_is_reported_and_never_returned_c3(stores, tmp_path):
    for seed in range(60):
        hurt_and_look(stores, tmp_path / "hurt", seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_torn_disk_writes_by_the_thousand_are_reported_and_never_returned_c3(stores, tmp_path, part):
    for seed in range(1000 + 500 * part, 1500 + 500 * part):
        hurt_and_look(stores, tmp_path / "hurt", seed)


def test_torn_disk_write_of_a_pack_costs_only_the_vectors_that_lay_behind_the_tear(tmp_path):
    tier = DiskTier(tmp_path / "store", BUDGET)
    front, back = tier.save(record("a"), [vector(VectorKind.PREFIX, 1, 65_536), vector(VectorKind.LATENTS, 2, 65_536)])
    tier.close()
    (pack,) = (tmp_path / "store" / "packs").iterdir()
    pack.write_bytes(pack.read_bytes()[:-100])
    tier = DiskTier(tmp_path / "store", BUDGET)
    assert tier.findings == (f"pack {pack.name} is cut short or gone", f"vector {back} lay in a pack that is damaged")
    assert [[row.number for row in rows] for _, _, rows in tier.contexts()] == [[front]]
    assert len(tier.load(front)) == 65_536
    tier.close()


def test_a_database_that_is_none_is_set_aside_reported_and_started_anew(tmp_path):
    tier = DiskTier(tmp_path / "store", BUDGET)
    tier.save(record("a"), [vector(VectorKind.PREFIX, 1, 65_536)])
    tier.close()
    path = tmp_path / "store" / "index.sqlite"
    path.write_bytes(b"this was a database" * 1000)
    with pytest.raises(PoolError, match="not a database"):
        DiskTier(tmp_path / "store", BUDGET, read_only=True)
    tier = DiskTier(tmp_path / "store", BUDGET)
    assert "kept as index.sqlite.damaged" in tier.findings[0]
    assert tier.findings[1] == "1 files of saves that were never finished were removed"
    assert list(tier.contexts()) == []
    assert tier.used_bytes > 19_000
    tier.save(record("b"), [vector(VectorKind.PREFIX, 1, 65_536)])
    tier.close()
    tier = DiskTier(tmp_path / "store", BUDGET)
    assert [context.context_id for context, _, _ in tier.contexts()] == ["b"]
    assert tier.findings == ()
    tier.close()


def test_a_database_that_breaks_under_an_open_store_is_replaced_by_verify(tmp_path):
    tier = DiskTier(tmp_path / "store", BUDGET)
    tier.save_many([(record(f"c{number}"), expected_vectors(number), None) for number in range(50)])
    tier.collect()
    path = tmp_path / "store" / "index.sqlite"
    tier._index.rows("PRAGMA shrink_memory")
    path.write_bytes(path.read_bytes()[:8192] + b"\0" * (path.stat().st_size - 8192))
    report = tier.verify()
    assert (report.contexts, report.vectors) == (0, 0)
    assert "kept as index.sqlite.damaged" in report.damaged[0]
    tier.save(record("c0"), expected_vectors(0), pinned=False)
    assert everything_returned_is_right(tier) == 2
    assert tier.verify().damaged == ()
    tier.close()


def test_damage_in_the_names_of_the_databases_own_tables_is_no_crash_either(tmp_path):
    DiskTier(tmp_path / "store", BUDGET).close()
    path = tmp_path / "store" / "index.sqlite"
    path.write_bytes(path.read_bytes().replace(b"indexholdersholdings", b"indexhold\xecrsholdings"))
    with pytest.raises(PoolError, match=str(path)):
        DiskTier(tmp_path / "store", BUDGET, read_only=True)
    tier = DiskTier(tmp_path / "store", BUDGET)
    assert "kept as index.sqlite.damaged" in tier.findings[0]
    tier.close()


def changed_by_hand(folder: Path, *statements: str) -> DiskTier:
    """A store some of whose rows are no longer those that were written, in a database that is whole."""
    database = sqlite3.connect(folder / "index.sqlite")
    for statement in statements:
        assert database.execute(statement).rowcount > 0
    database.commit()
    database.close()
    return DiskTier(folder, BUDGET)


@pytest.mark.parametrize(
    "statements",
    [
        ("UPDATE vectors SET cost = 7.0 WHERE number = 1",),
        ("UPDATE vectors SET name = 'wrist' WHERE number = 1",),
        ("UPDATE vectors SET segments = (SELECT segments FROM vectors WHERE number = 3) WHERE number = 1",),
        ("UPDATE holdings SET vector = 99 WHERE vector = 1", "UPDATE vectors SET number = 99 WHERE number = 1"),
        ("UPDATE holdings SET context = 9 WHERE context = 1", "UPDATE holdings SET context = 1 WHERE context = 2"),
        ("UPDATE models SET content = replace(content, 'widowx250', 'widowx251')",),
        ("UPDATE contexts SET outcome = 'succeeded' WHERE number = 1",),
        ("UPDATE contexts SET pinned = 1 WHERE number = 1",),
        ("UPDATE contexts SET model = 77 WHERE number = 1",),
        ("UPDATE segments SET position = position + 1",),
        ("UPDATE segments SET position = 1 << 60",),
        ("UPDATE segments SET position = -1",),
        ("UPDATE segments SET nbytes = 1 << 60",),
        ("UPDATE segments SET nbytes = -5",),
        ("UPDATE segments SET nbytes = 1 << 40 WHERE nbytes = 9000", "UPDATE vectors SET shape = '[1099511627776]'"),
        ("UPDATE packs SET name = '../index.sqlite' WHERE number = 1",),
    ],
)
@pytest.mark.parametrize("first", ["read", "verify", "collect"])
def test_rows_that_are_not_those_that_were_written_are_not_believed(tmp_path, statements, first):
    tier = DiskTier(tmp_path / "store", BUDGET)
    for number in (0, 2, 3):
        tier.save(record(f"c{number}"), expected_vectors(number), pinned=False)
    tier.close()
    tier = changed_by_hand(tmp_path / "store", *statements)
    if first != "read":
        getattr(tier, first)()
    whole = everything_returned_is_right(tier)
    report = tier.verify()
    assert whole < 6
    assert tier.damaged > 0
    assert report.vectors <= whole
    assert tier.verify().damaged == ()
    tier.close()


def test_a_save_brings_back_the_damaged_segment_that_another_vector_lists_too(tmp_path):
    tier = DiskTier(tmp_path / "store", BUDGET)
    shared = vector(VectorKind.PREFIX, 1, 50_000)
    (first,) = tier.save(record("a"), [shared])
    (second,) = tier.save(record("b"), [shared])
    (pack,) = (tmp_path / "store" / "packs").iterdir()
    pack.write_bytes(pack.read_bytes()[:-1] + b"?")
    with pytest.raises(DamagedVectorError):
        tier.load(first)
    (third,) = tier.save(record("c"), [shared])
    assert np.array_equal(tier.load(third), shared.content)
    assert np.array_equal(tier.load(second), shared.content)
    tier.remove_context("c")
    tier.collect()
    assert np.array_equal(tier.load(second), shared.content)
    tier.close()


def test_unfinished_files_are_removed_when_the_store_is_opened_and_other_peoples_files_stay(tmp_path):
    DiskTier(tmp_path / "store", BUDGET).close()
    packs = tmp_path / "store" / "packs"
    for name in (f"{'ab' * 12}.safetensors.part", f"{'cd' * 12}.safetensors", "notes.txt"):
        (packs / name).write_bytes(b"x" * 100)
    tier = DiskTier(tmp_path / "store", BUDGET)
    assert [path.name for path in packs.iterdir()] == ["notes.txt"]
    assert tier.findings == ("2 files of saves that were never finished were removed",)
    assert tier.damaged == 0
    tier.close()
