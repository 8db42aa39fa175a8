"""Removing many contexts from the disk tier at once (spec C3, C6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from disk_fixtures import content, record, vector

from ams_ros.context.disk.disk_tier import DiskFullError, DiskTier, VectorGoneError
from ams_ros.context.records import VectorKind

MEGABYTE = 2**20


@pytest.fixture
def store(tmp_path):
    tier = DiskTier(tmp_path / "store", 66 * MEGABYTE)
    yield tier
    tier.close()


@contextmanager
def sizes_after_each_transaction(tier: DiskTier) -> Iterator[list[int]]:
    """The measured size of the store at the end of every transaction inside the block."""
    sizes: list[int] = []
    usual = tier._index.transaction

    @contextmanager
    def measured() -> Iterator[None]:
        with usual():
            yield
        sizes.append(tier.used_bytes)

    tier._index.transaction = measured
    yield sizes
    tier._index.transaction = usual


def test_many_contexts_are_removed_in_one_transaction_with_what_no_other_one_holds(store):
    numbers = store.save_many([(record(f"c{n}"), [vector(VectorKind.PREFIX, n // 2, 5000)], None) for n in range(40)])
    held = replace(vector(VectorKind.PREFIX, 0, 5000), content=numbers[0][0])
    store.save(record("other"), [held])
    with sizes_after_each_transaction(store) as transactions:
        assert store.remove_contexts(["nobody", *(f"c{n}" for n in range(30)), "c0"]) == 30
        assert store.remove_contexts([]) == 0
    assert len(transactions) == 1
    assert [found.context_id for found, _, _ in store.contexts()] == [*(f"c{n}" for n in range(30, 40)), "other"]
    assert np.array_equal(store.load(numbers[0][0]), content(0, 5000))
    for number in (numbers[1][0], numbers[29][0]):
        with pytest.raises(VectorGoneError):
            store.load(number)
    assert np.array_equal(store.load(numbers[30][0]), content(15, 5000))
    assert store.verify().damaged == ()


def test_removing_many_contexts_from_a_full_store_stays_within_the_budget_c3(tmp_path):
    tier = DiskTier(tmp_path / "store", 6 * MEGABYTE)
    for first in range(0, 1000, 200):
        several = range(first, first + 200)
        tier.save_many([(record(f"c{n}"), [vector(VectorKind.LATENTS, n, 300)], None) for n in several])

    def fill_up() -> None:
        for number in range(10_000):
            tier.save(record(f"d{number}"), [vector(VectorKind.LATENTS, 10_000 + number, 60_000)])

    with pytest.raises(DiskFullError):
        fill_up()
    with sizes_after_each_transaction(tier) as sizes:
        assert tier.remove_contexts([f"c{n}" for n in range(1000)]) == 1000
    assert 1 < len(sizes) < 500
    assert max(sizes) <= tier.budget_bytes
    assert {found.context_id[0] for found, _, _ in tier.contexts()} == {"d"}
    assert tier.verify().damaged == ()
    tier.close()
