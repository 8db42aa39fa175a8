"""The context pool against a plain model of it, over long random histories (C1-C7).

hypothesis runs its state machine for short histories, because it can shrink what it finds; it takes some milliseconds
a step, so the 1e5 operations of the suite come from a seeded generator over the very same operations.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pool_model import KEYS, CheckedPool

from ams_ros.context.eviction.choice import POLICIES
from ams_ros.context.records import ContextOutcome

OUTCOMES = list(ContextOutcome)


def in_memory_folder() -> Path:
    """Where syncing costs nothing: the histories are about the pool, not about the disk."""
    return Path(tempfile.mkdtemp(prefix="ams_pool_test_", dir="/dev/shm"))


@pytest.fixture
def store() -> Iterator[Path]:
    folder = in_memory_folder()
    yield folder / "store"
    shutil.rmtree(folder)


def operate(pool: CheckedPool, chance: random.Random) -> None:
    """One random operation, weighted by how often it happens in life, the rare ones often enough to meet."""
    choice, model, picture = chance.randrange(2**16), chance.randrange(2), min(int(chance.expovariate(0.4)), KEYS - 1)
    outcome, episode = chance.choice(OUTCOMES), chance.random() < 0.3
    wanted = tuple(chance.sample(OUTCOMES, chance.randrange(3)))
    how = {name: chance.random() < share for name, share in (("succeeded", 0.1), ("durable", 0.05), ("pinned", 0.02))}
    operations = {
        "put": (25, lambda: pool.put(model, picture, chance.randrange(-1, 6), **how)),
        "put_again": (2, lambda: pool.put_again(choice)),
        "find": (15, lambda: pool.find(model, (picture, choice % KEYS))),
        "fetch": (15, lambda: pool.fetch(model, picture)),
        "read": (10, lambda: pool.read(choice, episode)),
        "similar": (5, lambda: pool.similar(choice, model, wanted, choice % 5)),
        "set_outcome": (4, lambda: pool.set_outcome(choice, outcome, episode)),
        "pin": (2, lambda: pool.pin(choice, chance.random() < 0.3, episode)),
        "evict": (2, lambda: pool.evict(choice, episode)),
        "evict_outcome": (0.2, lambda: pool.evict_outcome(outcome)),
        "evict_bytes": (0.3, lambda: pool.evict_bytes(1 + choice)),
        "release": (8, lambda: pool.release(choice)),
        "expire": (8, lambda: pool.expire(chance.choice((0.5, 4.0, 11.0)))),
        "verify": (0.02, pool.verify),
        "reopen": (0.1, lambda: pool.reopen(orderly=chance.random() < 0.6)),
        "compare": (1.5, pool.compare),
    }
    weights = [weight for weight, _ in operations.values()]
    name = chance.choices(list(operations), weights)[0]
    operations[name][1]()


def run_history(path: Path | None, policy: str, seed: int, steps: int) -> None:
    pool = CheckedPool(path, policy)
    chance = random.Random(seed)
    try:
        for _ in range(steps):
            operate(pool, chance)
        pool.compare()
    finally:
        pool.close()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_pool_in_memory_agrees_with_its_model_over_a_long_history(policy):
    run_history(None, policy, seed=3, steps=27_000)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_pool_with_a_disk_agrees_with_its_model_over_a_long_history(store, policy):
    run_history(store, policy, seed=4, steps=6_500)


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_a_pool_agrees_with_its_model_over_a_million_operations(store, policy):
    run_history(None, policy, seed=5, steps=250_000)
    run_history(store, policy, seed=6, steps=90_000)


class PoolHistory(RuleBasedStateMachine):
    """The same operations, chosen by hypothesis, compared after every step."""

    choices = st.integers(0, 30)
    outcomes = st.sampled_from(OUTCOMES)
    models, pictures, flags = st.integers(0, 1), st.integers(0, KEYS - 1), st.booleans()

    @initialize(policy=st.sampled_from(list(POLICIES)), disk=flags)
    def open(self, policy, disk):
        self.folder = in_memory_folder()
        self.pool = CheckedPool(self.folder / "store" if disk else None, policy)

    @rule(model=models, picture=pictures, latents=st.integers(-1, 3), succeeded=flags, durable=flags, pinned=flags)
    def put(self, model, picture, latents, **how):
        self.pool.put(model, picture, latents, **how)

    @rule(count=st.integers(1, 12), model=models, picture=pictures)
    def put_many(self, count, model, picture):
        for step in range(count):
            self.pool.put(model, (picture + step) % KEYS, -1, succeeded=False, durable=False, pinned=False)

    @rule(choice=choices)
    def put_again(self, choice):
        self.pool.put_again(choice)

    @rule(model=models, pictures=st.lists(pictures, max_size=3).map(tuple))
    def find(self, model, pictures):
        self.pool.find(model, pictures)

    @rule(model=models, picture=pictures)
    def fetch(self, model, picture):
        self.pool.fetch(model, picture)

    @rule(choice=choices, by_episode=flags)
    def read(self, choice, by_episode):
        self.pool.read(choice, by_episode)

    @rule(
        seed=choices,
        model=models,
        wanted=st.lists(outcomes, max_size=2, unique=True).map(tuple),
        count=st.integers(0, 6),
    )
    def similar(self, seed, model, wanted, count):
        self.pool.similar(seed, model, wanted, count)

    @rule(choice=choices, outcome=outcomes, episode=flags)
    def set_outcome(self, choice, outcome, episode):
        self.pool.set_outcome(choice, outcome, episode)

    @rule(choice=choices, pinned=flags, episode=flags)
    def pin(self, choice, pinned, episode):
        self.pool.pin(choice, pinned, episode)

    @rule(choice=choices, episode=flags)
    def evict(self, choice, episode):
        self.pool.evict(choice, episode)

    @rule(outcome=outcomes)
    def evict_outcome(self, outcome):
        self.pool.evict_outcome(outcome)

    @rule(nbytes=st.integers(1, 40_000))
    def evict_bytes(self, nbytes):
        self.pool.evict_bytes(nbytes)

    @rule(choice=choices)
    def release(self, choice):
        self.pool.release(choice)

    @rule(seconds=st.sampled_from([0.5, 4.0, 11.0]))
    def expire(self, seconds):
        self.pool.expire(seconds)

    @rule(orderly=flags)
    def reopen(self, orderly):
        self.pool.reopen(orderly)

    @invariant()
    def agree(self):
        if hasattr(self, "pool"):
            self.pool.compare()

    def teardown(self):
        if hasattr(self, "pool"):
            self.pool.close()
            shutil.rmtree(self.folder)


PoolHistory.TestCase.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
test_a_pool_agrees_with_its_model_whatever_hypothesis_does_to_it = PoolHistory.TestCase
