"""The context pool's tiers: what is demoted, dropped, evicted, and what survives the process (C3, C6)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from pool_cases import (
    INPUT_KEYS,
    KIB,
    KINDS,
    LATENTS,
    MIB,
    PREFIX,
    TIMES,
    VISION,
    fill,
    options,
    same,
    tiers,
)
from pool_model import INSTRUCTIONS, MODELS, content, context, input_key, unit

from ams_ros.context.host.shared_memory import area_exists
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import LEAST_HOST_BYTES
from ams_ros.context.pool.pool_records import DISK, HOST, NOWHERE
from ams_ros.context.records import ContextOutcome, VectorKind
from ams_ros.context.store import SimilarQuery
from ams_ros.errors import PoolError

ROOT = Path(__file__).resolve().parent.parent


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
    assert disk_pool.fetch(MODELS[0], INPUT_KEYS) == {}
    assert not disk_pool.might_have(INPUT_KEYS[1])
    disk_pool.put(context(50))
    assert tiers(disk_pool, "context-0")[PREFIX] == HOST, "both contexts share it"
    assert set(disk_pool.fetch(MODELS[0], INPUT_KEYS)) == set(INPUT_KEYS)


def test_a_shared_vector_on_disk_outlives_the_context_it_was_written_for(disk_pool):
    key = input_key(0, PREFIX, 1)
    disk_pool.put(context(1, picture=1), durable=True)
    disk_pool.put(context(2, picture=1))
    for serial in range(100, 112):
        # Its own vectors are in use all the time, so that only the shared one leaves the host tier.
        disk_pool.context(None, "context-2", 0, (LATENTS, TIMES))
        fill(disk_pool, 1, first=serial)
    assert tiers(disk_pool, "context-2") == {VISION: DISK, PREFIX: DISK, LATENTS: HOST, TIMES: HOST}
    assert disk_pool.evict("context-1").contexts == 1
    assert np.array_equal(disk_pool.fetch(MODELS[0], (key,))[key].array, context(2, picture=1).vectors[1].array)


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
    from pool_cases import options
    from ams_ros.context.pool.pool import ContextPool
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
