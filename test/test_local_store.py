"""The store that inference uses when the pool is in its own process."""

from __future__ import annotations

import pytest
from pool_cases import (
    INPUT_KEYS,
    LATENTS,
    MIB,
    options,
)
from pool_model import INSTRUCTIONS, MODELS, content, context, unit

from ams_ros.context.local_store import LocalContextStore
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.records import NewContext, NewVector
from ams_ros.context.store import SimilarQuery
from ams_ros.errors import ConfigurationError


def test_a_local_store_gives_what_the_pool_has_and_stores_behind_the_back(pool):
    store = LocalContextStore(pool)
    assert store.state == "connected"
    assert store.put(context(1))
    store.drain()
    assert (store.stored, store.refused, store.dropped) == (1, 0, 0)
    assert store.might_have(INPUT_KEYS[0])
    assert set(store.fetch(MODELS[0], INPUT_KEYS)) == set(INPUT_KEYS)
    assert store.similar(SimilarQuery(MODELS[0], INSTRUCTIONS[1], unit(1), (), 1))[0].context_id == "context-1"
    assert store.context(MODELS[0], "episode-0", 1, (LATENTS,)).record.context_id == "context-1"
    with pytest.raises(ConfigurationError):
        store.context(MODELS[1], "context-1", 0, ())
    store.close()
    assert store.state == "absent"
    assert not store.put(context(2))
    assert not store.might_have(INPUT_KEYS[0])


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


def test_a_local_store_of_a_closed_pool_has_nothing_and_raises_nothing():
    pool = ContextPool(options())
    store = LocalContextStore(pool)
    pool.close()
    assert store.fetch(MODELS[0], INPUT_KEYS) == {}
    assert store.similar(SimilarQuery(MODELS[0], INSTRUCTIONS[0], unit(1), (), 1)) == ()
    assert store.context(MODELS[0], "context-1", 0, ()) is None
    assert store.state == "the context pool is closed"
    store.close()
    with pytest.raises(ConfigurationError, match="queue"):
        LocalContextStore(pool, queue=0)
