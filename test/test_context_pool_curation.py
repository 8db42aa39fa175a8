"""The context pool as people use it: listing, marking, pinning, evicting, figures, options."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path

import pytest
from pool_cases import (
    INPUT_KEYS,
    KIB,
    MIB,
    PREFIX,
    fill,
    options,
)
from pool_model import MODELS, context

from ams_ros.context.host.shared_memory import area_exists
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.pool.pool_records import HOST, PoolFigures
from ams_ros.context.records import ContextOutcome
from ams_ros.errors import ConfigurationError, PoolError

ROOT = Path(__file__).resolve().parent.parent


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
    assert (place.kind, place.key, place.nbytes, place.tier, place.pieces) == (PREFIX, INPUT_KEYS[1], 2048, HOST, ())


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
    lease = pool.find(MODELS[0], INPUT_KEYS).lease
    pool.close()
    pool.close()
    assert not any(area_exists(name) for name in names)
    for refused in (
        lambda: pool.put(context(2)),
        lambda: pool.find(MODELS[0], INPUT_KEYS),
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
