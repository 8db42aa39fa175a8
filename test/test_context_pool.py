"""The context pool: what goes in comes out, and is found (C1, C2, C4, C5, C7)."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
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
    options,
    same,
)
from pool_model import INSTRUCTIONS, MODELS, content, context, input_key, unit

from ams_ros.context.host.shared_memory import SharedArea
from ams_ros.context.index.key_board import KeyBoardReader
from ams_ros.context.memory.warm_memory import LEAST_BYTES, WarmMemory
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_records import HOST
from ams_ros.context.records import ContextOutcome, NewContext, NewVector
from ams_ros.context.store import SimilarQuery
from ams_ros.errors import ConfigurationError


def test_a_closed_pool_gives_its_shared_memory_back_without_a_collection_of_garbage():
    gc.disable()
    try:
        pool = ContextPool(options())
        pool.put(context(1))
        names = pool.memory[0], pool.key_board[0]
        assert all(name in Path("/proc/self/maps").read_text() for name in names)
        pool.close()
        assert not any(name in Path("/proc/self/maps").read_text() for name in names)
    finally:
        gc.enable()


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


def test_an_embedding_is_rounded_to_half_precision_once_and_stays_so_wherever_it_lies(pool):
    new = context(7)
    row = np.random.default_rng(1).standard_normal(128).astype(np.float32)
    exact = row / np.linalg.norm(row)
    pool.put(NewContext(replace(new.record, embedding=exact), new.vectors))
    rounded = pool.record("context-7").embedding
    assert rounded.dtype == np.float32
    assert np.array_equal(rounded, exact.astype(np.float16))
    pool.set_outcome("context-7", ContextOutcome.FAILED)
    assert np.array_equal(pool.record("context-7").embedding, rounded)
    again = replace(pool.record("context-7"), context_id="again")
    pool.put(NewContext(again, new.vectors))
    assert np.array_equal(pool.record("again").embedding, rounded)
    # Where embeddings of that outcome have another length it is not indexed any more, but kept.
    short = replace(context(8).record, outcome=ContextOutcome.SUCCEEDED)
    pool.put(NewContext(short, ()))
    pool.set_outcome("again", ContextOutcome.SUCCEEDED)
    assert np.array_equal(pool.record("again").embedding, rounded)
    pool.check()


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
    assert np.array_equal(pool.fetch(MODELS[0], INPUT_KEYS)[INPUT_KEYS[1]].array, context(2).vectors[1].array)
    assert pool.stats().host_bytes == one.host_bytes


def test_a_key_that_stands_for_another_vector_is_refused_and_leaves_no_trace(pool):
    pool.put(context(1))
    before = pool.stats()
    wrong = NewVector(PREFIX, "", content(1, 100), INPUT_KEYS[0])
    for vectors in ((wrong,), (wrong, NewVector(LATENTS, "", content(2, 100), INPUT_KEYS[0]))):
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
    found = pool.find(MODELS[0], (*INPUT_KEYS, input_key(0, PREFIX, 5)))
    assert [place.key for place in found.places] == list(INPUT_KEYS)
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
            answers.append(pool.find(MODELS[0], INPUT_KEYS).lease.number)
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
    assert not board.might_have(INPUT_KEYS[0])
    pool.put(context(1))
    assert board.might_have(INPUT_KEYS[0])
    pool.evict("context-1")
    assert not board.might_have(INPUT_KEYS[0])
    board.close()
    area.close()


# Memory of what is fetched, and several threads.


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
