"""A context pool beside a plain model of it: every operation is done on both, and what they say is compared.

The model knows contents, outcomes, pins and leases. Which unpinned contexts the pool lets go when it is full is the
pool's choice; the model then checks that it was allowed to, and follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ams_ros.context.host.leases import Lease
from ams_ros.context.host.shared_memory import SharedArea
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.pool.pool_records import DISK, HOST, NOWHERE, VectorPlace
from ams_ros.context.records import (
    Array,
    ContextOutcome,
    ContextRecord,
    ModelKey,
    NewContext,
    NewVector,
    VectorKind,
)
from ams_ros.context.store import SimilarQuery
from ams_ros.errors import PoolError

KINDS = tuple(VectorKind)
KEYS = 8
INSTRUCTIONS = ("put the cubes in the bowl", "wipe the table")


def model_key(number: int = 0, **changes: str) -> ModelKey:
    """One of a few models that differ in their weights."""
    fields = {
        "model_id": "pi0-small",
        "weights_hash": f"{number:02x}",
        "config_hash": "c0",
        "dtype": "float32",
        "calibration_id": "lab",
        "robot": "widowx_250s",
    }
    return ModelKey(cameras=("front", "wrist"), **{**fields, **changes})


MODELS = (model_key(0), model_key(1))


def content(seed: int, nbytes: int) -> Array:
    """The same bytes for the same seed, as uint8."""
    return np.random.default_rng(seed).integers(0, 256, nbytes, dtype=np.uint8)


def unit(seed: int, length: int = 8) -> Array:
    """A direction that depends on the seed, in half precision as embeddings are."""
    row = np.random.default_rng(seed).standard_normal(length)
    return np.asarray(row / np.linalg.norm(row), np.float16).astype(np.float32)


def input_key(model: int, kind: VectorKind, number: int) -> bytes:
    """Stands for a picture, or for a prefix of it."""
    return bytes([model + 1, 1 + KINDS.index(kind), number + 1]) * 10 + b"ky"


def vision(model: int, number: int) -> NewVector:
    """Cheap to compute again."""
    array = content(1000 * model + number, 900 + 100 * number).reshape(1, -1)
    return NewVector(VectorKind.VISION, "front", array, input_key(model, VectorKind.VISION, number), 1e-6)


def prefix(model: int, number: int) -> NewVector:
    """Every other one takes long to compute again."""
    array = content(5000 + 1000 * model + number, 2048 + 700 * number)
    cost = 10.0 if number % 2 else 1e-6
    return NewVector(VectorKind.PREFIX, "", array, input_key(model, VectorKind.PREFIX, number), cost)


def context(serial: int, model: int = 0, picture: int = 0, latents: int = -1, **fields: object) -> NewContext:
    """A context of four vectors, two of which it shares with all others of the same picture. latents: -1 for own."""
    steps = content(90_000 + (serial if latents < 0 else 10_000_000 + latents), 1280).view(np.float32).copy()
    steps[~np.isfinite(steps)] = 0.0
    record = {
        "context_id": f"context-{serial}",
        "model": MODELS[model],
        "instruction": INSTRUCTIONS[serial % 2],
        "episode": f"episode-{serial // 4}",
        "index": serial % 4,
        "outcome": ContextOutcome.UNKNOWN,
        "created": 1.7e9 + serial,
        "joints": np.arange(6.0) + serial,
        "gripper": 0.02,
        "embedding": unit(serial),
        "seed": 2**64 - 1 - serial,
        "start_time": 0.5,
        "guided_by": "",
    }
    return NewContext(
        ContextRecord(**{**record, **fields}),
        (
            vision(model, picture),
            prefix(model, picture),
            NewVector(VectorKind.LATENTS, "", steps.reshape(5, 8, 8), cost=0.01),
            NewVector(VectorKind.TIMES, "", np.linspace(1.0, 0.0, 5)),
        ),
    )


@dataclass
class Expected:
    """What the model knows of a context. safe: on disk for certain. kept: what must be in some tier besides latents."""

    context: NewContext
    outcome: ContextOutcome
    pinned: bool = False
    safe: bool = False
    kept: set[VectorKind] = field(default_factory=set)

    @property
    def id(self) -> str:
        return self.context.record.context_id

    def array(self, kind: VectorKind) -> Array:
        return next(vector.array for vector in self.context.vectors if vector.kind is kind)


class CheckedPool:
    """The pool and its model."""

    def __init__(self, path: Path | None, policy: str = "priority", host_bytes: int = 65536, disk_bytes: int = 2**21):
        self.options = PoolOptions(
            path=path,
            host_bytes=host_bytes,
            disk_bytes=disk_bytes,
            segment_bytes=1024,
            policy=policy,
            lease_seconds=10.0,
            board_keys=64,
            store="test-pool",
        )
        self.now = 0.0
        self.expected: dict[str, Expected] = {}
        self.marked: dict[str, ContextOutcome] = {}
        self.serial = 0
        self.leases: list[tuple[Lease, list[tuple[VectorPlace, Array]]]] = []
        self._open()

    def _open(self) -> None:
        self.pool = ContextPool(self.options, clock=lambda: self.now)
        self.area = SharedArea.open(*self.pool.memory)

    # Operations.

    def put(self, model: int, picture: int, latents: int, *, succeeded: bool, durable: bool, pinned: bool) -> None:
        self.serial += 1
        told = ContextOutcome.SUCCEEDED if succeeded else ContextOutcome.UNKNOWN
        new = context(self.serial, model, picture, latents, outcome=told)
        outcome = told if succeeded else self.marked.get(new.record.episode, told)
        on_disk = self.options.path is not None
        before = self.pool.stats()
        try:
            result = self.pool.put(new, durable=durable and on_disk, pinned=pinned)
        except PoolError:
            # With nothing pinned and nothing leased there is always room for one context.
            assert self.leases or any(each.pinned for each in self.expected.values()) or pinned
            assert self.pool.record(new.record.context_id) is None
            assert self.pool.stats().refused == before.refused + 1
        else:
            assert not result.known
            assert 0 <= result.new_bytes <= sum(vector.array.nbytes + 64 * 8 for vector in new.vectors)
            each = Expected(new, outcome, pinned, on_disk and (durable or outcome is ContextOutcome.SUCCEEDED))
            each.kept = {vector.kind for vector in new.vectors} if pinned else self._worth(each)
            self.expected[each.id] = each
        self._follow()

    def put_again(self, choice: int) -> None:
        if each := self._choose(choice):
            assert self.pool.put(each.context).known
            self._follow()

    def find(self, model: int, pictures: tuple[int, ...]) -> None:
        wanted = {input_key(model, kind, number): (kind, number) for kind in KINDS[:2] for number in set(pictures)}
        found = self.pool.find(MODELS[model], tuple(wanted))
        self._follow()
        assert (found.lease is None) == (not found.places)
        leased = []
        for place in found.places:
            kind, number = wanted[place.key]
            vector = vision(model, number) if kind is VectorKind.VISION else prefix(model, number)
            assert self._referred(model, number), "a vector was found that no context refers to"
            assert (place.kind, place.name, place.shape) == (vector.kind, vector.name, vector.array.shape)
            leased.append((place, vector.array.reshape(-1).view(np.uint8)))
        if found.lease is not None:
            self.leases.append((found.lease, leased))
        self._check_leased()

    def fetch(self, model: int, picture: int) -> None:
        wanted = (vision(model, picture), prefix(model, picture))
        fetched = self.pool.fetch(MODELS[model], tuple(vector.key for vector in wanted))
        self._follow()
        for vector in wanted:
            assert vector.key not in self.pool.fetch(MODELS[1 - model], (vector.key,)), "C7: another model's vector"
            if vector.key in fetched:
                assert self._referred(model, picture)
                assert np.array_equal(fetched[vector.key].array, vector.array)
                assert self.pool.might_have(vector.key)
        self._follow()

    def read(self, choice: int, by_episode: bool) -> None:
        each = self._choose(choice)
        if each is None:
            return
        record = each.context.record
        reference = record.episode if by_episode else record.context_id
        found = self.pool.context(record.model, reference, record.index, KINDS)
        self._follow()
        assert found is not None
        assert (found.record.context_id, found.record.outcome) == (each.id, each.outcome)
        assert {vector.kind for vector in found.vectors} >= {VectorKind.LATENTS, VectorKind.TIMES} | each.kept
        for vector in found.vectors:
            assert np.array_equal(vector.array, each.array(vector.kind))

    def similar(self, seed: int, model: int, outcomes: tuple[ContextOutcome, ...], count: int) -> None:
        query = SimilarQuery(MODELS[model], INSTRUCTIONS[seed % 2], unit(10**6 + seed), outcomes, count)
        cosines = {
            each.id: float(each.context.record.embedding @ query.embedding)
            for each in self.expected.values()
            if (each.context.record.model, each.context.record.instruction) == (query.model, query.instruction)
            and (not outcomes or each.outcome in outcomes)
        }
        found = self.pool.similar(query)
        best = sorted(cosines.values(), reverse=True)[:count]
        assert len(found) == len(best)
        for match, cosine in zip(found, best, strict=True):
            assert abs(match.similarity - cosine) < 2e-3
            assert abs(cosines[match.context_id] - match.similarity) < 2e-3
            assert match.outcome is self.expected[match.context_id].outcome

    def set_outcome(self, choice: int, outcome: ContextOutcome, episode: bool) -> None:
        members = self._members(choice, episode)
        if not members:
            return
        try:
            count = self.pool.set_outcome(self._reference(members, episode), outcome)
        except PoolError:
            assert any(each.pinned for each in self.expected.values()) or self.leases
        else:
            assert count == len(members)
            if episode:
                self.marked[self._reference(members, episode)] = outcome
            for each in members:
                each.outcome = outcome
                each.safe = each.safe or (outcome is ContextOutcome.SUCCEEDED and self.options.path is not None)
        self._follow()

    def pin(self, choice: int, pinned: bool, episode: bool) -> None:
        members = self._members(choice, episode)
        if not members:
            return
        assert self.pool.pin(self._reference(members, episode), pinned) == len(members)
        for each in members:
            each.pinned = pinned
            there = {kind for kind, place in self._places(each).items() if place.tier != NOWHERE}
            each.kept = there if pinned else self._worth(each) & there

    def evict(self, choice: int, episode: bool) -> None:
        members = self._members(choice, episode)
        if not members:
            return
        reference = self._reference(members, episode)
        try:
            assert self.pool.evict(reference).contexts == len(members)
        except PoolError:
            assert any(each.pinned for each in members)
        else:
            assert not any(each.pinned for each in members), "a pinned context was evicted"
            for each in members:
                del self.expected[each.id]
        self._follow()

    def evict_outcome(self, outcome: ContextOutcome) -> None:
        going = [each.id for each in self.expected.values() if each.outcome is outcome and not each.pinned]
        assert self.pool.evict(outcome=outcome).contexts == len(going)
        for name in going:
            del self.expected[name]
        self._follow()

    def evict_bytes(self, nbytes: int) -> None:
        before = len(self.expected)
        done = self.pool.evict(nbytes=nbytes)
        self._follow()
        assert before - len(self.expected) == done.contexts

    def release(self, choice: int) -> None:
        if self.leases:
            lease, _ = self.leases.pop(choice % len(self.leases))
            assert self.pool.release(lease.number)
            assert not self.pool.release(lease.number)

    def expire(self, seconds: float) -> None:
        self.now += seconds
        over = [lease for lease, _ in self.leases if lease.deadline < self.now]
        assert self.pool.expire() == bool(over)
        self.leases = [each for each in self.leases if each[0] not in over]

    def verify(self) -> None:
        assert self.pool.verify().damaged == ()

    def reopen(self, orderly: bool) -> None:
        """Close and open again, or stop without closing, as a kill would."""
        if self.options.path is None:
            return
        self.leases.clear()
        self.area.close()
        self.pool.close() if orderly else self.pool._let_go()
        self.marked.clear()
        self._open()
        for name in [each.id for each in self.expected.values() if self.pool.record(each.id) is None]:
            lost = self.expected.pop(name)
            assert not lost.safe or orderly, "what was said to be on disk is not"
            assert not lost.pinned or not orderly, "a pinned context was lost"
        for each in self.expected.values():
            each.safe = True
            places = self._places(each)
            there = {kind for kind, place in places.items() if place.tier != NOWHERE}
            assert {VectorKind.LATENTS, VectorKind.TIMES} <= there
            assert not orderly or each.kept <= there
            each.kept &= there
        self.compare()

    # Comparison.

    def compare(self) -> None:
        """Everything, and the pool's own invariants; byte budgets are among them."""
        self.pool.check()
        listing = self.pool.listing(limit=10_000, vectors=True)
        assert {each.record.context_id for each in listing.contexts} == set(self.expected)
        logical = 0
        for listed in listing.contexts:
            each = self.expected[listed.record.context_id]
            assert (listed.pinned, listed.record.outcome) == (each.pinned, each.outcome)
            logical += sum(place.nbytes for place in listed.places if place.tier != NOWHERE)
            for place in listed.places:
                must = {VectorKind.LATENTS, VectorKind.TIMES} | each.kept
                assert place.tier in ((HOST, DISK) if place.kind in must else (HOST, DISK, NOWHERE))
        figures = self.pool.stats()
        assert (figures.contexts, figures.logical_bytes) == (len(self.expected), logical)
        assert figures.leases == len(self.leases)
        reading = sum(self.pool._books.vectors.uses.values())
        assert reading == sum(len(leased) for _, leased in self.leases), "somebody who has gone still keeps a vector"
        assert figures.pinned == sum(each.pinned for each in self.expected.values())
        self._check_leased()

    def close(self) -> None:
        self.area.close()
        self.pool.close()

    def _follow(self) -> None:
        """Let go what the pool let go for want of room, if it may."""
        if self.pool.stats().contexts == len(self.expected):
            return
        for name in [name for name in self.expected if self.pool.record(name) is None]:
            assert not self.expected[name].pinned, "a pinned context was evicted"
            del self.expected[name]
        assert self.pool.stats().contexts == len(self.expected)

    def _check_leased(self) -> None:
        """What is leased lies where it was said to, whatever has happened since."""
        for _, leased in self.leases:
            for place, expected in leased:
                pieces = [self.area.array[offset : offset + nbytes] for offset, nbytes in place.pieces]
                assert np.array_equal(np.concatenate(pieces), expected), "leased bytes were moved or freed"

    def _worth(self, each: Expected) -> set[VectorKind]:
        """What a pool with a disk never gives up while the context lives: what takes long to compute again."""
        long = self.options.path is not None and each.context.vectors[1].cost > 1.0
        return {VectorKind.PREFIX} if long else set()

    def _choose(self, choice: int) -> Expected | None:
        names = list(self.expected)
        return self.expected[names[choice % len(names)]] if names else None

    def _members(self, choice: int, episode: bool) -> list[Expected]:
        each = self._choose(choice)
        if each is None or not episode:
            return [each] if each else []
        name = each.context.record.episode
        return [other for other in self.expected.values() if other.context.record.episode == name]

    def _reference(self, members: list[Expected], episode: bool) -> str:
        return members[0].context.record.episode if episode else members[0].id

    def _referred(self, model: int, picture: int) -> bool:
        key = input_key(model, VectorKind.VISION, picture)
        return any(each.context.vectors[0].key == key for each in self.expected.values())

    def _places(self, each: Expected) -> dict[VectorKind, VectorPlace]:
        listing = self.pool.listing(each.id, vectors=True)
        return {place.kind: place for place in listing.contexts[0].places}
