"""The host tier keeps every distinct segment once, gives back what was stored, never above its budget (C3, C5)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ams_ros.context.hashing.choice import HASH_NAMES, find_hash
from ams_ros.context.hashing.modular import MODULUS, ModularHash
from ams_ros.context.hashing.protocol import Buffer
from ams_ros.context.hashing.xxh3 import Xxh3Hash
from ams_ros.context.host.host_tier import Bytes, HostTier
from ams_ros.context.host.shared_memory import SharedArea, area_name
from ams_ros.context.host.virtual_actions import TierFullError, UnknownActionError
from ams_ros.context.memory import raw_memory
from ams_ros.errors import ConfigurationError, PoolError

SEGMENT = 256


class HashWithHook(Xxh3Hash):
    """XXH3 that calls a hook with each digest before it returns."""

    def __init__(self) -> None:
        self.hook: Callable[[], None] = lambda: None

    def digest(self, data: Buffer) -> bytes:
        digest = super().digest(data)
        self.hook()
        return digest


@pytest.fixture
def area() -> Iterator[SharedArea]:
    """Room for 64 segments."""
    area = SharedArea.create(area_name(f"test.{os.getpid()}", "host"), 64 * SEGMENT)
    yield area
    area.close()


@pytest.fixture
def tier(area: SharedArea) -> Iterator[HostTier]:
    """A tier whose bookkeeping is in order when the test ends."""
    tier = HostTier(area, Xxh3Hash(), SEGMENT)
    yield tier
    tier.check()


def content(seed: int, nbytes: int) -> Bytes:
    """Random bytes, the same for the same seed."""
    return np.random.default_rng(seed).integers(0, 256, nbytes, dtype=np.uint8)


def loaded(tier: HostTier, numbers: tuple[int, ...], nbytes: int) -> Bytes:
    """What the tier holds of these actions."""
    out = np.full(nbytes, 0xEE, np.uint8)
    tier.load(numbers, out)
    return out


@pytest.mark.parametrize("nbytes", [1, 63, 64, SEGMENT - 1, SEGMENT, SEGMENT + 1, 5 * SEGMENT + 17])
@pytest.mark.parametrize("name", HASH_NAMES)
def test_what_was_stored_is_loaded_again(area: SharedArea, name: str, nbytes: int) -> None:
    tier = HostTier(area, find_hash(name), SEGMENT)
    data = content(1, nbytes)
    numbers = tier.store(data)
    assert len(numbers) == -(-nbytes // SEGMENT)
    assert np.array_equal(loaded(tier, numbers, nbytes), data)
    tier.check()


def test_nothing_takes_no_room(tier: HostTier) -> None:
    assert tier.store(np.empty(0, np.uint8)) == ()
    assert (tier.used_bytes, tier.actions) == (0, 0)
    assert tier.extents(()) == ()


@pytest.mark.parametrize("name", HASH_NAMES)
def test_content_is_stored_once_and_lives_as_long_as_anybody_refers_to_it_c5(area: SharedArea, name: str) -> None:
    tier = HostTier(area, find_hash(name), SEGMENT)
    data = content(1, 4 * SEGMENT)
    first = tier.store(data)
    second = tier.store(data.copy())
    assert first == second
    assert tier.used_bytes == 4 * SEGMENT
    tier.acquire(first)
    for left in (2, 1):
        tier.release(first)
        assert np.array_equal(loaded(tier, first, data.size), data), f"{left} references are left"
    assert tier.freed_by(first) == 4 * SEGMENT
    tier.release(first)
    assert tier.used_bytes == 0
    with pytest.raises(UnknownActionError):
        tier.extents(first)
    tier.check()


def test_equal_segments_within_one_content_are_stored_once(tier: HostTier) -> None:
    data = np.concatenate([content(1, SEGMENT), content(2, SEGMENT), content(1, SEGMENT), content(1, SEGMENT)])
    numbers = tier.store(data)
    assert numbers[0] == numbers[2] == numbers[3]
    assert tier.used_bytes == 2 * SEGMENT
    assert np.array_equal(loaded(tier, numbers, data.size), data)
    assert tier.freed_by(numbers) == 2 * SEGMENT
    assert tier.freed_by(numbers[1:]) == SEGMENT, "the first occurrence still refers to the segment"
    tier.release(numbers)
    assert tier.used_bytes == 0


def test_a_part_that_changed_is_all_that_is_stored_anew(tier: HostTier) -> None:
    data = content(1, 10 * SEGMENT)
    tier.store(data)
    changed = data.copy()
    changed[3 * SEGMENT] ^= 1
    tier.store(changed)
    assert tier.used_bytes == 11 * SEGMENT


def test_small_content_takes_little_room(tier: HostTier) -> None:
    numbers = [tier.store(content(seed, 88)) for seed in range(20)]
    assert tier.used_bytes == 20 * 128
    assert len({tier.extents(each)[0][0] for each in numbers}) == 20
    assert all(tier.extents(each)[0][0] % 64 == 0 for each in numbers)


def colliding_pair() -> tuple[Bytes, Bytes]:
    """Two segments of one digest under the paper's modular hash: a word may grow by the modulus unnoticed."""
    first = np.arange(SEGMENT // 4, dtype="<u4")
    second = first.copy()
    second[7] += MODULUS
    return first.view(np.uint8), second.view(np.uint8)


def test_wrong_entry_returned_on_key_collision(area: SharedArea) -> None:
    tier = HostTier(area, ModularHash(), SEGMENT)
    first, second = colliding_pair()
    assert ModularHash().digest(first) == ModularHash().digest(second)
    ours, theirs = tier.store(first), tier.store(second)
    assert ours != theirs
    assert np.array_equal(loaded(tier, ours, SEGMENT), first)
    assert np.array_equal(loaded(tier, theirs, SEGMENT), second)
    assert tier.store(second) == theirs, "the second of a digest is found as well"
    assert tier.store(np.concatenate([second, first])) == (*theirs, *ours)
    tier.check()


def test_of_colliding_segments_each_goes_alone(area: SharedArea) -> None:
    tier = HostTier(area, ModularHash(), SEGMENT)
    first, second = colliding_pair()
    numbers = tier.store(np.concatenate([first, second]))
    assert len(set(numbers)) == 2
    tier.release(numbers[:1])
    tier.check()
    assert tier.store(second) == numbers[1:]
    assert np.array_equal(loaded(tier, tier.store(first), SEGMENT), first)
    tier.check()


def test_a_buffer_not_yet_loaded_is_never_returned_as_a_hit(area: SharedArea, monkeypatch: pytest.MonkeyPatch) -> None:
    tier = HostTier(area, Xxh3Hash(), SEGMENT)
    data = content(1, 4 * SEGMENT)
    copying, go_on = threading.Event(), threading.Event()
    copy = raw_memory.copy

    def wait_before_copying(target: int, source: int, nbytes: int) -> None:
        if threading.current_thread() is slow:
            copying.set()
            assert go_on.wait(30.0)
        copy(target, source, nbytes)

    monkeypatch.setattr(raw_memory, "copy", wait_before_copying)
    results: list[tuple[int, ...]] = []
    slow = threading.Thread(target=lambda: results.append(tier.store(data)))
    slow.start()
    assert copying.wait(30.0)
    assert not area.array[: data.size].any(), "the first thread's place is reserved and still empty"
    quick = tier.store(data)
    assert np.array_equal(loaded(tier, quick, data.size), data), "the second thread got complete content"
    tier.check()
    go_on.set()
    slow.join(30.0)
    assert results == [quick], "both ended with one copy"
    assert tier.used_bytes == data.size
    tier.release(quick)
    tier.release(quick)
    assert tier.used_bytes == 0
    tier.check()


def test_threads_that_store_the_same_at_once_end_with_one_copy(area: SharedArea) -> None:
    hash = HashWithHook()
    tier = HostTier(area, hash, SEGMENT)
    data = content(1, SEGMENT)
    together = threading.Barrier(4)
    hash.hook = lambda: together.wait(30.0) and None
    results: list[tuple[int, ...]] = []
    threads = [threading.Thread(target=lambda: results.append(tier.store(data))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert len(results) == 4
    assert len(set(results)) == 1
    assert (tier.used_bytes, tier.actions) == (SEGMENT, 1)
    tier.check()


def test_a_copy_that_fails_leaves_nothing_behind(tier: HostTier, monkeypatch: pytest.MonkeyPatch) -> None:
    known = tier.store(content(1, SEGMENT))
    before = tier.used_bytes

    def fail(target: int, source: int, nbytes: int) -> None:
        raise MemoryError

    monkeypatch.setattr(raw_memory, "copy", fail)
    with pytest.raises(MemoryError):
        tier.store(np.concatenate([content(1, SEGMENT), content(2, 3 * SEGMENT)]))
    assert tier.used_bytes == before
    tier.release(known)
    assert tier.used_bytes == 0


def test_budget_exceeded(tier: HostTier, area: SharedArea) -> None:
    assert tier.budget_bytes == area.nbytes
    kept = tier.store(content(1, 60 * SEGMENT))
    with pytest.raises(TierFullError) as full:
        tier.store(np.concatenate([content(1, 60 * SEGMENT), content(2, 5 * SEGMENT)]))
    assert (full.value.needed, full.value.free) == (5 * SEGMENT, 4 * SEGMENT)
    assert tier.used_bytes == 60 * SEGMENT
    assert tier.freed_by(kept) == 60 * SEGMENT, "the refused content left no reference behind"
    assert len(tier.store(content(2, 4 * SEGMENT))) == 4
    assert tier.used_bytes == tier.budget_bytes
    tier.store(content(1, 60 * SEGMENT))
    assert tier.used_bytes == tier.budget_bytes


def test_only_what_is_new_of_a_content_needs_room(tier: HostTier) -> None:
    parts = [content(seed, SEGMENT) for seed in range(64)]
    known = tier.store(np.concatenate(parts[:50:2]))
    tier.store(content(100, 14 * SEGMENT))
    data = np.concatenate([*parts[:50], parts[1], parts[0]])
    numbers = tier.store(data)
    assert tier.used_bytes == tier.budget_bytes == (25 + 14 + 25) * SEGMENT
    assert (numbers[:50:2], numbers[50], numbers[51]) == (known, numbers[1], known[0])
    assert np.array_equal(loaded(tier, numbers, data.size), data)
    tier.release(numbers)
    assert tier.used_bytes == (25 + 14) * SEGMENT


def test_gaps_are_closed_when_only_then_new_content_fits(tier: HostTier) -> None:
    small = [tier.store(content(seed, 64)) for seed in range(256)]
    for numbers in small[::2]:
        tier.release(numbers)
    data = content(1000, 100 * 64)
    numbers = tier.store(data)
    tier.check()
    assert np.array_equal(loaded(tier, numbers, data.size), data)
    for seed in range(1, 256, 2):
        assert np.array_equal(loaded(tier, small[seed], 64), content(seed, 64))


def test_in_use_bytes_are_neither_moved_nor_reused(tier: HostTier, area: SharedArea) -> None:
    before, held, after = (tier.store(content(seed, 8 * SEGMENT)) for seed in (1, 2, 3))
    tier.hold(held)
    ((offset, nbytes),) = tier.extents(held)
    tier.release(before)
    tier.release(held)
    tier.compact()
    tier.check()
    assert tier.extents(held) == ((offset, nbytes),)
    assert np.array_equal(loaded(tier, after, nbytes), content(3, nbytes))
    tier.store(content(4, (64 - 16) * SEGMENT))
    assert tier.used_bytes == tier.budget_bytes, "held bytes count as used"
    assert np.array_equal(area.array[offset : offset + nbytes], content(2, nbytes))
    with pytest.raises(TierFullError):
        tier.store(content(5, SEGMENT))
    tier.let_go(held)
    assert tier.used_bytes == tier.budget_bytes - nbytes
    tier.store(content(5, 8 * SEGMENT))


def test_what_is_held_only_can_be_found_again(tier: HostTier) -> None:
    data = content(1, 2 * SEGMENT)
    numbers = tier.store(data)
    tier.hold(numbers)
    tier.release(numbers)
    assert tier.freed_by(numbers) == 0
    assert tier.store(data) == numbers
    tier.let_go(numbers)
    assert np.array_equal(loaded(tier, numbers, data.size), data)


def test_pieces_that_adjoin_are_one_extent(tier: HostTier) -> None:
    data = content(1, 5 * SEGMENT + 10)
    assert tier.extents(tier.store(data)) == ((0, data.size),)
    mixed = np.concatenate([data[3 * SEGMENT : 4 * SEGMENT], data[: 2 * SEGMENT]])
    assert tier.extents(tier.store(mixed)) == ((3 * SEGMENT, SEGMENT), (0, 2 * SEGMENT))


def test_giving_back_too_often_is_refused_and_changes_nothing(tier: HostTier) -> None:
    numbers = tier.store(content(1, 3 * SEGMENT))
    with pytest.raises(UnknownActionError):
        tier.release((*numbers, numbers[0]))
    with pytest.raises(UnknownActionError):
        tier.let_go(numbers)
    for unknown in (-1, 99):
        with pytest.raises(UnknownActionError):
            tier.acquire((*numbers, unknown))
        with pytest.raises(UnknownActionError):
            tier.load((unknown,), np.empty(SEGMENT, np.uint8))
    assert tier.freed_by(numbers) == 3 * SEGMENT


def mapped(name: str) -> bool:
    """Whether this process has an area of that name mapped."""
    return name in Path("/proc/self/maps").read_text(encoding="ascii")


def test_a_closed_tier_lets_go_of_its_memory_and_touches_it_no_more(area: SharedArea) -> None:
    tier = HostTier(area, Xxh3Hash(), SEGMENT)
    numbers = tier.store(content(1, 3 * SEGMENT))
    assert mapped(area.name)
    tier.close()
    tier.close()
    area.close()
    assert not mapped(area.name)
    for use in (
        lambda: tier.store(content(1, SEGMENT)),
        lambda: tier.load(numbers, np.empty(3 * SEGMENT, np.uint8)),
        tier.compact,
    ):
        with pytest.raises(PoolError, match="closed"):
            use()
    tier.release(numbers)
    assert tier.used_bytes == 0


def test_who_is_still_writing_when_the_tier_is_closed_writes_to_memory_that_is_there(
    area: SharedArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    tier = HostTier(area, Xxh3Hash(), SEGMENT)
    copy, seen = raw_memory.copy, []

    def close_before_copying(target: int, source: int, nbytes: int) -> None:
        tier.close()
        area.close()
        seen.append(mapped(area.name))
        copy(target, source, nbytes)

    monkeypatch.setattr(raw_memory, "copy", close_before_copying)
    assert len(tier.store(content(1, 2 * SEGMENT))) == 2
    assert seen == [True, True]
    assert not mapped(area.name)


def test_wrong_arrays_are_refused(tier: HostTier, area: SharedArea) -> None:
    numbers = tier.store(content(1, SEGMENT))
    read_only = np.empty(SEGMENT, np.uint8)
    read_only.flags.writeable = False
    for out in (np.empty(SEGMENT + 1, np.uint8), np.empty(SEGMENT - 1, np.uint8), np.empty(64, np.float32), read_only):
        with pytest.raises(ValueError, match="out"):
            tier.load(numbers, out)
    assert tier.freed_by(numbers) == SEGMENT, "nothing is held by a refused load"
    for data in (np.zeros(8, np.float32), np.zeros((2, 2), np.uint8), np.zeros(8, np.uint8)[::2]):
        with pytest.raises(ValueError, match="content"):
            tier.store(data)
    for segment_bytes in (0, 63, 100, 1 << 31):
        with pytest.raises(ConfigurationError, match="segment_bytes"):
            HostTier(area, Xxh3Hash(), segment_bytes)


def test_threads_that_store_load_and_release_at_random_never_see_foreign_bytes(area: SharedArea) -> None:
    tier = HostTier(area, Xxh3Hash(), SEGMENT)
    wrong: list[str] = []

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(150):
            data = content(int(random.integers(6)), int(random.integers(1, 16 * SEGMENT)))
            try:
                numbers = tier.store(data)
            except TierFullError:
                tier.compact()
                continue
            if not np.array_equal(loaded(tier, numbers, data.size), data):
                wrong.append(f"{data.size} bytes of thread {seed}")
            tier.release(numbers)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert wrong == []
    assert (tier.used_bytes, tier.actions) == (0, 0)
    tier.check()
