"""What the pool knows of each vector, in columns: 40 bytes and no object for each."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ams_ros.context.eviction.numbers import Numbers
from ams_ros.context.memory.columns import column, enlarged, real_column
from ams_ros.context.memory.few_counts import FewCounts
from ams_ros.context.memory.key_rows import KeyRows
from ams_ros.context.records import KEY_BYTES, VectorKind

_NOWHERE, _SEVERAL, _NOBODY, _NO_KEY = -1, -2, -1, -1


@dataclass(frozen=True, slots=True)
class VectorLayout:
    """What vectors of one sort have in common; as in NewVector, and nbytes."""

    kind: VectorKind
    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int


@lru_cache(maxsize=1024)
def layout_of(kind: VectorKind, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> VectorLayout:
    """The layout of an array of that type and shape."""
    return VectorLayout(kind, name, dtype.name, shape, math.prod(shape) * dtype.itemsize)


class VectorTable:
    """Vectors by number. The columns are read freely; what must change together changes by a method.

    pins: pinned contexts that refer to it. uses: readers at it; its bytes in the host tier stay while there are any.
    disk: its number in the disk tier, 0 for none.
    key_rows: where the input keys lie, for the indexes that find a vector by its key.
    A vector nobody refers to keeps its number until its last reader is gone.
    """

    __slots__ = (
        "_actions",
        "_first",
        "_key_row",
        "_known_layouts",
        "_layout",
        "_layouts",
        "_numbers",
        "_owner",
        "_sharing",
        "accesses",
        "cost",
        "disk",
        "key_rows",
        "pins",
        "uses",
    )

    def __init__(self) -> None:
        self._numbers = Numbers()
        self._layouts: list[VectorLayout] = []
        self._known_layouts: dict[VectorLayout, int] = {}
        self._layout = column("i")
        self._first = column("i")
        self._actions: dict[int, array[int]] = {}
        self._owner = column("i")
        self._sharing: dict[int, array[int]] = {}
        self._key_row = column("i")
        self.key_rows = KeyRows(KEY_BYTES)
        self.accesses = column("I")
        self.pins, self.uses = FewCounts(), FewCounts()
        self.disk = column("q")
        self.cost = real_column("d")

    def __len__(self) -> int:
        """How many numbers are taken."""
        return self._numbers.taken

    def __iter__(self) -> Iterator[int]:
        """The vectors that contexts refer to."""
        return (number for number in range(self._numbers.end) if self._owner[number] != _NOBODY)

    def add(self, layout: VectorLayout, cost: float) -> int:
        """A new vector without a key that lies nowhere and that nobody refers to."""
        number, sort = self._numbers.take(), self._layout_number(layout)
        if number >= len(self.cost):
            self._enlarge(number + 1)
        self._layout[number], self.cost[number] = sort, cost
        self._first[number], self._owner[number], self._key_row[number] = _NOWHERE, _NOBODY, _NO_KEY
        return number

    def discard(self, number: int) -> None:
        """Give the number of a vector back that nobody refers to and nobody reads."""
        self._actions.pop(number, None)
        # Where nothing but 0 was ever written a column takes no memory: without a disk tier that of `disk` does not.
        if self.accesses[number]:
            self.accesses[number] = 0
        if self.disk[number]:
            self.disk[number] = 0
        self._numbers.give_back(number)

    def key(self, number: int) -> bytes:
        """Its input key; empty when it is not found by one (any more)."""
        row = self._key_row[number]
        return b"" if row == _NO_KEY else self.key_rows.key(row)

    def set_key(self, number: int, row: int) -> None:
        """Say in which of `key_rows` an index keeps its key."""
        self._key_row[number] = row

    def drop_key(self, number: int) -> None:
        """No index finds it by its key any more."""
        self._key_row[number] = _NO_KEY

    def layout(self, number: int) -> VectorLayout:
        """What it looks like."""
        return self._layouts[self._layout[number]]

    def in_host(self, number: int) -> bool:
        """Whether its bytes are in the host tier."""
        return self._first[number] != _NOWHERE

    def to_be_had(self, number: int) -> bool:
        """Whether its bytes are in any tier."""
        return self._first[number] != _NOWHERE or self.disk[number] != 0

    def actions(self, number: int) -> tuple[int, ...]:
        """Its virtual actions in the host tier; none when it is not there."""
        first = self._first[number]
        if first >= 0:
            return (first,)
        return () if first == _NOWHERE else tuple(self._actions[number])

    def set_actions(self, number: int, actions: tuple[int, ...]) -> None:
        """Say where its bytes are in the host tier; an empty tuple: nowhere."""
        self._actions.pop(number, None)
        if len(actions) > 1:
            self._first[number] = _SEVERAL
            self._actions[number] = array("i", actions)
        else:
            self._first[number] = actions[0] if actions else _NOWHERE

    def referrers(self, number: int) -> tuple[int, ...]:
        """Contexts that refer to it, the first one first."""
        owner = self._owner[number]
        if owner == _NOBODY:
            return ()
        return (owner, *self._sharing[number]) if number in self._sharing else (owner,)

    def references(self, number: int) -> int:
        """How many contexts refer to it."""
        if self._owner[number] == _NOBODY:
            return 0
        return 1 + len(self._sharing[number]) if number in self._sharing else 1

    def last_referrer(self, number: int) -> int:
        """The context that came to refer to it last."""
        return self._sharing[number][-1] if number in self._sharing else self._owner[number]

    def attach(self, number: int, context: int, pinned: bool) -> None:
        """Let a context refer to it that does not yet."""
        if self._owner[number] == _NOBODY:
            self._owner[number] = context
        else:
            self._sharing.setdefault(number, array("i")).append(context)
        self.pins[number] += pinned

    def detach(self, number: int, context: int, pinned: bool) -> None:
        """Let a context not refer to it any more."""
        sharing = self._sharing.get(number)
        if self._owner[number] != context:
            assert sharing is not None
            sharing.remove(context)
        else:
            self._owner[number] = sharing.pop(0) if sharing else _NOBODY
        if sharing is not None and not sharing:
            del self._sharing[number]
        self.pins[number] -= pinned

    def _enlarge(self, count: int) -> None:
        """Room for that many; the widest columns are full first."""
        self._layout, self._first = enlarged(self._layout, count), enlarged(self._first, count)
        self._owner, self._key_row = enlarged(self._owner, count), enlarged(self._key_row, count)
        self.accesses, self.disk = enlarged(self.accesses, count), enlarged(self.disk, count)
        self.cost = enlarged(self.cost, count)

    def _layout_number(self, layout: VectorLayout) -> int:
        number = self._known_layouts.setdefault(layout, len(self._layouts))
        if number == len(self._layouts):
            self._layouts.append(layout)
        return number
