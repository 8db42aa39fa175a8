"""Checking a store as a whole (spec C3): it misses nothing, and nobody waits for it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from disk_fixtures import content, new_context, record, vector
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.context.disk import disk_tier, disk_verification
from ams_ros.context.disk.disk_rows import seal, seal_vector
from ams_ros.context.disk.disk_tier import DiskTier, VectorGoneError
from ams_ros.context.disk.packs import PackFolder
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.records import ContextOutcome, VectorKind

MEGABYTE = 2**20
BUDGET = 64 * MEGABYTE


@pytest.fixture
def store(tmp_path):
    tier = DiskTier(tmp_path / "store", BUDGET)
    yield tier
    tier.close()


def pack_files(tier: DiskTier) -> list[Path]:
    return sorted((tier.folder / "packs").iterdir())


def flip(path: Path, position: int, bit: int = 0) -> None:
    whole = bytearray(path.read_bytes())
    whole[position] ^= 1 << bit
    path.write_bytes(whole)


def in_the_middle_of_verify(monkeypatch, deed: Callable[[], object]) -> list[BaseException | None]:
    """Let another thread do something when the first bytes are read, and wait for it; what it ended with is listed."""
    ends: list[BaseException | None] = []
    usual = disk_verification.read_segments

    def work() -> None:
        try:
            deed()
            ends.append(None)
        except BaseException as error:
            ends.append(error)

    def reading(*arguments):
        if not ends:
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(30.0)
            if thread.is_alive():
                ends.append(TimeoutError("it waits for verify"))
        return usual(*arguments)

    monkeypatch.setattr(disk_verification, "read_segments", reading)
    return ends


def test_everything_can_be_done_to_a_store_while_it_is_verified(store, monkeypatch):
    (kept,) = store.save(record("kept"), [vector(VectorKind.PREFIX, 1, 100_000)])
    store.save(record("goes"), [vector(VectorKind.PREFIX, 2, 100_000)])

    def deed() -> None:
        (added,) = store.save(record("added"), [vector(VectorKind.PREFIX, 3, 100_000)])
        assert np.array_equal(store.load(added), content(3, 100_000))
        assert np.array_equal(store.load(kept), content(1, 100_000))
        assert store.set_outcome(["kept"], ContextOutcome.SUCCEEDED) == 1
        assert store.remove_context("goes")
        assert store.collect() > 0

    ends = in_the_middle_of_verify(monkeypatch, deed)
    report = store.verify()
    assert ends == [None]
    assert (report.contexts, report.vectors, report.damaged) == (2, 2, ())
    assert store.damaged == 0


def test_a_pool_takes_contexts_in_while_it_is_verified(tmp_path, monkeypatch):
    options = PoolOptions(path=tmp_path / "store", host_bytes=4 * MEGABYTE, disk_bytes=BUDGET)
    with closing(ContextPool(options)) as pool:
        pool.put(new_context("a"), durable=True)
        ends = in_the_middle_of_verify(monkeypatch, lambda: pool.put(new_context("b", 1), durable=True))
        assert pool.verify().damaged == ()
        assert ends == [None]
        assert pool.stats().contexts == 2


def test_what_is_damaged_but_removed_before_the_second_look_is_not_reported(store, monkeypatch):
    store.save(record("a"), [vector(VectorKind.PREFIX, 1, 100_000)])
    flip(pack_files(store)[0], -1)
    ends = in_the_middle_of_verify(monkeypatch, lambda: store.remove_context("a"))
    assert store.verify().damaged == ()
    assert ends == [None]


def test_what_is_saved_between_the_looks_and_shares_a_damaged_segment_is_found_too(store, monkeypatch):
    shared = vector(VectorKind.PREFIX, 1, 50_000)
    numbers = [store.save(record("a"), [shared])[0]]
    flip(pack_files(store)[0], -1)
    usual = disk_tier.settle

    def settle(*arguments):
        numbers.append(store.save(record("b"), [shared])[0])
        return usual(*arguments)

    monkeypatch.setattr(disk_tier, "settle", settle)
    report = store.verify()
    assert [line.split(" (")[0] for line in report.damaged] == [f"vector {number}" for number in numbers]
    for number in numbers:
        with pytest.raises(VectorGoneError):
            store.load(number)
    assert store.verify().damaged == ()


def test_threads_that_change_a_store_all_the_time_make_verify_see_no_ghosts(store):
    stop, failures = threading.Event(), list[BaseException]()

    def change(thread: int) -> None:
        try:
            for turn in range(10_000):
                names = [f"t{thread}-{turn}-{n}" for n in range(3)]
                store.save_many([(record(name), [vector(VectorKind.PREFIX, turn // 2, 9000)], None) for name in names])
                store.remove_contexts(names[:2])
                if turn % 3 == 2:
                    store.collect()
                    store.remove_contexts([f"t{thread}-{turn - 1}-2"])
                if stop.is_set():
                    return
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        reports = [store.verify() for _ in range(12)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert [report.damaged for report in reports] == [()] * 12
    assert store.verify().vectors == len({row.number for _, _, rows in store.contexts() for row in rows})


def test_no_bit_of_a_packs_header_can_change_unnoticed(store):
    store.save(record("a"), [vector(VectorKind.PREFIX, 1, 70_000)])
    (path,) = pack_files(store)
    folder = PackFolder(path.parent, read_only=True)
    places = {place.digest: (place.position, place.nbytes) for place in store._catalog.segments.of_pack(path.name)}
    assert len(places) == 2
    assert folder.describes(path.name, places)
    whole = path.read_bytes()
    header = min(position for position, _ in places.values())
    with path.open("r+b") as file:
        for position in range(header):
            for bit in range(8):
                file.seek(position)
                file.write(bytes([whole[position] ^ 1 << bit]))
                file.flush()
                assert not folder.describes(path.name, places), (position, bit)
            file.seek(position)
            file.write(whole[position : position + 1])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("position", [0, 5, 8, 20, 60, 100])
def test_a_flip_in_a_packs_header_costs_no_vector_is_told_and_mended_c3(store, tmp_path, position):
    (number,) = store.save(record("a"), [vector(VectorKind.PREFIX, 1, 70_000)])
    (path,) = pack_files(store)
    flip(path, position)
    assert np.array_equal(store.load(number), content(1, 70_000))
    with closing(DiskTier(store.folder, BUDGET, read_only=True)) as reader:
        assert reader.verify().damaged == (f"pack {path.name}: its header is damaged",)
    report = store.verify()
    assert (report.contexts, report.vectors) == (1, 1)
    assert report.damaged == (f"pack {path.name}: its header is damaged",)
    assert pack_files(store) != [path]
    assert store.verify().damaged == ()
    assert np.array_equal(store.load(number), content(1, 70_000))


def test_a_damaged_header_on_a_full_disk_is_told_and_mended_when_there_is_room(tmp_path):
    tier = DiskTier(tmp_path / "store", 2 * MEGABYTE)
    (number,) = tier.save(record("a"), [vector(VectorKind.PREFIX, 1, 900_000)])
    tier.save(record("b"), [vector(VectorKind.PREFIX, 2, 300_000)])
    (pack,) = (path for path in pack_files(tier) if path.stat().st_size > 800_000)
    flip(pack, 30)
    told = (f"pack {pack.name}: its header is damaged", f"pack {pack.name}: it cannot be written anew: that takes")
    found = tier.verify().damaged
    assert [line[: len(start)] for line, start in zip(found, told, strict=True)] == list(told)
    assert np.array_equal(tier.load(number), content(1, 900_000))
    tier.remove_context("b")
    tier.collect()
    tier.close()
    tier = DiskTier(tmp_path / "store", 8 * MEGABYTE)
    assert tier.verify().damaged == told[:1]
    assert tier.verify().damaged == ()
    tier.close()


def test_wrong_counts_and_loose_rows_are_set_right_without_a_word(store):
    shared = vector(VectorKind.PREFIX, 1, 50_000)
    store.save(record("a"), [shared])
    (second,) = store.save(record("b"), [shared])
    with store._index.transaction():
        store._index.change("UPDATE segments SET refs = 1")
        store._index.change("INSERT INTO holdings VALUES (77, ?, x'00')", second)
        store._index.change("INSERT INTO holdings VALUES (1, 99, x'00')")
    assert store.verify().damaged == ()
    assert store._index.row("SELECT refs FROM segments") == (2,)
    assert store._index.row("SELECT count(*) FROM holdings") == (2,)
    store.remove_context("a")
    store.collect()
    assert np.array_equal(store.load(second), content(1, 50_000))


def test_a_false_alarm_about_the_database_sets_nothing_aside(store, monkeypatch):
    store.save(record("a"), [])

    def alarmed(index, packs):
        raise disk_tier.DamagedIndexError("row 5 missing")

    monkeypatch.setattr(disk_tier, "survey", alarmed)
    with pytest.raises(disk_tier.PoolError, match="a second look found nothing wrong"):
        store.verify()
    assert len(list(store.contexts())) == 1


def test_a_closed_store_is_not_verified(tmp_path):
    tier = DiskTier(tmp_path / "store", BUDGET)
    tier.close()
    with pytest.raises(disk_tier.PoolError, match="closed"):
        tier.verify()


def test_contexts_are_read_in_bulk_and_damage_in_one_costs_no_other(store, monkeypatch):
    items = [(record(f"c{n}"), [vector(VectorKind.LATENTS, n, 300)], None) for n in range(600)]
    (shared,) = store.save(record("first"), [vector(VectorKind.PREFIX, 9999, 300)])
    held = replace(vector(VectorKind.PREFIX, 9999, 300), content=shared)
    numbers = store.save_many([(*items[0][:1], [*items[0][1], held], None), *items[1:]])
    asked: list[str] = []
    usual = store._index.rows
    monkeypatch.setattr(store._index, "rows", lambda query, *values: asked.append(query) or usual(query, *values))
    assert len(list(store.contexts())) == 601
    assert len(asked) < 20
    with store._index.transaction():
        store._index.change("UPDATE contexts SET outcome = 'succeeded' WHERE context_id = 'c7'")
        store._index.change("UPDATE holdings SET checksum = x'00' WHERE vector = ? AND context = 1", shared)
        store._index.change("UPDATE vectors SET cost = 9.0 WHERE number = ?", numbers[400][0])
    found = {context.context_id: [row.number for row in rows] for context, _, rows in store.contexts()}
    assert found == {
        "first": [],
        **{f"c{n}": [numbers[n][0]] for n in range(600) if n not in (7, 400)},
        "c400": [],
    }
    assert store.damaged == 3
    assert store.verify().damaged == ()


@given(
    kind=st.text(max_size=8),
    name=st.text(max_size=8),
    key=st.binary(max_size=32),
    shape=st.text(max_size=8),
    cost=st.floats(0.0, allow_infinity=False),
)
def test_the_fast_seal_of_a_vector_is_the_seal(kind, name, key, shape, cost):
    row = (kind, name, key, "uint8", shape, cost, b"d" * 32)
    assert seal_vector(5, row) == seal(5, *row)


def test_a_store_copied_while_it_is_verified_opens_as_it_was(store, tmp_path, monkeypatch):
    (number,) = store.save(record("a"), [vector(VectorKind.PREFIX, 1, 70_000)])
    ends = in_the_middle_of_verify(monkeypatch, lambda: shutil.copytree(store.folder, tmp_path / "copy"))
    assert store.verify().damaged == ()
    assert ends == [None]
    with closing(DiskTier(tmp_path / "copy", BUDGET)) as copy:
        assert copy.findings == ()
        assert np.array_equal(copy.load(number), content(1, 70_000))
