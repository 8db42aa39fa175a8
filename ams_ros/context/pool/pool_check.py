"""The pool's invariants, compared one by one; for tests, and for whoever suspects the books."""

from __future__ import annotations

from collections import Counter

from ams_ros.context.disk.disk_tier import DiskTier
from ams_ros.context.pool.books import Books
from ams_ros.context.pool.similar_contexts import SimilarContexts


def check_pool(books: Books, similar: SimilarContexts, disk: DiskTier | None) -> None:
    """Raise AssertionError for the first invariant that does not hold. Nothing else may be going on."""
    books.host.check()
    assert books.host.used_bytes <= books.host.budget_bytes, "the host tier is over its budget"
    if disk is not None and not disk.read_only:
        assert disk.used_bytes <= disk.budget_bytes, "the disk tier is over its budget"
    _check_contexts(books, similar)
    _check_vectors(books)
    _check_sums(books)


def _check_contexts(books: Books, similar: SimilarContexts) -> None:
    """Contexts, their counts, their order, their models."""
    entries = list(books.contexts)
    assert Counter(entry.outcome for entry in entries) == Counter(books.contexts.outcomes), "counts of outcomes"
    assert sum(entry.pinned for entry in entries) == books.contexts.pinned, "count of pinned contexts"
    assert sorted(books.order.first_to_go()) == sorted(entry.number for entry in entries), "order of eviction"
    assert sum(entry.indexed for entry in entries) == len(similar), "contexts found by similarity"
    assert Counter(entry.model for entry in entries) == {key: each.contexts for key, each in books.models.items()}
    assert books.contexts.numbers.taken == len(entries), "a number of a context has leaked"
    for entry in entries:
        assert books.contexts.numbered(entry.number) is entry, f"{entry.context_id} has another's number"
        assert entry.saved or not entry.held, f"{entry.context_id} is not on disk, its vectors are"
        assert entry.held < 1 << len(entry.vectors), f"{entry.context_id} holds vectors it does not have"


def _check_vectors(books: Books) -> None:
    """Who refers to each vector, where it lies, and by what it is found."""
    table = books.vectors
    referring: dict[int, list[int]] = {}
    for entry in books.contexts:
        for number in entry.vectors:
            referring.setdefault(number, []).append(entry.number)
    assert set(table) == set(referring), "vectors that nobody refers to, or references to none"
    for number, contexts in referring.items():
        assert sorted(table.referrers(number)) == sorted(contexts), f"vector {number}: its references leak"
        assert table.references(number) == len(contexts), f"vector {number}: its count of references is wrong"
        entries = [books.contexts.numbered(each) for each in contexts]
        assert table.pins[number] == sum(entry.pinned for entry in entries if entry), f"vector {number}: pins"
        assert bool(table.disk[number]) == books.held_for_any(number), f"vector {number}: held on disk by nobody"
        if table.to_be_had(number) and not table.in_host(number):
            assert books.held_for_all(number), f"vector {number} would be lost with one of its contexts"
        if key := table.key(number):
            models = {entry.model for entry in entries if entry}
            assert len(models) == 1, f"vector {number} is of several models"
            assert books.key_of(models.pop(), key) == number, f"vector {number} is not found by its key"
            assert not table.to_be_had(number) or books.listed(key), f"vector {number} is not on the board"
    assert sum(len(each.index) for each in books.models.values()) == sum(bool(table.key(each)) for each in referring)
    in_host = {number for number in referring if table.in_host(number)}
    assert set(books.policy.victims()) == in_host, "the eviction policy knows other vectors than the host tier has"


def _check_sums(books: Books) -> None:
    """The running sums, and that readers are all who keep a vector beyond its contexts."""
    table = books.vectors
    there = [number for number in table if table.to_be_had(number)]
    assert books.logical_bytes == sum(table.layout(each).nbytes * table.references(each) for each in there)
    on_disk = [number for number in there if not table.in_host(number)]
    assert books.disk_only_bytes == sum(table.layout(number).nbytes for number in on_disk)
    actions = {action for number in there for action in table.actions(number)}
    reading = len(table) - len(list(table))
    assert reading or books.readers() or books.host.actions == len(actions), "the host tier keeps what nobody has"
