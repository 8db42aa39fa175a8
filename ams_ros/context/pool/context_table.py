"""The contexts of the pool by number, by id and by episode; each a small object and a row of bytes."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from ams_ros.context.eviction.numbers import Numbers
from ams_ros.context.memory.half_rows import HalfArray, half_rows
from ams_ros.context.records import ContextOutcome, ContextRecord, ModelKey
from ams_ros.types import Float32Array

_HEAD = struct.Struct("<dddQiII")


class ContextEntry:
    """One context.

    number: the pool's name for it. vectors: numbers of its vectors, in the order they were given. held: bit k is set
    when the disk tier holds vectors[k] for this context. saved: whether the disk tier has the context's record.
    indexed: whether it can be found by similarity; its embedding then lies in the similarity index, else here.
    """

    __slots__ = (
        "_embedding",
        "_packed",
        "context_id",
        "episode",
        "guided_by",
        "held",
        "instruction",
        "model",
        "outcome",
        "pinned",
        "saved",
    )

    def __init__(self, number: int, record: ContextRecord, vectors: Sequence[int], pinned: bool) -> None:
        """`record` is taken apart; the method of that name gives it back."""
        self.pinned, self.held, self.saved = pinned, 0, False
        self.context_id = record.context_id
        self.model: ModelKey = record.model
        # Contexts come in episodes of one instruction: equal texts are kept once.
        self.instruction, self.episode = sys.intern(record.instruction), sys.intern(record.episode)
        self.guided_by = sys.intern(record.guided_by)
        self.outcome = record.outcome
        joints = np.ascontiguousarray(record.joints, np.float64)
        numbers = (record.created, record.gripper, record.start_time, record.seed, record.index, number)
        self._packed = _HEAD.pack(*numbers, len(joints)) + joints.tobytes()
        self.keep_embedding(record.embedding)
        self.vectors = vectors

    @property
    def number(self) -> int:
        """The pool's name for it."""
        return int(_HEAD.unpack_from(self._packed)[5])

    @property
    def vectors(self) -> Sequence[int]:
        """Numbers of its vectors."""
        return array("i", self._packed[self._end_of_joints :])

    @vectors.setter
    def vectors(self, numbers: Sequence[int]) -> None:
        self._packed = self._packed[: self._end_of_joints] + array("i", numbers).tobytes()

    @property
    def created(self) -> float:
        """Seconds since 1970."""
        return float(_HEAD.unpack_from(self._packed)[0])

    @property
    def index(self) -> int:
        """Number of the slice in the episode."""
        return int(_HEAD.unpack_from(self._packed)[4])

    @property
    def indexed(self) -> bool:
        """Whether it can be found by similarity."""
        return not self._embedding

    @property
    def embedding(self) -> HalfArray:
        """Its embedding, (d,), while it is not indexed."""
        return np.frombuffer(self._embedding, np.float16)

    def keep_embedding(self, embedding: Float32Array) -> None:
        """It is not, or no longer, in the similarity index: keep its embedding here."""
        self._embedding = half_rows(np.asarray(embedding, np.float32)[None]).tobytes()

    def leave_embedding(self) -> None:
        """It is in the similarity index by now, which keeps the embedding."""
        self._embedding = b""

    def record(self, embedding: Float32Array) -> ContextRecord:
        """The record as it stands now, with that embedding and joints of its own."""
        created, gripper, start_time, seed, index, _, dof = _HEAD.unpack_from(self._packed)
        return ContextRecord(
            context_id=self.context_id,
            model=self.model,
            instruction=self.instruction,
            episode=self.episode,
            index=index,
            outcome=self.outcome,
            created=created,
            joints=np.frombuffer(self._packed, np.float64, dof, _HEAD.size),
            gripper=gripper,
            embedding=embedding,
            seed=seed,
            start_time=start_time,
            guided_by=self.guided_by,
        )

    @property
    def _end_of_joints(self) -> int:
        return int(_HEAD.size + 8 * _HEAD.unpack_from(self._packed)[6])


class ContextTable:
    """All contexts. Numbers are small and used again."""

    def __init__(self) -> None:
        self.numbers = Numbers()
        self._entries: list[ContextEntry | None] = []
        self._by_id: dict[str, ContextEntry] = {}
        self._episodes: dict[str, array[int]] = {}
        self.outcomes = dict.fromkeys(ContextOutcome, 0)
        self.pinned = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_id)

    def __iter__(self) -> Iterator[ContextEntry]:
        """All, in no order."""
        return iter(self._by_id.values())

    def add(self, entry: ContextEntry) -> None:
        """Enter a context whose number was taken from `numbers`."""
        self._entries.extend([None] * (entry.number + 1 - len(self._entries)))
        self._entries[entry.number] = entry
        self._by_id[entry.context_id] = entry
        if entry.episode:
            self._episodes.setdefault(entry.episode, array("i")).append(entry.number)
        self.outcomes[entry.outcome] += 1
        self.pinned += entry.pinned

    def remove(self, entry: ContextEntry) -> None:
        """Take a context out; its number may name another one from now on."""
        self._entries[entry.number] = None
        del self._by_id[entry.context_id]
        if entry.episode:
            members = self._episodes[entry.episode]
            members.remove(entry.number)
            if not members:
                del self._episodes[entry.episode]
        self.outcomes[entry.outcome] -= 1
        self.pinned -= entry.pinned
        self.numbers.give_back(entry.number)

    def set_outcome(self, entry: ContextEntry, outcome: ContextOutcome) -> None:
        """Change the outcome of a context."""
        self.outcomes[entry.outcome] -= 1
        self.outcomes[outcome] += 1
        entry.outcome = outcome

    def numbered(self, number: int) -> ContextEntry | None:
        """The context of that number; None when there is none (yet, or any more)."""
        return self._entries[number] if 0 <= number < len(self._entries) else None

    def named(self, context_id: str) -> ContextEntry | None:
        """The context of that id."""
        return self._by_id.get(context_id)

    def referred(self, reference: str) -> list[ContextEntry]:
        """The context of that id, or all contexts of the episode of that id, in the order they came."""
        if entry := self._by_id.get(reference):
            return [entry]
        members = (self.numbered(number) for number in self._episodes.get(reference, ()))
        return [entry for entry in members if entry is not None]

    def placed(self, reference: str, index: int) -> ContextEntry | None:
        """The context of that id, or the newest with that index in the episode of that id."""
        if entry := self._by_id.get(reference):
            return entry
        matching = [entry for entry in self.referred(reference) if entry.index == index]
        return matching[-1] if matching else None
