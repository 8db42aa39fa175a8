"""The context pool: what it keeps, finds, demotes and gives back (C1-C7)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from pool_model import INSTRUCTIONS, KINDS, MODELS, content, context, input_key, unit

from ams_ros.context.key_board import KeyBoardReader
from ams_ros.context.local_store import LocalContextStore
from ams_ros.context.pool import ContextPool
from ams_ros.context.pool_options import LEAST_HOST_BYTES, PoolOptions
from ams_ros.context.pool_records import DISK, HOST, NOWHERE, PoolFigures
from ams_ros.context.records import ContextOutcome, ContextRecord, NewContext, NewVector, VectorKind
from ams_ros.context.shared_memory import SharedArea, area_exists
from ams_ros.context.store import SimilarQuery
from ams_ros.context.warm_memory import LEAST_BYTES, WarmMemory
from ams_ros.errors import ConfigurationError, PoolError

ROOT = Path(__file__).resolve().parent.parent
KIB, MIB = 2**10, 2**20
VISION, PREFIX, LATENTS, TIMES = VectorKind.VISION, VectorKind.PREFIX, VectorKind.LATENTS, VectorKind.TIMES
KEYS = tuple(input_key(0, kind, 0) for kind in (VISION, PREFIX))


def options(path: Path | None = None, **changes: object) -> PoolOptions:
    given = {"host_bytes": MIB, "disk_bytes": 64 * MIB, "segment_bytes": 4096, "board_keys": 256, "store": "test-pool"}
    return PoolOptions(path=path, **{**given, **changes})


@pytest.fixture
def pool() -> Iterator[ContextPool]:
    """Without a disk."""
    opened = ContextPool(options())
    yield opened
    opened.check()
    opened.close()


@pytest.fixture
def disk_pool(tmp_path: Path) -> Iterator[ContextPool]:
    opened = ContextPool(options(tmp_path / "store", host_bytes=64 * KIB, policy="lru"))
    yield opened
    opened.check()
    opened.close()


def same(first: ContextRecord, second: ContextRecord) -> bool:
    return all(np.array_equal(getattr(first, each.name), getattr(second, each.name)) for each in fields(ContextRecord))


def tiers(pool: ContextPool, reference: str) -> dict[VectorKind, str]:
    listing = pool.listing(reference, vectors=True)
    return {place.kind: place.tier for place in listing.contexts[0].places}


def fill(pool: ContextPool, count: int, first: int = 100) -> None:
    for serial in range(first, first + count):
        new = context(serial)
        large = NewVector(VectorKind.OUTPUT, "", content(serial, 9 * KIB))
        pool.put(NewContext(new.record, (*new.vectors[2:], large)))


# What goes in comes out.


def test_a_context_comes_back_as_it_was_put_c1(pool):
    new = context(7, outcome=ContextOutcome.FAILED, guided_by="context-3")
    result = pool.put(new)
    assert (result.known, result.new_bytes) == (False, pool.stats().host_bytes)
    found = pool.context(MODELS[0], "context-7", 0, KINDS)
    assert same(found.record, new.record)
    assert same(pool.record("context-7"), new.record)
    for vector in new.vectors:
        back = found.vector(vector.kind, vector.name)
        assert (back.array.dtype, back.array.shape, back.tier) == (vector.array.dtype, vector.array.shape, HOST)
        assert np.array_equal(back.array, vector.array)
        back.array[...] = 0
    assert np.array_equal(pool.context(MODELS[0], "context-7", 0, (LATENTS,)).vectors[0].array, new.vectors[2].array)


def test_a_context_is_found_by_its_episode_and_its_index_in_it(pool):
    for serial in range(8):
        pool.put(context(serial))
    assert pool.context(MODELS[0], "episode-1", 2, ()).record.context_id == "context-6"
    assert pool.context(MODELS[0], "episode-1", 4, ()) is None
    assert pool.context(None, "episode-2", 0, ()) is None
    pool.put(context(20, episode="episode-1", index=2))
    assert pool.context(MODELS[0], "episode-1", 2, ()).record.context_id == "context-20", "the newest of that index"


def test_what_was_put_is_put_once(pool):
    pool.put(context(1))
    before = pool.stats()
    assert pool.put(context(1)).known
    assert pool.put(context(1)).new_bytes == 0
    assert (pool.stats().puts, pool.stats().host_bytes) == (1, before.host_bytes)


def test_vectors_of_the_same_input_and_model_are_one_c5(pool):
    pool.put(context(1))
    one = pool.stats()
    result = pool.put(context(2))
    assert result.new_bytes == 1280, "only its latents are new; its times are equal to the other's"
    both = pool.stats()
    assert both.logical_bytes == 2 * one.logical_bytes
    assert both.stored_bytes == one.stored_bytes + 1280
    pool.evict("context-1")
    assert np.array_equal(pool.fetch(MODELS[0], KEYS)[KEYS[1]].array, context(2).vectors[1].array)
    assert pool.stats().host_bytes == one.host_bytes


def test_a_key_that_stands_for_another_vector_is_refused_and_leaves_no_trace(pool):
    pool.put(context(1))
    before = pool.stats()
    wrong = NewVector(PREFIX, "", content(1, 100), KEYS[0])
    for vectors in ((wrong,), (wrong, NewVector(LATENTS, "", content(2, 100), KEYS[0]))):
        with pytest.raises(ConfigurationError, match="key"):
            pool.put(NewContext(context(2).record, vectors))
    assert pool.record("context-2") is None
    assert pool.stats() == before


@pytest.mark.parametrize(
    ("vector", "named"),
    [
        (NewVector(LATENTS, "", content(1, 10), cost=-1.0), "cost of vector latents of context context-1"),
        (NewVector(LATENTS, "", content(1, 10), cost=float("nan")), "cost of vector latents"),
        (NewVector(VISION, "x" * 300, content(1, 10)), "name of vector vision of context context-1"),
    ],
)
def test_a_vector_that_no_tier_could_keep_is_refused(pool, vector, named):
    with pytest.raises(ConfigurationError, match=named):
        pool.put(NewContext(context(1).record, (vector,)))
    assert pool.stats().contexts == 0


def test_an_embedding_that_cannot_be_compared_with_the_others_is_refused_and_leaves_no_trace(pool):
    pool.put(context(0))
    before = pool.stats()
    with pytest.raises(ConfigurationError, match="embedding"):
        pool.put(context(2, embedding=unit(1, 16)))
    assert pool.stats() == before


# Looking up.


def test_found_vectors_lie_in_shared_memory_under_a_lease_c3(pool):
    pool.put(context(1))
    found = pool.find(MODELS[0], (*KEYS, input_key(0, PREFIX, 5)))
    assert [place.key for place in found.places] == list(KEYS)
    area = SharedArea.open(*pool.memory)
    for place, vector in zip(found.places, context(1).vectors, strict=False):
        seen = np.concatenate([area.array[start : start + size] for start, size in place.pieces])
        assert np.array_equal(seen.view(place.dtype).reshape(place.shape), vector.array)
    area.close()
    assert pool.stats().leases == 1
    assert pool.release(found.lease.number)
    assert not pool.release(found.lease.number)
    assert not pool.release(12345)
    assert (pool.stats().leases, pool.stats().hits, pool.stats().misses) == (0, 2, 1)


def test_a_lease_ends_at_its_deadline():
    now = [100.0]
    pool = ContextPool(options(lease_seconds=3.0), clock=lambda: now[0])
    pool.put(context(1))
    placed = pool.place_context(MODELS[0], "context-1", 0, (LATENTS, TIMES))
    assert (placed.lease.deadline, len(placed.places)) == (103.0, 2)
    now[0] = 102.9
    assert not pool.expire()
    now[0] = 103.1
    assert pool.expire()
    assert not pool.release(placed.lease.number)
    pool.check()
    pool.close()


def test_nothing_found_is_no_lease(pool):
    pool.put(context(1))
    assert pool.find(MODELS[0], ()).lease is None
    assert pool.find(MODELS[0], (bytes(32),)).lease is None
    placed = pool.place_context(None, "context-1", 0, ())
    assert (placed.places, placed.lease, placed.pinned) == ((), None, False)
    assert pool.place_context(None, "nobody", 0, KINDS) is None


def test_a_look_up_does_not_wait_for_whoever_moves_bytes(pool):
    for serial in range(8):
        pool.put(context(serial))
    with pool._work:
        answers = []

        def ask() -> None:
            query = SimilarQuery(MODELS[0], INSTRUCTIONS[0], unit(2), (), 1)
            answers.append(pool.find(MODELS[0], KEYS).lease.number)
            answers.append(pool.similar(query)[0].context_id)
            answers.append(pool.context(MODELS[0], "context-2", 0, KINDS).record.context_id)
            answers.append(pool.listing().total)
            answers.append(pool.stats().contexts)
            answers.append(pool.release(answers[0]))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        assert answers[1:] == ["context-2", "context-2", 8, 8, True]


def test_similar_contexts_are_those_of_the_model_instruction_and_outcomes_most_similar_first_c2(pool):
    for serial in range(40):
        pool.put(context(serial, model=serial % 4 // 2))
    pool.set_outcome("episode-3", ContextOutcome.SUCCEEDED)
    pool.set_outcome("episode-4", ContextOutcome.FAILED)
    query = SimilarQuery(MODELS[0], INSTRUCTIONS[0], unit(12), (), 50)
    found = pool.similar(query)
    assert {match.context_id for match in found} == {f"context-{serial}" for serial in range(0, 40, 4)}
    assert found[0].context_id == "context-12"
    assert found[0].similarity == pytest.approx(1.0, abs=1e-3)
    assert [match.similarity for match in found] == sorted((match.similarity for match in found), reverse=True)
    wanted = (ContextOutcome.SUCCEEDED, ContextOutcome.FAILED)
    limited = pool.similar(SimilarQuery(MODELS[0], INSTRUCTIONS[0], unit(12), wanted, 50, exact=True))
    assert [(match.context_id, match.outcome) for match in limited] == [
        ("context-12", ContextOutcome.SUCCEEDED),
        ("context-16", ContextOutcome.FAILED),
    ]


def test_the_board_tells_other_processes_which_keys_are_worth_asking_for(pool):
    area = SharedArea.open(*pool.key_board)
    board = KeyBoardReader(area.array.data)
    assert not board.might_have(KEYS[0])
    pool.put(context(1))
    assert board.might_have(KEYS[0])
    pool.evict("context-1")
    assert not board.might_have(KEYS[0])
    board.close()
    area.close()


# Tiers.


def test_what_leaves_the_host_tier_is_dropped_when_cheap_and_written_when_not_c6(disk_pool):
    disk_pool.put(context(0, picture=0))
    disk_pool.put(context(1, picture=1))
    fill(disk_pool, 12)
    assert tiers(disk_pool, "context-0") == {VISION: NOWHERE, PREFIX: NOWHERE, LATENTS: DISK, TIMES: DISK}
    assert tiers(disk_pool, "context-1")[PREFIX] == DISK, "its computation takes 10 s"
    figures = disk_pool.stats()
    assert figures.drops == 3
    assert figures.demotions >= 3
    assert figures.evictions == 0


def test_what_lies_on_disk_is_brought_back_when_it_is_asked_for(disk_pool):
    disk_pool.put(context(1, picture=1))
    key = input_key(0, PREFIX, 1)
    fill(disk_pool, 12)
    assert disk_pool.on_disk_only(MODELS[0], (key,))
    assert disk_pool.context_on_disk_only("context-1", 0, (LATENTS,))
    found = disk_pool.find(MODELS[0], (key,))
    assert found.places[0].tier == DISK, "where it lay"
    assert not disk_pool.on_disk_only(MODELS[0], (key,))
    assert disk_pool.find(MODELS[0], (key,)).places[0].tier == HOST
    back = disk_pool.context(MODELS[0], "context-1", 0, KINDS)
    assert {vector.kind: vector.tier for vector in back.vectors} == {PREFIX: HOST, LATENTS: DISK, TIMES: DISK}
    for vector in back.vectors:
        assert np.array_equal(
            vector.array, {each.kind: each.array for each in context(1, picture=1).vectors}[vector.kind]
        )


def test_a_dropped_vector_is_whole_again_when_somebody_computes_it_anew(disk_pool):
    disk_pool.put(context(0))
    fill(disk_pool, 12)
    assert tiers(disk_pool, "context-0")[PREFIX] == NOWHERE
    assert disk_pool.fetch(MODELS[0], KEYS) == {}
    assert not disk_pool.might_have(KEYS[1])
    disk_pool.put(context(50))
    assert tiers(disk_pool, "context-0")[PREFIX] == HOST, "both contexts share it"
    assert set(disk_pool.fetch(MODELS[0], KEYS)) == set(KEYS)


def test_without_a_disk_whole_contexts_go_failed_ones_first_succeeded_ones_last_c6():
    pool = ContextPool(options(host_bytes=256 * KIB))
    fill(pool, 22, first=0)
    pool.set_outcome("episode-1", ContextOutcome.SUCCEEDED)
    pool.set_outcome("episode-4", ContextOutcome.FAILED)
    fill(pool, 6, first=100)
    left = {each.record.context_id for each in pool.listing(limit=100).contexts}
    assert left >= {"context-4", "context-5", "context-6", "context-7"}
    assert not left & {"context-16", "context-17", "context-18", "context-19"}
    assert "context-0" in left, "others of unknown outcome had not yet to go"
    fill(pool, 60, first=200)
    assert pool.stats().succeeded == 4
    pool.check()
    pool.close()


def test_on_a_full_disk_whole_contexts_go_failed_ones_first_and_pinned_ones_never(tmp_path):
    pool = ContextPool(options(tmp_path / "store", host_bytes=64 * KIB, disk_bytes=2 * MIB))
    fill(pool, 20, first=0)
    pool.set_outcome("episode-0", ContextOutcome.FAILED)
    pool.set_outcome("episode-1", ContextOutcome.SUCCEEDED)
    pool.pin("episode-2", True)
    fill(pool, 400)
    figures = pool.stats()
    assert figures.evictions > 50
    assert figures.disk_bytes <= figures.disk_budget
    assert (figures.failed, figures.succeeded, figures.pinned) == (0, 4, 4)
    for serial in (4, 5, 6, 7, 8, 9, 10, 11):
        back = pool.context(MODELS[0], f"context-{serial}", 0, (LATENTS, VectorKind.OUTPUT))
        assert np.array_equal(back.vectors[1].array, content(serial, 9 * KIB))
    pool.check()
    pool.close()


# Disk and restart.


def test_contexts_on_disk_are_found_again_after_a_restart(tmp_path):
    pool = ContextPool(options(tmp_path / "store"))
    for serial in range(12):
        pool.put(context(serial, picture=1))
    pool.set_outcome("episode-1", ContextOutcome.SUCCEEDED)
    pool.set_outcome("context-0", ContextOutcome.FAILED)
    pool.pin("context-9", True)
    pool.close()
    pool = ContextPool(options(tmp_path / "store"))
    assert pool.findings == ()
    figures = pool.stats()
    assert (figures.contexts, figures.succeeded, figures.failed, figures.pinned) == (12, 4, 1, 1)
    for serial in range(12):
        record = pool.record(f"context-{serial}")
        expected = context(serial, picture=1, outcome=record.outcome).record
        assert same(record, expected)
    assert pool.listing("context-9").contexts[0].pinned
    found = pool.similar(SimilarQuery(MODELS[0], INSTRUCTIONS[0], unit(4), (ContextOutcome.SUCCEEDED,), 1))
    assert found[0].context_id == "context-4"
    key = input_key(0, PREFIX, 1)
    assert pool.might_have(key)
    assert np.array_equal(pool.fetch(MODELS[0], (key,))[key].array, context(1, picture=1).vectors[1].array)
    assert pool.put(context(3, picture=1)).known
    pool.check()
    pool.close()


def test_closing_keeps_what_fits_the_best_first(tmp_path):
    pool = ContextPool(options(tmp_path / "store", host_bytes=8 * MIB, disk_bytes=2 * MIB))
    fill(pool, 400, first=0)
    pool.set_outcome("episode-3", ContextOutcome.FAILED)
    pool.pin("episode-5", True)
    pool.close()
    pool = ContextPool(options(tmp_path / "store", disk_bytes=2 * MIB))
    figures = pool.stats()
    assert 40 < figures.contexts < 200
    assert (figures.pinned, figures.failed) == (4, 0)
    assert figures.disk_bytes <= figures.disk_budget
    assert pool.record("context-399") is not None, "of those alike the newest"
    pool.check()
    pool.close()


KILLED = """
    import os, signal, sys
    sys.path.insert(0, sys.argv[2])
    from pathlib import Path
    from pool_model import context
    from test_context_pool import options
    from ams_ros.context.pool import ContextPool
    from ams_ros.context.records import ContextOutcome
    pool = ContextPool(options(Path(sys.argv[1])))
    for serial in range(8):
        pool.put(context(serial, picture=serial % 2), durable=serial < 4)
    pool.set_outcome("context-6", ContextOutcome.SUCCEEDED)
    pool.set_outcome("context-1", ContextOutcome.FAILED)
    print(pool.memory[0], pool.key_board[0], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_acknowledged_as_durable_survives_a_kill_and_no_shared_memory_does(tmp_path):
    store = tmp_path / "store"
    arguments = [sys.executable, "-c", textwrap.dedent(KILLED), str(store), str(ROOT / "test")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == -signal.SIGKILL, done.stderr
    areas = done.stdout.split()
    assert all(area_exists(name) for name in areas)
    pool = ContextPool(options(store))
    assert not any(area_exists(name) for name in areas), "the next pool removes what the killed one left"
    assert {each.record.context_id for each in pool.listing().contexts} == {f"context-{n}" for n in (0, 1, 2, 3, 6)}
    assert pool.record("context-1").outcome is ContextOutcome.FAILED
    assert pool.record("context-6").outcome is ContextOutcome.SUCCEEDED
    for serial in range(4):
        found = pool.context(MODELS[0], f"context-{serial}", 0, KINDS)
        assert len(found.vectors) == 4, "a durable put keeps the cheap vectors too"
        for vector, put in zip(found.vectors, context(serial, picture=serial % 2).vectors, strict=True):
            assert np.array_equal(vector.array, put.array)
    assert len(pool.context(MODELS[0], "context-6", 0, (LATENTS, TIMES)).vectors) == 2
    pool.check()
    pool.close()


def test_durable_without_a_disk_is_refused_and_leaves_no_trace(pool):
    with pytest.raises(PoolError, match="no disk tier"):
        pool.put(context(1), durable=True)
    figures = pool.stats()
    assert (figures.contexts, figures.host_bytes, figures.refused) == (0, 0, 1)


def test_a_store_is_looked_at_while_another_process_writes_it(tmp_path):
    pool = ContextPool(options(tmp_path / "store"))
    pool.put(context(1, picture=1), durable=True)
    reader = ContextPool(options(tmp_path / "store", read_only=True))
    assert reader.stats().host_budget == LEAST_HOST_BYTES
    assert tiers(reader, "context-1") == dict.fromkeys((VISION, PREFIX, LATENTS, TIMES), DISK)
    found = reader.context(None, "context-1", 0, KINDS)
    assert np.array_equal(found.vector(LATENTS).array, context(1).vectors[2].array)
    assert reader.export(tmp_path / "carried").contexts == 1
    assert reader.verify().damaged == ()
    for refused in (
        lambda: reader.put(context(2)),
        lambda: reader.pin("context-1", True),
        lambda: reader.evict("context-1"),
        lambda: reader.set_outcome("context-1", ContextOutcome.FAILED),
    ):
        with pytest.raises(PoolError, match="read-only"):
            refused()
    reader.close()
    pool.close()


def test_exported_contexts_are_taken_in_elsewhere(tmp_path, pool):
    for serial in range(6):
        pool.put(context(serial, picture=serial % 2))
    pool.set_outcome("context-2", ContextOutcome.SUCCEEDED)
    pool.pin("context-3", True)
    assert pool.export(tmp_path / "all").contexts == 6
    assert pool.export(tmp_path / "some", "episode-0").contexts == 4
    with pytest.raises(PoolError, match="exists already"):
        pool.export(tmp_path / "all")
    other = ContextPool(options(tmp_path / "store"))
    other.put(context(5))
    done = other.import_file(tmp_path / "all")
    assert (done.contexts, done.known, done.skipped) == (5, 1, ())
    assert other.record("context-2").outcome is ContextOutcome.SUCCEEDED
    assert other.listing("context-3").contexts[0].pinned
    for serial in range(5):
        new = context(serial, picture=serial % 2)
        found = other.context(MODELS[0], f"context-{serial}", 0, KINDS)
        assert all(np.array_equal(found.vector(each.kind, each.name).array, each.array) for each in new.vectors)
    other.check()
    other.close()


def test_a_damaged_or_unfitting_part_of_an_import_is_skipped_and_told(tmp_path, pool):
    for serial in range(6):
        pool.put(context(serial, picture=serial))
    pool.export(tmp_path / "all")
    whole = bytearray((tmp_path / "all").read_bytes())
    place = bytes(whole).index(context(3, picture=3).vectors[2].array.tobytes())
    whole[place + 5] ^= 255
    (tmp_path / "all").write_bytes(whole)
    other = ContextPool(options())
    done = other.import_file(tmp_path / "all")
    assert (done.contexts, done.known, len(done.skipped)) == (5, 0, 1)
    assert done.skipped[0].startswith("context-3: ")
    assert other.record("context-3") is None
    other.check()
    other.close()


# What people do with it.


def test_a_listing_shows_the_newest_first_in_parts(pool):
    for serial in range(10):
        pool.put(context(serial))
    pool.set_outcome("episode-1", ContextOutcome.FAILED)
    page = pool.listing(offset=2, limit=3)
    assert (page.total, [each.record.context_id for each in page.contexts]) == (10, [f"context-{n}" for n in (7, 6, 5)])
    assert all(each.places == () for each in page.contexts)
    assert pool.listing(outcome=ContextOutcome.FAILED).total == 4
    assert pool.listing("episode-1", ContextOutcome.UNKNOWN).total == 0
    assert [each.record.context_id for each in pool.listing("context-3").contexts] == ["context-3"]
    place = pool.listing("context-3", vectors=True).contexts[0].places[1]
    assert (place.kind, place.key, place.nbytes, place.tier, place.pieces) == (PREFIX, KEYS[1], 2048, HOST, ())


def test_what_nobody_has_is_told_by_a_zero(pool):
    assert pool.set_outcome("nobody", ContextOutcome.FAILED) == 0
    assert pool.pin("nobody", True) == 0
    assert pool.evict("nobody").contexts == 0
    assert pool.record("nobody") is None


@pytest.mark.parametrize(
    "arguments", [{}, {"reference": "x", "nbytes": 5}, {"outcome": ContextOutcome.FAILED, "nbytes": 1}, {"nbytes": -1}]
)
def test_evict_wants_exactly_one_thing(pool, arguments):
    with pytest.raises(ConfigurationError, match="one of reference, outcome and bytes"):
        pool.evict(**arguments)


def test_evicting_bytes_frees_at_least_so_many_of_host_and_disk(disk_pool):
    fill(disk_pool, 40)
    before = disk_pool.stats()
    done = disk_pool.evict(nbytes=100 * KIB)
    after = disk_pool.stats()
    assert done.bytes == before.host_bytes + before.disk_bytes - after.host_bytes - after.disk_bytes >= 100 * KIB
    assert 0 < done.contexts < 40
    assert after.contexts == 40 - done.contexts


def test_figures_are_those_of_the_message():
    message = (ROOT / "msg" / "PoolStats.msg").read_text()
    names = re.findall(r"^(?:uint64|string) (\w+)", message, re.MULTILINE)
    assert [each.name for each in fields(PoolFigures)] == names


def test_after_close_nothing_is_left_and_everything_says_so(tmp_path):
    pool = ContextPool(options(tmp_path / "store"))
    pool.put(context(1))
    names = [pool.memory[0], pool.key_board[0]]
    lease = pool.find(MODELS[0], KEYS).lease
    pool.close()
    pool.close()
    assert not any(area_exists(name) for name in names)
    for refused in (
        lambda: pool.put(context(2)),
        lambda: pool.find(MODELS[0], KEYS),
        pool.stats,
        pool.listing,
        pool.verify,
    ):
        with pytest.raises(PoolError, match="closed"):
            refused()
    assert not pool.release(lease.number)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("host_bytes", 100),
        ("disk_bytes", 5),
        ("segment_bytes", 1000),
        ("segment_bytes", 4100),
        ("policy", "fifo"),
        ("hash", "md5"),
        ("lease_seconds", float("nan")),
        ("promotion_seconds", -1.0),
        ("read_rate", 0.0),
        ("board_keys", 0),
        ("store", "a b"),
        ("read_only", True),
    ],
)
def test_options_that_cannot_work_are_refused_by_name(key, value):
    with pytest.raises(ConfigurationError, match=key):
        options(**{key: value})


def test_the_size_of_the_host_tier_is_chosen_by_what_is_free(monkeypatch):
    room = os.statvfs("/dev/shm")
    free = room.f_bavail * room.f_frsize
    chosen = PoolOptions().chosen_host_bytes()
    assert 4 * MIB <= chosen <= 512 * MIB
    assert chosen <= max(4 * MIB, free // 2)
    assert PoolOptions(host_bytes=MIB).chosen_host_bytes() == MIB

    class Small:
        f_bavail, f_frsize = 64 * 256, 4096

    monkeypatch.setattr(os, "statvfs", lambda path: Small)
    assert PoolOptions().chosen_host_bytes() == 16 * MIB


# Several threads; the store of one process.


def test_threads_that_put_find_evict_and_verify_at_once_leave_true_books(tmp_path):
    pool = ContextPool(options(tmp_path / "store", host_bytes=96 * KIB, disk_bytes=2 * MIB))
    stop, errors = threading.Event(), []

    def repeat(work):
        def run() -> None:
            step = 0
            try:
                while not stop.is_set():
                    step += 1
                    work(step)
            except BaseException as error:
                errors.append(error)
                stop.set()

        return threading.Thread(target=run)

    def look(step: int) -> None:
        keys = tuple(input_key(0, PREFIX, number % 8) for number in (step, step + 1))
        found = pool.find(MODELS[0], keys)
        for number, (key, vector) in enumerate(pool.fetch(MODELS[0], keys).items()):
            picture = key[2] - 1
            assert np.array_equal(vector.array, context(1, picture=picture).vectors[1].array), number
        if found.lease is not None:
            pool.release(found.lease.number)
        for match in pool.similar(SimilarQuery(MODELS[0], INSTRUCTIONS[step % 2], unit(step), (), 3)):
            back = pool.context(MODELS[0], match.context_id, 0, (LATENTS,))
            if back is not None and back.vectors:
                serial = int(match.context_id.removeprefix("context-"))
                assert np.array_equal(back.vectors[0].array, context(serial).vectors[2].array)

    def curate(step: int) -> None:
        pool.set_outcome(f"context-{step * 3 % 200}", list(ContextOutcome)[step % 3])
        pool.evict(f"context-{step * 7 % 200}") if step % 5 else pool.evict(nbytes=10_000)
        pool.stats(), pool.listing(limit=3, vectors=True), pool.expire()
        assert pool.verify().damaged == ()

    threads = [repeat(look), repeat(look), repeat(curate)]
    for thread in threads:
        thread.start()
    for serial in range(250):
        pool.put(context(serial, picture=serial % 8))
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    pool.check()
    pool.close()


def test_a_local_store_gives_what_the_pool_has_and_stores_behind_the_back(pool):
    store = LocalContextStore(pool)
    assert store.state == "connected"
    assert store.put(context(1))
    store.drain()
    assert (store.stored, store.refused, store.dropped) == (1, 0, 0)
    assert store.might_have(KEYS[0])
    assert set(store.fetch(MODELS[0], KEYS)) == set(KEYS)
    assert store.similar(SimilarQuery(MODELS[0], INSTRUCTIONS[1], unit(1), (), 1))[0].context_id == "context-1"
    assert store.context(MODELS[0], "episode-0", 1, (LATENTS,)).record.context_id == "context-1"
    with pytest.raises(ConfigurationError):
        store.context(MODELS[1], "context-1", 0, ())
    store.close()
    assert store.state == "absent"
    assert not store.put(context(2))
    assert not store.might_have(KEYS[0])


def test_a_local_store_drops_and_counts_what_finds_its_queue_full(pool):
    store = LocalContextStore(pool, queue=2)
    with pool._work:
        taken = [store.put(context(serial)) for serial in range(10)]
    store.drain()
    assert taken.count(True) in (2, 3), "two wait, one may be under way"
    assert (store.stored, store.dropped) == (taken.count(True), taken.count(False))
    store.close()


def test_a_local_store_counts_what_the_pool_refused_and_says_why(pool):
    store = LocalContextStore(pool)
    huge = NewVector(LATENTS, "", content(1, 2 * MIB))
    store.put(NewContext(context(1).record, (huge,)))
    store.put(context(2))
    store.drain()
    assert (store.stored, store.refused, store.state) == (1, 1, "connected")
    assert "host tier" in store.refusal
    store.close()


def test_memory_of_a_fetched_array_is_used_again_only_when_no_view_of_it_is_left():
    memory = WarmMemory()
    first = memory.empty(LEAST_BYTES + 100)
    place = first.ctypes.data
    part = first.view(np.uint16).reshape(-1, 2)[5:]
    del first
    part[...] = 7
    second = memory.empty(LEAST_BYTES + 100)
    second[...] = 9
    assert (part == 7).all(), "a view of the first is still there"
    del part
    third = memory.empty(LEAST_BYTES + 90)
    assert third.ctypes.data == place
    assert len(third) == LEAST_BYTES + 90
    assert memory.empty(100).shape == (100,)


def test_a_local_store_of_a_closed_pool_has_nothing_and_raises_nothing():
    pool = ContextPool(options())
    store = LocalContextStore(pool)
    pool.close()
    assert store.fetch(MODELS[0], KEYS) == {}
    assert store.similar(SimilarQuery(MODELS[0], INSTRUCTIONS[0], unit(1), (), 1)) == ()
    assert store.context(MODELS[0], "context-1", 0, ()) is None
    assert store.state == "the context pool is closed"
    store.close()
    with pytest.raises(ConfigurationError, match="queue"):
        LocalContextStore(pool, queue=0)
