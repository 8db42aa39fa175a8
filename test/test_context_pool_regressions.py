"""Known defects of caches like this one, each provoked: what the pool must never do."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from pool_cases import KIB, KINDS, LATENTS, MIB, PREFIX, options
from pool_model import MODELS, CheckedPool, content, context, input_key, model_key, unit

from ams_ros.context.hashing.modular import MODULUS, ModularHash
from ams_ros.context.local_store import LocalContextStore
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.records import ContextOutcome, ModelKey, NewContext, NewVector, VectorKind
from ams_ros.context.store import SimilarQuery
from ams_ros.errors import ConfigurationError, PoolError


@pytest.fixture
def memory_pool() -> Iterator[ContextPool]:
    pool = ContextPool(options())
    yield pool
    pool.check()
    pool.close()


def with_prefix(serial: int, nbytes: int = 40 * KIB, cost: float = 10.0, **fields: object) -> NewContext:
    """A context with latents and a large prefix of its own that takes long to compute."""
    new = context(serial, **fields)
    vector = NewVector(PREFIX, "", content(serial, nbytes), key_of(serial), cost)
    return NewContext(new.record, (vector, *new.vectors[2:]))


def key_of(serial: int) -> bytes:
    return serial.to_bytes(8, "little") * 4


def fetched(pool: ContextPool, serial: int) -> np.ndarray | None:
    found = pool.fetch(MODELS[0], (key_of(serial),))
    return found[key_of(serial)].array if found else None


def test_wrong_entry_returned_on_key_collision():
    first = content(1, 1280).view("<u4") % np.uint32(2**31)
    second = first.copy()
    second[7] += np.uint32(MODULUS)
    assert ModularHash().digest(first) == ModularHash().digest(second)
    assert not np.array_equal(first, second)
    pool = ContextPool(options(hash="modular"))
    try:
        for serial, words in enumerate((first, second, first)):
            latents = NewVector(LATENTS, "", words.view(np.uint8))
            pool.put(NewContext(context(serial).record, (latents,)))
        for serial, words in enumerate((first, second, first)):
            found = pool.context(MODELS[0], f"context-{serial}", 0, (LATENTS,))
            assert np.array_equal(found.vectors[0].array, words.view(np.uint8))
        assert pool.stats().stored_bytes == 2 * 1280, "the two that are equal are one, the one that collides is not"
        pool.check()
    finally:
        pool.close()


def test_buffer_not_yet_loaded_returned_as_a_hit(tmp_path, monkeypatch):
    pool = ContextPool(options(tmp_path / "store"))
    pool.put(with_prefix(1), durable=True)
    pool.close()
    pool = ContextPool(options(tmp_path / "store", promotion_seconds=0.0))
    reading, go_on = threading.Event(), threading.Event()
    load = pool._disk.load

    def slow_load(number):
        reading.set()
        assert go_on.wait(30.0)
        return load(number)

    monkeypatch.setattr(pool._disk, "load", slow_load)
    first = []
    thread = threading.Thread(target=lambda: first.append(fetched(pool, 1)))
    thread.start()
    assert reading.wait(30.0)
    assert pool.find(MODELS[0], (key_of(1),)).places == (), "its bytes are still on their way: a miss"
    assert fetched(pool, 1) is None
    go_on.set()
    thread.join()
    assert np.array_equal(first[0], content(1, 40 * KIB))
    assert np.array_equal(fetched(pool, 1), content(1, 40 * KIB))
    pool.check()
    pool.close()


@pytest.mark.parametrize("by", ["reference", "outcome", "bytes"])
def test_reference_leak_in_batched_eviction(memory_pool, by):
    for serial in range(40):
        memory_pool.put(context(serial, picture=serial % 3, latents=serial % 2))
    assert memory_pool.stats().contexts == 40
    if by == "reference":
        assert [memory_pool.evict(f"episode-{each}").contexts for each in range(10)] == [4] * 10
    elif by == "outcome":
        assert memory_pool.evict(outcome=ContextOutcome.UNKNOWN).contexts == 40
    else:
        assert memory_pool.evict(nbytes=10 * MIB).contexts == 40
    figures = memory_pool.stats()
    assert (figures.contexts, figures.host_bytes, figures.logical_bytes, figures.stored_bytes) == (0, 0, 0, 0)
    assert memory_pool.fetch(MODELS[0], (input_key(0, PREFIX, 1),)) == {}
    assert not memory_pool.might_have(input_key(0, PREFIX, 1))


def test_reference_leak_when_making_room_for_one_evicts_many(memory_pool):
    for serial in range(200):
        memory_pool.put(with_prefix(serial, cost=0.0))
        memory_pool.check()
    memory_pool.put(with_prefix(1000, nbytes=1000 * KIB))
    memory_pool.check()
    assert memory_pool.stats().drops >= 25
    assert np.array_equal(fetched(memory_pool, 1000), content(1000, 1000 * KIB))


def test_put_thread_dies_silently(memory_pool, monkeypatch):
    store = LocalContextStore(memory_pool)

    def fail(_):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(memory_pool, "put", fail)
    assert store.put(context(1))
    with pytest.raises(PoolError, match="no such luck"):
        store.drain()
    assert store.state == "storing has ended: RuntimeError('no such luck')"
    assert not store.put(context(2))
    assert store.dropped == 1
    with pytest.raises(PoolError, match="no such luck"):
        store.close()


def test_put_fails_once_the_vectors_of_before_a_restart_and_after_it_are_2048(tmp_path):
    def with_many(serial: int) -> NewContext:
        own = (NewVector(KINDS[0], f"{each}", content(100 * serial + each, 64), cost=1.0) for each in range(60))
        return NewContext(context(serial).record, tuple(own))

    for serials in (range(20), range(20, 40)):
        pool = ContextPool(options(tmp_path / "store"))
        for serial in serials:
            pool.put(with_many(serial))
        pool.check()
        pool.close()
    pool = ContextPool(options(tmp_path / "store"))
    assert pool.stats().contexts == 40
    pool.check()
    pool.close()


def test_offload_leak_until_hit_rate_is_0(tmp_path):
    pool = ContextPool(options(tmp_path / "store", host_bytes=256 * KIB))
    for serial in range(20):
        pool.put(with_prefix(serial))
    rates = []
    for _ in range(6):
        hits = [fetched(pool, serial) is not None for serial in range(20)]
        rates.append(sum(hits) / len(hits))
        for serial in range(20):
            lease = pool.find(MODELS[0], (key_of(serial),)).lease
            assert pool.release(lease.number)
    assert rates == [1.0] * 6, "what went to disk comes back, however often it went"
    assert pool.stats().demotions > 100, "the host tier holds only a few of them at once"
    pool.check()
    pool.close()


def test_lru_that_ignores_admissions():
    pool = ContextPool(options(policy="lru", host_bytes=192 * KIB))
    for serial in range(3):
        pool.put(with_prefix(serial, nbytes=50 * KIB))
        fetched(pool, 0)
    pool.put(with_prefix(3, nbytes=50 * KIB))
    assert fetched(pool, 3) is not None, "the newest was used last"
    assert fetched(pool, 0) is not None, "and the oldest, which was read, before it"
    assert fetched(pool, 1) is None
    pool.check()
    pool.close()


@pytest.mark.parametrize(
    "changed",
    [
        model_key(0, weights_hash="ff"),
        model_key(0, config_hash="c1"),
        model_key(0, model_id="pi0-large"),
        model_key(0, dtype="bfloat16"),
        model_key(0, calibration_id="after the fall"),
        model_key(0, robot="jaka_s5"),
        ModelKey(**{name: getattr(MODELS[0], name) for name in MODELS[0].__slots__} | {"cameras": ("wrist", "front")}),
    ],
    ids=["weights", "config", "model", "dtype", "calibration", "robot", "cameras"],
)
def test_stale_entry_after_model_change(memory_pool, changed):
    new = context(1)
    memory_pool.put(new)
    keys = (input_key(0, VectorKind.VISION, 0), input_key(0, PREFIX, 0))
    query = SimilarQuery(MODELS[0], new.record.instruction, new.record.embedding, (), 5)
    assert len(memory_pool.find(MODELS[0], keys).places) == len(memory_pool.similar(query)) + 1 == 2
    assert memory_pool.find(changed, keys).places == (), "C7"
    assert memory_pool.fetch(changed, keys) == {}
    assert not memory_pool.on_disk_only(changed, keys)
    other = SimilarQuery(changed, new.record.instruction, new.record.embedding, (), 5)
    assert memory_pool.similar(other) == ()
    for ask in (memory_pool.context, memory_pool.place_context):
        with pytest.raises(ConfigurationError, match="model of context context-1"):
            ask(changed, "context-1", 0, KINDS)
        with pytest.raises(ConfigurationError, match="model of context context-1"):
            ask(changed, "episode-0", 1, KINDS)
    with pytest.raises(PoolError, match="another model"):
        memory_pool.put(context(1, model=1))


@pytest.mark.parametrize("damage", ["torn", "flipped", "gone"])
def test_torn_disk_write(tmp_path, damage):
    pool = ContextPool(options(tmp_path / "store"))
    for serial in range(6):
        pool.put(with_prefix(serial), durable=True)
    pool.close()
    packs = sorted((tmp_path / "store" / "packs").iterdir())
    for pack in packs[:3]:
        whole = pack.read_bytes()
        if damage == "gone":
            pack.unlink()
        elif damage == "torn":
            pack.write_bytes(whole[: len(whole) // 2])
        else:
            pack.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    pool = ContextPool(options(tmp_path / "store"))
    contents = [fetched(pool, serial) for serial in range(6)]
    for serial, found in enumerate(contents):
        assert found is None or np.array_equal(found, content(serial, 40 * KIB)), "never a wrong byte"
    pool.verify()
    pool.check()
    assert pool.verify().damaged == ()
    # All of them share one vector of times, which went with the pack it lay in.
    left = [pool.context(MODELS[0], f"context-{serial}", 0, (PREFIX, LATENTS)) for serial in range(6)]
    whole = [each for each in left if each is not None and len(each.vectors) == 2]
    assert len(whole) < 6, "what was damaged is gone"
    assert len(whole) >= 3, "what was not is there"
    assert pool.stats().damaged > 0
    pool.close()


def test_promotion_of_a_damaged_vector_is_a_miss_and_the_entry_is_gone(tmp_path):
    pool = ContextPool(options(tmp_path / "store", host_bytes=128 * KIB))
    for serial in range(8):
        pool.put(with_prefix(serial))
    assert pool.on_disk_only(MODELS[0], (key_of(0),))
    for pack in (tmp_path / "store" / "packs").iterdir():
        whole = bytearray(pack.read_bytes())
        whole[len(whole) // 2] ^= 1
        pack.write_bytes(whole)
    assert pool.find(MODELS[0], (key_of(0),)).places == ()
    assert not pool.might_have(key_of(0))
    assert key_of(0) not in [place.key for place in pool.listing("context-0", vectors=True).contexts[0].places]
    assert pool.stats().damaged >= 1
    pool.check()
    pool.put(with_prefix(100))
    assert np.array_equal(fetched(pool, 100), content(100, 40 * KIB))
    pool.close()


def test_two_writers(tmp_path):
    pool = ContextPool(options(tmp_path / "store"))
    pool.put(context(1), durable=True)
    with pytest.raises(PoolError, match=r"context pool \(pid \d+"):
        ContextPool(options(tmp_path / "store"))
    reader = ContextPool(options(tmp_path / "store", read_only=True))
    assert [each.record.context_id for each in reader.listing().contexts] == ["context-1"]
    with pytest.raises(PoolError, match="read-only"):
        reader.put(context(2))
    reader.close()
    pool.put(context(2), durable=True)
    pool.close()
    again = ContextPool(options(tmp_path / "store"))
    assert again.stats().contexts == 2
    again.close()


@pytest.mark.parametrize("disk", [False, True])
def test_budget_exceeded(tmp_path, disk):
    limits = options(tmp_path / "store" if disk else None, host_bytes=128 * KIB, disk_bytes=2 * MIB)
    pool = ContextPool(limits)
    for serial in range(120):
        outcome = ContextOutcome.SUCCEEDED if serial % 10 == 0 else ContextOutcome.UNKNOWN
        pool.put(with_prefix(serial, outcome=outcome))
        figures = pool.stats()
        assert figures.host_bytes <= figures.host_budget == 128 * KIB
        assert figures.disk_bytes <= figures.disk_budget
    assert figures.evictions > 0, "contexts went for want of room"
    assert figures.succeeded > figures.contexts / 5, "those that succeeded last"
    before = pool.stats()
    with pytest.raises(PoolError):
        pool.put(with_prefix(999, nbytes=129 * KIB))
    after = pool.stats()
    assert (after.contexts, after.host_bytes) == (before.contexts, before.host_bytes), "C6: nothing went in vain"
    assert after.refused == before.refused + 1
    assert pool.record("context-999") is None
    assert not pool.might_have(key_of(999))
    pool.check()
    pool.close()


@pytest.mark.parametrize("policy", ["priority", "lru", "s3_fifo"])
def test_pinned_entry_evicted(tmp_path, policy):
    for path in (None, tmp_path / "store"):
        pool = ContextPool(options(path, host_bytes=256 * KIB, policy=policy))
        pool.put(with_prefix(0))
        assert pool.pin("context-0", True) == 1
        for serial in range(1, 60):
            pool.put(with_prefix(serial))
        assert np.array_equal(fetched(pool, 0), content(0, 40 * KIB))
        with pytest.raises(PoolError, match="context-0 pinned; unpin"):
            pool.evict("context-0")
        with pytest.raises(PoolError, match="context-0 pinned"):
            pool.evict("episode-0")
        pool.evict(outcome=ContextOutcome.UNKNOWN)
        pool.evict(nbytes=100 * MIB)
        assert [each.record.context_id for each in pool.listing().contexts] == ["context-0"]
        pool.check()
        pool.pin("context-0", False)
        assert pool.evict("context-0").contexts == 1
        pool.close()


def test_pool_filled_with_pins_refuses_and_loses_nothing():
    pool = ContextPool(options(host_bytes=120 * KIB))
    for serial in range(2):
        pool.put(with_prefix(serial), pinned=True)
    with pytest.raises(PoolError, match="host tier"):
        pool.put(with_prefix(2))
    assert pool.stats().contexts == 2
    assert all(fetched(pool, serial) is not None for serial in range(2))
    pool.check()
    pool.close()


def test_leased_bytes_moved_or_freed_under_the_reader():
    pool = ContextPool(options(host_bytes=256 * KIB))
    for serial in range(3):
        pool.put(with_prefix(serial))
    found = pool.find(MODELS[0], (key_of(1),))
    pieces = found.places[0].pieces
    for serial in range(10, 40):
        pool.put(with_prefix(serial))
    pool.evict("context-1")
    pool.evict(outcome=ContextOutcome.UNKNOWN)
    seen = np.concatenate([pool._areas[0].array[start : start + size] for start, size in pieces])
    assert np.array_equal(seen, content(1, 40 * KIB)), "the context is gone, its leased bytes are not"
    assert pool.stats().host_bytes == 40 * KIB
    assert pool.release(found.lease.number)
    assert pool.stats().host_bytes == 0
    pool.check()
    pool.close()


def test_similar_returns_a_context_that_is_gone_or_has_another_outcome_by_now(memory_pool):
    for serial in range(20):
        memory_pool.put(context(serial, embedding=unit(1), instruction="one"))
    query = SimilarQuery(MODELS[0], "one", unit(1), (ContextOutcome.SUCCEEDED,), 20)
    assert memory_pool.similar(query) == ()
    memory_pool.set_outcome("episode-1", ContextOutcome.SUCCEEDED)
    assert {match.context_id for match in memory_pool.similar(query)} == {f"context-{n}" for n in range(4, 8)}
    memory_pool.evict("context-5")
    memory_pool.set_outcome("context-6", ContextOutcome.FAILED)
    memory_pool.put(context(100, embedding=unit(1), instruction="one"))
    assert {match.context_id for match in memory_pool.similar(query)} == {"context-4", "context-7"}


def test_lru_that_ignores_that_a_vector_was_put_once_more():
    pool = ContextPool(options(policy="lru", host_bytes=192 * KIB))
    for serial in range(3):
        pool.put(with_prefix(serial, nbytes=50 * KIB))
    again = with_prefix(0, nbytes=50 * KIB)
    pool.put(NewContext(context(50).record, again.vectors))
    pool.put(with_prefix(3, nbytes=50 * KIB))
    assert fetched(pool, 0) is not None
    assert fetched(pool, 1) is None
    pool.check()
    pool.close()


@pytest.mark.parametrize("shared", [True, False])
def test_a_context_for_which_the_last_one_of_its_model_has_to_go_is_found_like_any_other(shared):
    pool = CheckedPool(None, "lru")
    try:
        pool.put(0, 0, -1, succeeded=False, durable=False, pinned=False)
        pool.fetch(0, 0)  # its latents are now the first to go, and it with them
        for picture in range(8):
            pool.put(1, picture, -1, succeeded=False, durable=False, pinned=False)
        assert pool.pool.stats().evictions == 0
        assert pool.expected["context-1"].context.record.model == MODELS[0]
        for picture in (0 if shared else 1, *range(2, 8)):
            pool.put(0, picture, -1, succeeded=False, durable=False, pinned=False)
            pool.compare()
            pool.fetch(0, picture)
            pool.similar(0, 0, (), 5)
    finally:
        pool.close()
