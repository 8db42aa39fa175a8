"""The default: recency and frequency in one score, weighed by what a byte of the vector saves (C6).

The paper (section 3.2.3) combines least recently used with a priority from an access counter. Here the two are one
number after Lee et al., "LRFU: a spectrum of policies that subsumes the least recently used and least frequently used
policies", IEEE Transactions on Computers 50(12), 2001: each use counts 1 when it happens and half of that one half-life
later. It is weighed by seconds of computation saved per byte kept, as in GreedyDual-Size (Cao and Irani, 1997).

The paper gives up vision features before everything else, because having them again costs it less than a tenth. That
reason is in the score already, with the measured cost, and as a rule without exception it loses: with room for 30 % of
a recorded trace it saves less than half of the computing that the score alone saves (`ams bench pool`). So the rule is
a choice of its own, `vision_first`, and by default vision features only go first at a draw.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator

from ams_ros.context.eviction.key_heap import KeyHeap
from ams_ros.context.eviction.policy import VectorFacts
from ams_ros.context.memory.columns import column, enlarged, real_column
from ams_ros.context.records import VectorKind

HALF_LIFE = 4096
"""Admissions and accesses of the tier after which a use counts half: some 500 inferences of eight vectors."""

LEAST_COST = 1e-6
"""Seconds; what a vector of unknown cost counts, so that it is still told from others by use and size."""

MOST_COST = 1e6
"""Seconds; nothing a caller says makes a vector stay for ever."""

LEAST_BYTES = 256
"""Bytes added to every size, about what the pool spends on a vector's books."""

DRAW = 1e-3
"""What the logarithm of a vision feature's score is lowered by, so that it goes first at a draw and only then."""

_SINGLE = 2.0**-23
"""Share of a number by which single precision is off at most, twice over."""

_UNKNOWN, _FIRST, _OTHER = 0, 1, 2


class PriorityHybrid:
    """Lowest score first; vision features first at a draw, or, when asked for, before everything else.

    score(t) = uses(t) * cost / (bytes + LEAST_BYTES), the cost between LEAST_COST and MOST_COST
    uses(t) = sum over the admission and every access at time s of 2 ** -((t - s) / HALF_LIFE)

    Time is counted in admissions and accesses. All scores halve at the same pace, so their order only changes by a
    use: what is compared is log2(score) as of time zero, which grows with every use and with nothing else. The heap
    therefore holds lower bounds; a use touches no more than the vector's own numbers, in constant time, and an entry
    is brought up to date when it comes to the top.
    """

    __slots__ = ("_clock", "_group", "_half_life", "_heaps", "_key", "_live", "_pushed", "_vision_first", "_weight")

    def __init__(self, half_life: int = HALF_LIFE, vision_first: bool = False) -> None:
        self._half_life, self._vision_first = half_life, vision_first
        self._clock = 0
        self._heaps = {_FIRST: KeyHeap(), _OTHER: KeyHeap()}
        self._live = {_FIRST: 0, _OTHER: 0}
        self._group = column("b")
        self._weight = real_column("f")
        self._key = real_column("d")
        self._pushed = real_column("f")

    def admitted(self, vector: VectorFacts) -> None:
        """A vector has come in, which is its first use; raises KeyError when it is known."""
        number = vector.number
        self._grow(number)
        if number < 0 or self._group[number] != _UNKNOWN:
            raise KeyError(number)
        vision = vector.kind is VectorKind.VISION
        group = _FIRST if vision and self._vision_first else _OTHER
        self._group[number] = group
        cost = min(max(LEAST_COST, vector.cost), MOST_COST)
        self._weight[number] = math.log2(cost / (vector.nbytes + LEAST_BYTES)) - (DRAW if vision else 0.0)
        self._key[number] = -math.inf
        self._use(number)
        self._heaps[group].push(self._bound(number), number)
        self._live[group] += 1

    def accessed(self, number: int) -> None:
        """It was read; raises KeyError when it is not known."""
        self._check_known(number)
        self._use(number)

    def removed(self, number: int) -> None:
        """It has left; raises KeyError when it is not known."""
        self._check_known(number)
        group = self._group[number]
        self._group[number] = _UNKNOWN
        self._live[group] -= 1
        heap = self._heaps[group]
        if len(heap) > 2 * self._live[group] + 64:
            heap.keep(lambda key, each: self._group[each] == group and self._pushed[each] == key)

    def victims(self) -> Iterator[int]:
        """All known by rising score; with `vision_first`, vision features before the others."""
        for group, heap in self._heaps.items():
            self._mend_top(heap, group)
            yield from self._by_score(heap, group)

    def _use(self, number: int) -> None:
        """Add 2 ** (clock / half-life), what a use now is worth as of time zero, to the uses within the key."""
        self._clock += 1
        weight, now = self._weight[number], self._clock / self._half_life
        earlier = self._key[number] - weight
        self._key[number] = weight + now + math.log2(1.0 + 2.0 ** (earlier - now))

    def _bound(self, number: int) -> float:
        """The key in single precision, rounded down: what the heap is to hold for a number, now on record as that."""
        key = self._key[number]
        self._pushed[number] = key - abs(key) * _SINGLE
        return self._pushed[number]

    def _mend_top(self, heap: KeyHeap, group: int) -> None:
        """Bring the top up to date, each entry at most once for each use or removal it missed."""
        while len(heap):
            key, number = heap.top()
            if self._group[number] != group or self._pushed[number] != key:
                heap.pop()
            elif (bound := self._bound(number)) > key:
                heap.replace_top(bound, number)
            else:
                return

    def _by_score(self, heap: KeyHeap, group: int) -> Iterator[int]:
        """The group in order; entries that were used since they were pushed wait for their true turn."""
        waiting: list[tuple[float, int]] = []
        # A number that left and came back at the very same key has two entries that look alike.
        met: set[int] = set()
        for key, number in heap.ascending():
            while waiting and waiting[0][0] <= key:
                yield heapq.heappop(waiting)[1]
            if self._group[number] != group or self._pushed[number] != key or number in met:
                continue
            met.add(number)
            heapq.heappush(waiting, (self._key[number], number))
        while waiting:
            yield heapq.heappop(waiting)[1]

    def _check_known(self, number: int) -> None:
        if not 0 <= number < len(self._group) or self._group[number] == _UNKNOWN:
            raise KeyError(number)

    def _grow(self, number: int) -> None:
        """Room for a number, which may be far beyond those before it; the widest column is full first."""
        count = number + 1
        if count > len(self._key):
            self._group, self._weight = enlarged(self._group, count), enlarged(self._weight, count)
            self._key, self._pushed = enlarged(self._key, count), enlarged(self._pushed, count)
