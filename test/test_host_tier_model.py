"""The host tier against a plain model of it: any sequence of operations, contents and byte counts always equal (C5)."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from ams_ros.context.hashing.modular import ModularHash
from ams_ros.context.hashing.protocol import Buffer, SegmentHash, as_bytes
from ams_ros.context.hashing.xxh3 import Xxh3Hash
from ams_ros.context.host.extents import aligned
from ams_ros.context.host.host_tier import HostTier
from ams_ros.context.host.shared_memory import SharedArea, area_name
from ams_ros.context.host.virtual_actions import TierFullError

SEGMENT = 128
CAPACITY = 24 * SEGMENT


class WorthlessHash:
    """Every content has the same digest."""

    name = "worthless"
    cryptographic = False

    def digest(self, data: Buffer) -> bytes:
        assert as_bytes(data) is not None
        return b"the same"


HASHES: tuple[SegmentHash, ...] = (Xxh3Hash(), ModularHash(), WorthlessHash())


def segments_of(data: bytes) -> list[bytes]:
    """As the tier cuts them."""
    return [data[start : start + SEGMENT] for start in range(0, len(data), SEGMENT)]


class HostTierMachine(RuleBasedStateMachine):
    """A handle is what one store returned: its numbers and its bytes."""

    handles = Bundle("handles")
    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.area = SharedArea.create(area_name(f"test.{os.getpid()}", "host"), CAPACITY)
        self.references: Counter[bytes] = Counter()
        self.held: Counter[bytes] = Counter()

    @initialize(hash=st.sampled_from(HASHES))
    def build(self, hash: SegmentHash) -> None:
        self.tier = HostTier(self.area, hash, SEGMENT)

    def used(self) -> int:
        """Bytes the model says are used."""
        return sum(aligned(len(segment)) for segment in set(+self.references) | set(+self.held))

    @rule(
        target=handles,
        letters=st.lists(st.sampled_from(b"abcdefgh"), min_size=1, max_size=10),
        rest=st.integers(1, SEGMENT),
    )
    def store(self, letters: list[int], rest: int) -> tuple[tuple[int, ...], bytes]:
        data = b"".join(bytes([letter]) * SEGMENT for letter in letters)[: (len(letters) - 1) * SEGMENT + rest]
        alive = set(+self.references) | set(+self.held)
        needed = sum(aligned(len(segment)) for segment in set(segments_of(data)) - alive)
        try:
            numbers = self.tier.store(np.frombuffer(data, np.uint8))
        except TierFullError as full:
            self.check_refusal(full, needed)
            return (), b""
        self.references.update(segments_of(data))
        return numbers, data

    def check_refusal(self, full: TierFullError, needed: int) -> None:
        """A refusal must tell the true numbers and have a reason."""
        assert (full.needed, full.free) == (needed, CAPACITY - self.used())
        assert needed > full.free or +self.held, "without holds there is always a way to make room"

    @rule(target=handles, handle=handles)
    def acquire(self, handle: tuple[tuple[int, ...], bytes]) -> tuple[tuple[int, ...], bytes]:
        self.tier.acquire(handle[0])
        self.references.update(segments_of(handle[1]))
        return handle

    @rule(handle=consumes(handles))
    def release(self, handle: tuple[tuple[int, ...], bytes]) -> None:
        gone = self.references.copy()
        gone.subtract(segments_of(handle[1]))
        freed = [part for part in set(segments_of(handle[1])) if not gone[part] and not self.held[part]]
        assert self.tier.freed_by(handle[0]) == sum(map(aligned, map(len, freed)))
        self.tier.release(handle[0])
        self.references = gone

    @rule(target=holds, handle=handles)
    def hold(self, handle: tuple[tuple[int, ...], bytes]) -> tuple[tuple[int, ...], bytes, tuple[tuple[int, int], ...]]:
        self.tier.hold(handle[0])
        self.held.update(segments_of(handle[1]))
        return *handle, self.tier.extents(handle[0])

    @rule(hold=consumes(holds))
    def let_go(self, hold: tuple[tuple[int, ...], bytes, tuple[tuple[int, int], ...]]) -> None:
        numbers, data, extents = hold
        mapped = b"".join(self.area.array[offset : offset + nbytes].tobytes() for offset, nbytes in extents)
        assert mapped == data, "held bytes are still where a reader was told to look"
        self.tier.let_go(numbers)
        self.held.subtract(segments_of(data))

    @rule(handle=handles)
    def load(self, handle: tuple[tuple[int, ...], bytes]) -> None:
        out = np.empty(len(handle[1]), np.uint8)
        self.tier.load(handle[0], out)
        assert out.tobytes() == handle[1]

    @precondition(lambda self: self.used())
    @rule()
    def compact(self) -> None:
        self.tier.compact()

    @invariant()
    def bookkeeping_is_in_order(self) -> None:
        if hasattr(self, "tier"):
            self.tier.check()
            assert self.tier.used_bytes == self.used() <= self.tier.budget_bytes

    def teardown(self) -> None:
        self.area.close()


TestHostTierModel = pytest.mark.filterwarnings("error")(HostTierMachine.TestCase)
TestHostTierModel.settings = settings(
    max_examples=120, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
