"""How attempts went, written into the pool (R4), and what that keeps safe while many others come (C6)."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest
from pool_cases import KIB, options
from pool_model import INSTRUCTIONS, MODELS, context, unit

from ams_ros.context.job_book import PoolJobBook
from ams_ros.context.local_store import LocalContextStore
from ams_ros.context.pool.marked_episodes import REMEMBERED
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.records import ContextOutcome, VectorKind
from ams_ros.context.reuse.guidance import KINDS
from ams_ros.context.store import SimilarQuery
from ams_ros.replay.progress import JobBook

SUCCEEDED, FAILED, UNKNOWN = ContextOutcome.SUCCEEDED, ContextOutcome.FAILED, ContextOutcome.UNKNOWN


@pytest.fixture
def store(pool):
    store = LocalContextStore(pool)
    yield store
    store.close()


@pytest.fixture
def book(pool, store):
    return PoolJobBook(pool, store.drain)


@pytest.fixture
def store_folder():
    """Where syncing costs nothing."""
    with tempfile.TemporaryDirectory(prefix="ams_pool_test_", dir="/dev/shm") as folder:
        yield Path(folder) / "store"


def outcomes(pool, episode):
    return [each.record.outcome for each in pool.listing(episode).contexts]


def test_r4_contexts_that_still_wait_to_be_stored_are_marked_with_the_rest(pool, store, book, monkeypatch):
    go_on, put = threading.Event(), pool.put
    monkeypatch.setattr(pool, "put", lambda new: (go_on.wait(10.0), put(new)))
    for index in range(3):
        assert store.put(context(index, episode="attempt-0"))
    writer: JobBook = book
    marking = threading.Thread(target=writer.succeeded, args=("attempt-0",))
    marking.start()
    go_on.set()
    marking.join()
    assert outcomes(pool, "attempt-0") == [SUCCEEDED] * 3
    assert book.trouble == ""


@pytest.mark.parametrize("marked", [SUCCEEDED, FAILED])
def test_a_context_that_comes_after_its_episode_was_marked_takes_that_outcome(pool, marked):
    pool.put(context(1, episode="attempt-0", index=0))
    pool.set_outcome("attempt-0", marked)
    assert pool.set_outcome("attempt-1", marked) == 0  # nothing of it has come yet
    pool.put(context(2, episode="attempt-0", index=1))
    pool.put(context(3, episode="attempt-1", index=0))
    pool.put(context(4, episode="", index=0))
    assert outcomes(pool, "attempt-0") == [marked, marked]
    assert outcomes(pool, "attempt-1") == [marked]
    assert pool.record("context-4").outcome is UNKNOWN
    query = SimilarQuery(MODELS[0], INSTRUCTIONS[1], unit(3), (marked,), 5)
    assert pool.similar(query)[0].context_id == "context-3"
    pool.check()


def test_the_last_mark_counts_and_one_taken_back_is_forgotten(pool):
    pool.set_outcome("attempt", FAILED)
    pool.set_outcome("attempt", SUCCEEDED)
    pool.put(context(1, episode="attempt"))
    pool.set_outcome("attempt", UNKNOWN)
    pool.put(context(2, episode="attempt"))
    assert outcomes(pool, "attempt") == [UNKNOWN, UNKNOWN]


def test_a_context_that_says_itself_how_it_went_is_believed_and_a_mark_of_one_context_is_of_that_one(pool):
    pool.set_outcome("attempt", FAILED)
    pool.put(context(1, episode="attempt", outcome=SUCCEEDED))
    assert pool.record("context-1").outcome is SUCCEEDED
    pool.put(context(2, episode="other"))
    assert pool.set_outcome("context-2", FAILED) == 1
    pool.put(context(3, episode="other"))
    assert pool.record("context-3").outcome is UNKNOWN


def test_marks_are_remembered_for_a_bounded_number_of_episodes(pool):
    for number in range(REMEMBERED + 1):
        pool.set_outcome(f"attempt-{number}", FAILED)
    pool.put(context(1, episode="attempt-0"))
    pool.put(context(2, episode="attempt-1"))
    assert (pool.record("context-1").outcome, pool.record("context-2").outcome) == (UNKNOWN, FAILED)


def test_r4_neither_an_unknown_episode_nor_a_closed_pool_raises(store, pool, book):
    book.failed("nobody")
    assert book.trouble == ""
    pool.close()
    book.succeeded("attempt-0")
    assert book.trouble == "episode attempt-0 was not marked succeeded: the context pool is closed"


@pytest.mark.parametrize(
    ("with_disk", "flood"), [(False, 2000), (True, 200), pytest.param(True, 2000, marks=pytest.mark.slow)]
)
def test_c6_a_success_outlives_a_flood_of_contexts_that_are_none_and_can_still_guide(store_folder, with_disk, flood):
    pool = ContextPool(options(store_folder if with_disk else None, host_bytes=64 * KIB, disk_bytes=1024 * KIB))
    try:
        guide = context(0, episode="success", index=0, embedding=unit(5))
        pool.put(guide)
        pool.set_outcome("success", SUCCEEDED)
        for serial in range(1, flood + 1):
            pool.put(context(2 * serial, index=serial % 2, picture=serial % 8))
            if serial % 3 == 0:
                pool.set_outcome(f"context-{2 * serial}", FAILED)
        assert pool.stats().evictions > 0
        assert pool.stats().succeeded == 1
        query = SimilarQuery(MODELS[0], INSTRUCTIONS[0], unit(5), (SUCCEEDED,), 9, first_only=True)
        (match,) = pool.similar(query)
        assert match.episode == "success"
        found = pool.context(MODELS[0], "success", 0, KINDS)
        latents = next(each.array for each in guide.vectors if each.kind is VectorKind.LATENTS)
        assert (found.vector(VectorKind.LATENTS).array == latents).all()
        assert found.vector(VectorKind.TIMES) is not None
    finally:
        pool.close()
