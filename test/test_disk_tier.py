"""The disk tier (spec C3): what is saved is there again, byte for byte, within its budget, whoever holds it."""

from __future__ import annotations

import os
import sqlite3
import struct
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from disk_fixtures import MODEL, content, record, same_record, vector

from ams_ros.context.disk.disk_tier import DamagedVectorError, DiskFullError, DiskTier, DiskVector, VectorGoneError
from ams_ros.context.records import ContextOutcome, VectorKind
from ams_ros.errors import ConfigurationError, PoolError

MEGABYTE = 2**20


@pytest.fixture
def store(tmp_path):
    tier = DiskTier(tmp_path / "deep" / "store", 64 * MEGABYTE)
    yield tier
    tier.close()


def reopened(tier: DiskTier, **options) -> DiskTier:
    tier.close()
    return DiskTier(tier.folder, tier.budget_bytes, **options)


def pack_files(tier: DiskTier) -> list[Path]:
    return sorted((tier.folder / "packs").iterdir())


def test_what_was_saved_is_there_after_reopening_with_layout_bits_pin_and_outcome_c3(tmp_path):
    tier = DiskTier(tmp_path / "store", 64 * MEGABYTE)
    latents = np.random.default_rng(1).standard_normal((11, 50, 32)).astype(np.float32)
    latents[0, 0, 0] = np.nan
    stored = DiskVector(VectorKind.LATENTS, "", b"", "float32", latents.shape, 0.0, latents.reshape(-1).view(np.uint8))
    picture = vector(VectorKind.VISION, 7, 200_001, "front", b"q" * 32)
    saved = record("first", guided_by="other", start_time=0.4)
    numbers = tier.save(saved, [stored, picture], pinned=True)
    assert tier.set_outcome(["first", "nobody"], ContextOutcome.SUCCEEDED) == 1
    tier = reopened(tier)
    ((found, pinned, rows),) = tier.contexts()
    assert same_record(found, replace(saved, outcome=ContextOutcome.SUCCEEDED))
    assert pinned
    assert [(row.number, row.kind, row.name, row.key, row.dtype, row.shape, row.cost) for row in rows] == [
        (numbers[0], VectorKind.LATENTS, "", b"", "float32", (11, 50, 32), 0.0),
        (numbers[1], VectorKind.VISION, "front", b"q" * 32, "uint8", (200_001,), 0.25),
    ]
    assert tier.load(numbers[0]).tobytes() == latents.tobytes()
    assert tier.load(numbers[0]).shape == latents.shape
    assert tier.load(numbers[1]).flags.writeable
    assert np.array_equal(tier.load(numbers[1]), picture.content)
    tier.close()


def test_equal_content_is_stored_once_whatever_vector_it_is_in(store):
    first = vector(VectorKind.PREFIX, 1, 3 * MEGABYTE)
    store.save(record("a"), [first])
    before = store.used_bytes
    changed = first.content.copy()
    changed[MEGABYTE] ^= 1
    (number,) = store.save(record("b"), [replace(first, content=changed)])
    assert store.used_bytes - before < 300_000
    assert np.array_equal(store.load(number), changed)


def test_a_vector_on_disk_is_held_by_a_second_context_until_the_last_one_goes(store):
    (number,) = store.save(record("a"), [vector(VectorKind.PREFIX, 1, 100_000)])
    held = replace(vector(VectorKind.PREFIX, 1, 100_000), content=number)
    assert store.save(record("b"), [held]) == (number,)
    assert store.remove_context("a")
    store.collect()
    assert np.array_equal(store.load(number), content(1, 100_000))
    assert store.remove_context("b")
    assert not store.remove_context("b")
    with pytest.raises(VectorGoneError):
        store.load(number)
    with pytest.raises(VectorGoneError):
        store.save(record("c"), [held])
    assert list(store.contexts()) == []


def test_saving_again_changes_the_record_adds_vectors_and_replaces_those_of_the_same_kind_and_name(store):
    old, kept = store.save(
        record("a"), [vector(VectorKind.VISION, 1, 5000, "front"), vector(VectorKind.VISION, 2, 5000, "wrist")], True
    )
    new, added = store.save(
        record("a", outcome=ContextOutcome.FAILED),
        [vector(VectorKind.VISION, 3, 5000, "front"), vector(VectorKind.OUTPUT, 4, 5000)],
    )
    ((found, pinned, rows),) = store.contexts()
    assert found.outcome is ContextOutcome.FAILED
    assert pinned
    assert {row.number for row in rows} == {kept, new, added}
    with pytest.raises(VectorGoneError):
        store.load(old)


def test_a_number_is_never_given_to_another_vector(store):
    (first,) = store.save(record("a"), [vector(VectorKind.PREFIX, 1, 5000)])
    store.drop_vectors([first, 999])
    (second,) = store.save(record("a"), [vector(VectorKind.PREFIX, 2, 5000)])
    assert second != first
    assert [len(rows) for _, _, rows in store.contexts()] == [1]


def test_many_contexts_are_saved_in_one_pack_all_or_none(store):
    items = [(record(f"c{n}"), [vector(VectorKind.PREFIX, n // 2, 5000)], n == 0) for n in range(6)]
    numbers = store.save_many(items)
    assert len(pack_files(store)) == 1
    for seed, (number,) in enumerate(numbers):
        assert np.array_equal(store.load(number), content(seed // 2, 5000))
    assert [pinned for _, pinned, _ in store.contexts()] == [True] + [False] * 5
    gone = replace(vector(VectorKind.PREFIX, 1, 5000), content=999)
    with pytest.raises(VectorGoneError):
        store.save_many([(record("d0"), [vector(VectorKind.PREFIX, 77, 5000)], None), (record("d1"), [gone], None)])
    large = [(record(f"e{n}"), [vector(VectorKind.PREFIX, 50 + n, 40 * MEGABYTE)], None) for n in range(2)]
    with pytest.raises(DiskFullError):
        store.save_many(large)
    assert store.save_many([]) == ()
    assert len(list(store.contexts())) == 6
    assert len(pack_files(store)) == 1


def test_pins_are_set_and_taken_off(store):
    store.save(record("a"), [])
    assert store.set_pinned(["a"], True) == 1
    assert [pinned for _, pinned, _ in store.contexts()] == [True]
    assert store.set_pinned(["a"], False) == 1
    assert [pinned for _, pinned, _ in store.contexts()] == [False]


def test_budget_exceeded_is_refused_before_anything_is_written_c3(tmp_path):
    tier = DiskTier(tmp_path / "store", 2 * MEGABYTE)
    sizes = []

    def fill_up() -> None:
        for number in range(100):
            tier.save(record(f"c{number}"), [vector(VectorKind.PREFIX, number, 200_000)])
            sizes.append(tier.used_bytes)

    with pytest.raises(DiskFullError) as refusal:
        fill_up()
    assert max(sizes) <= tier.budget_bytes
    assert len(sizes) >= 5
    assert refusal.value.needed > refusal.value.free
    assert len(list(tier.contexts())) == len(sizes) == len(pack_files(tier))
    assert tier.remove_context("c0")
    assert tier.collect() > 100_000
    tier.save(record("again"), [vector(VectorKind.PREFIX, 1000, 100_000)])
    tier.close()


def test_budget_exceeded_is_refused_for_batches_too_and_a_full_store_can_still_change_within_it_c3(tmp_path):
    tier = DiskTier(tmp_path / "store", 8 * MEGABYTE)
    batch = [(record(f"b{n}"), [vector(VectorKind.LATENTS, n, 300)], None) for n in range(1000)]
    tier.save_many(batch[:500])
    saved = 500

    def fill_up() -> None:
        nonlocal saved
        for number in range(500, 10_000):
            tier.save(record(f"b{number}"), [vector(VectorKind.LATENTS, number, 100_000)])
            saved = number + 1

    with pytest.raises(DiskFullError):
        fill_up()
    assert saved > 530
    sizes = []
    for number in range(0, 500, 5):
        tier.set_outcome([f"b{number + 1}"], ContextOutcome.SUCCEEDED)
        tier.set_pinned([f"b{number + 2}"], True)
        tier.remove_context(f"b{number}")
        sizes.append(tier.used_bytes)
    tier.collect()
    assert max(*sizes, tier.used_bytes) <= tier.budget_bytes
    assert len(list(tier.contexts())) == saved - 100
    tier.close()


def test_used_bytes_are_those_of_all_files(store):
    def measured() -> int:
        files = [path for path in store.folder.rglob("*") if path.is_file() and path.name != "writer.lock"]
        return sum(path.stat().st_size for path in files)

    assert store.used_bytes == measured()
    for number in range(3):
        store.save(record(f"c{number}"), [vector(VectorKind.PREFIX, number, 300_000)])
        assert store.used_bytes == measured()
    store.remove_context("c1")
    store.collect()
    assert store.used_bytes == measured()


def test_collecting_deletes_dead_packs_and_rewrites_sparse_ones(store):
    shared = content(1, 65536)
    big = np.concatenate([shared, content(2, MEGABYTE)])
    (first,) = store.save(record("a"), [DiskVector(VectorKind.PREFIX, "", b"", "uint8", big.shape, 0.0, big)])
    (second,) = store.save(record("b"), [DiskVector(VectorKind.PREFIX, "", b"", "uint8", shared.shape, 0.0, shared)])
    (sparse,) = pack_files(store)
    store.drop_vectors([first])
    assert store.collect() > 900_000
    (dense,) = pack_files(store)
    assert dense != sparse
    assert dense.stat().st_size < 70_000
    assert np.array_equal(store.load(second), shared)
    store.remove_context("b")
    store.collect()
    assert pack_files(store) == []
    assert store.used_bytes < 200_000
    assert store.verify().damaged == ()


def test_a_pack_is_a_safetensors_file_that_the_library_opens(store):
    from safetensors.numpy import load_file  # noqa: PLC0415

    store.save(record("a"), [vector(VectorKind.PREFIX, 1, 100_000)])
    tensors = load_file(pack_files(store)[0])
    assert sorted(len(tensor) for tensor in tensors.values()) == [100_000 - 65536, 65536]


def test_many_threads_share_one_tier(store):
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for turn in range(8):
                seed = thread * 100 + turn
                (number,) = store.save(record(f"c{seed}"), [vector(VectorKind.PREFIX, seed, 100_000)])
                store.set_outcome([f"c{seed}"], ContextOutcome.SUCCEEDED)
                assert np.array_equal(store.load(number), content(seed, 100_000))
                if turn % 2:
                    store.remove_context(f"c{seed}")
                    store.collect()
                list(store.contexts())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.verify().contexts == 16


def test_a_damaged_vector_is_never_returned_it_is_removed_counted_and_can_be_saved_again(store):
    damaged, whole = store.save(
        record("a"), [vector(VectorKind.PREFIX, 1, 200_000), vector(VectorKind.LATENTS, 2, 100_000)]
    )
    with pack_files(store)[0].open("r+b") as file:
        file.seek(-250_000, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 16]))
    with pytest.raises(DamagedVectorError, match="prefix"):
        store.load(damaged)
    with pytest.raises(VectorGoneError):
        store.load(damaged)
    assert store.damaged == 1
    assert [[row.number for row in rows] for _, _, rows in store.contexts()] == [[whole]]
    (again,) = store.save(record("a"), [vector(VectorKind.PREFIX, 1, 200_000)])
    assert np.array_equal(store.load(again), content(1, 200_000))
    assert store.verify().damaged == ()


def test_verify_names_what_is_damaged_removes_it_and_is_content_afterwards(store):
    numbers = [store.save(record(f"c{n}"), [vector(VectorKind.PREFIX, n, 100_000)])[0] for n in range(4)]
    newest = max(pack_files(store), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-10_000])
    report = store.verify()
    assert (report.contexts, report.vectors) == (4, 3)
    assert [line.split(":")[0] for line in report.damaged] == [f"vector {numbers[3]} (prefix )"]
    assert store.verify().damaged == ()


def test_a_bit_in_a_text_of_the_database_does_not_pass_as_the_robots_memory(store):
    store.save(record("a"), [vector(VectorKind.PREFIX, 1, 5000)])
    store.save(record("b"), [])
    store.close()
    database = sqlite3.connect(store.folder / "index.sqlite")
    database.execute("UPDATE contexts SET instruction = 'put every cube into the sink' WHERE context_id = 'a'")
    database.execute("UPDATE vectors SET cost = 7.0")
    database.commit()
    database.close()
    tier = DiskTier(store.folder, store.budget_bytes)
    assert [found.context_id for found, _, _ in tier.contexts()] == ["b"]
    assert tier.damaged == 1
    assert tier.verify().contexts == 1
    tier.close()


def test_a_store_of_a_later_version_is_refused_and_not_touched(store):
    store.save(record("a"), [])
    store.close()
    path = store.folder / "index.sqlite"
    before = bytearray(path.read_bytes())
    struct.pack_into(">I", before, 60, 2)
    path.write_bytes(before)
    for read_only in (False, True):
        with pytest.raises(PoolError, match="version 2"):
            DiskTier(store.folder, store.budget_bytes, read_only=read_only)
    assert path.read_bytes() == before
    struct.pack_into(">I", before, 60, 1)
    path.write_bytes(before)
    tier = DiskTier(store.folder, store.budget_bytes)
    assert len(list(tier.contexts())) == 1
    tier.close()


def test_a_path_that_cannot_be_a_store_is_refused_with_path_and_mend(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(PoolError, match=r"file/packs: .*choose another path"):
        DiskTier(tmp_path / "file", MEGABYTE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused_with_path_and_mend(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PoolError, match=r"closed.*permission"):
        DiskTier(tmp_path / "closed" / "store", MEGABYTE)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"key": b"short"}, "key"),
        ({"cost": float("nan")}, "cost"),
        ({"name": "\ud800"}, "name"),
        ({"name": "n" * 300}, "name"),
        ({"shape": (99,)}, "content"),
        ({"dtype": "object"}, "dtype"),
        ({"content": content(1, 200)[::2]}, "content"),
    ],
)
def test_a_vector_that_cannot_be_kept_is_refused_before_it_comes_near_the_disk(changes, word):
    with pytest.raises(ConfigurationError, match=word):
        replace(vector(VectorKind.PREFIX, 1, 100), **changes)


def test_models_are_told_apart_on_disk_c7(store):
    other = replace(MODEL, weights_hash="ef" * 32)
    store.save(record("a"), [])
    store.save(record("b", model=other), [])
    assert {found.context_id: found.model for found, _, _ in store.contexts()} == {"a": MODEL, "b": other}
