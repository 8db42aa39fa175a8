"""Eviction policies (C6): what goes first, checked on examples and against plain models of themselves."""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ams_ros.context.eviction.choice import POLICIES, find_policy
from ams_ros.context.eviction.key_heap import KeyHeap
from ams_ros.context.eviction.lru import Lru
from ams_ros.context.eviction.numbers import Numbers
from ams_ros.context.eviction.policy import EvictionPolicy, VectorFacts
from ams_ros.context.eviction.priority_hybrid import LEAST_BYTES, PriorityHybrid
from ams_ros.context.eviction.queues import NumberQueues
from ams_ros.context.eviction.s3_fifo import SMALL_SHARE, S3Fifo
from ams_ros.context.records import VectorKind
from ams_ros.errors import ConfigurationError

PREFIX, VISION = VectorKind.PREFIX, VectorKind.VISION


def facts(number: int, kind: VectorKind = PREFIX, nbytes: int = 1000, cost: float = 1.0) -> VectorFacts:
    return VectorFacts(number=number, kind=kind, nbytes=nbytes, cost=cost)


def admit(policy: EvictionPolicy, *numbers: int) -> None:
    for number in numbers:
        policy.admitted(facts(number))


def evict(policy: EvictionPolicy, count: int) -> list[int]:
    gone = list(islice(policy.victims(), count))
    for number in gone:
        policy.removed(number)
    return gone


def test_policies_are_found_by_name_and_others_refused():
    assert [type(find_policy(name)) for name in POLICIES] == [PriorityHybrid, PriorityHybrid, Lru, S3Fifo]
    with pytest.raises(
        ConfigurationError, match=r"eviction policy: got 'fifo', allowed: priority, vision_first, lru, s3_fifo"
    ):
        find_policy("fifo")


# What every policy promises.


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_refuses_what_it_knows_to_come_in_and_what_it_does_not_know_to_be_used_or_to_leave(name):
    policy = find_policy(name)
    admit(policy, 3)
    for refused in (lambda: admit(policy, 3), lambda: policy.accessed(4), lambda: policy.removed(2)):
        with pytest.raises(KeyError):
            refused()
    with pytest.raises(KeyError):
        admit(policy, -1)
    assert list(policy.victims()) == [3]


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 400))
def test_victims_are_all_that_came_and_did_not_leave_each_once(name, seed, steps):
    chance, policy, numbers = random.Random(seed), find_policy(name), Numbers()
    known: set[int] = set()
    for _ in range(steps):
        choice = chance.random()
        if choice < 0.4 or not known:
            number = numbers.take()
            kind = chance.choice(list(VectorKind))
            policy.admitted(facts(number, kind, chance.randrange(1, 10**7), chance.choice([0.0, chance.random()])))
            known.add(number)
        elif choice < 0.7:
            policy.accessed(chance.choice(sorted(known)))
        else:
            # The pool skips what is pinned or in use: any of the victims offered so far may be the one to go.
            offered = list(islice(policy.victims(), chance.randrange(1, 5)))
            number = chance.choice(offered)
            policy.removed(number)
            known.remove(number)
            numbers.give_back(number)
    victims = list(policy.victims())
    assert sorted(victims) == sorted(known)
    assert numbers.taken == len(known)


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, 5000), gap=st.integers(0, 5000))
def test_the_first_number_to_come_may_be_any_and_so_may_the_next(name, first, gap):
    """After a restart what is on disk has numbers and is not in the tier, so that the first to come in is not 0."""
    policy = find_policy(name)
    numbers = [first, *range(first + 1 + gap, first + gap + 2100)]
    admit(policy, *numbers)
    assert sorted(policy.victims()) == numbers


@pytest.mark.parametrize("name", POLICIES)
def test_asking_for_one_victim_of_many_does_not_walk_through_all(name):
    policy = find_policy(name)
    admit(policy, *range(100_000))
    walk = policy.victims()
    assert next(walk) == 0
    assert next(walk) == 1


# Least recently used.


def test_lru_counts_admissions_as_use():
    policy = Lru()
    admit(policy, 0)
    policy.accessed(0)
    admit(policy, 1)
    assert list(policy.victims()) == [0, 1], "what has just come in was used last, though nobody has read it yet"


def test_lru_offers_the_least_recently_used_first():
    policy = Lru()
    admit(policy, 0, 1, 2, 3)
    policy.accessed(1)
    policy.accessed(0)
    policy.removed(2)
    assert list(policy.victims()) == [3, 1, 0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["admit", "access", "remove"]), st.integers(0, 9)), max_size=100))
def test_lru_keeps_the_order_of_an_ordered_dictionary(steps):
    policy, model = Lru(), OrderedDict()
    for step, number in steps:
        if step == "admit" and number not in model:
            admit(policy, number)
            model[number] = None
        elif step == "access" and number in model:
            policy.accessed(number)
            model.move_to_end(number)
        elif step == "remove" and number in model:
            policy.removed(number)
            del model[number]
    assert list(policy.victims()) == list(model)


# The default.


def test_of_two_vectors_worth_the_same_the_vision_features_go_first():
    policy = find_policy("priority")
    policy.admitted(facts(0, PREFIX))
    policy.admitted(facts(1, VISION))
    assert list(policy.victims()) == [1, 0]
    policy.admitted(facts(2, VISION, cost=1.1))
    assert list(policy.victims()) == [1, 0, 2]


def test_c6_vision_first_gives_up_vision_features_whatever_they_cost_and_however_often_they_were_used():
    policy = find_policy("vision_first")
    policy.admitted(facts(0, VectorKind.LATENTS, nbytes=10**8, cost=0.0))
    policy.admitted(facts(1, VISION, nbytes=10, cost=100.0))
    for _ in range(50):
        policy.accessed(1)
    assert list(policy.victims()) == [1, 0]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (facts(1, cost=0.1), facts(0, cost=0.2)),
        (facts(1, nbytes=10**6), facts(0, nbytes=10**5)),
        (facts(1, cost=float("nan")), facts(0, cost=1e-3)),
        (facts(1, cost=-5.0), facts(0, cost=1e-3)),
    ],
    ids=["cheaper", "larger", "of unknown cost", "of impossible cost"],
)
def test_of_two_vectors_used_alike_the_one_that_saves_less_per_byte_goes_first(first, second):
    policy = PriorityHybrid()
    policy.admitted(second)
    policy.admitted(first)
    assert list(policy.victims()) == [1, 0]


def test_of_two_equal_vectors_the_one_used_more_often_stays_and_of_those_used_alike_the_older_goes():
    policy = PriorityHybrid()
    admit(policy, 0, 1, 2)
    policy.accessed(0)
    assert list(policy.victims()) == [1, 2, 0]


def test_what_was_used_often_long_ago_goes_before_what_was_used_once_now():
    policy = PriorityHybrid(half_life=8)
    admit(policy, 0)
    for _ in range(20):
        policy.accessed(0)
    for number in range(1, 60):
        admit(policy, number)
        policy.removed(number) if number < 59 else None
    assert list(policy.victims()) == [0, 59]


def test_no_cost_a_caller_names_makes_a_vector_stay_for_ever():
    policy = PriorityHybrid(half_life=8)
    policy.admitted(facts(0, cost=float("inf")))
    for number in range(1, 1000):
        admit(policy, number)
    assert next(policy.victims()) == 1
    for _ in range(8 * 64):
        policy.accessed(999)
    for number in range(1000, 1100):
        admit(policy, number)
    assert list(policy.victims()).index(0) < list(policy.victims()).index(1099)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), vision_first=st.booleans())
def test_the_default_offers_by_the_score_its_page_states(seed, vision_first):
    chance, half_life = random.Random(seed), 16
    policy, clock = PriorityHybrid(half_life, vision_first), 0
    uses: dict[int, list[int]] = {}
    known: dict[int, VectorFacts] = {}
    for _ in range(300):
        clock += 1
        number = chance.randrange(40)
        if number not in known:
            known[number] = facts(number, chance.choice([VISION, PREFIX]), chance.randrange(1, 10**6), chance.random())
            policy.admitted(known[number])
            uses[number] = [clock]
        elif chance.random() < 0.7:
            policy.accessed(number)
            uses[number].append(clock)
        else:
            clock -= 1
            next(policy.victims())
            policy.removed(number)
            del known[number], uses[number]

    def score(number: int) -> tuple[bool, float]:
        vector = known[number]
        worth = sum(2.0 ** ((use - clock) / half_life) for use in uses[number])
        return vision_first and vector.kind is not VISION, worth * max(1e-6, vector.cost) / (
            vector.nbytes + LEAST_BYTES
        )

    scores = [score(number) for number in policy.victims()]
    assert len(scores) == len(known)
    for (first_class, first), (second_class, second) in pairwise(scores):
        assert (first_class, first) <= (second_class, second * (1 + 1e-3)), "rounding and draws aside"


# S3-FIFO.


def test_s3_fifo_throws_out_what_was_used_once_and_keeps_what_was_used_twice_more():
    policy = S3Fifo()
    admit(policy, *range(10))
    policy.accessed(0)
    policy.accessed(1)
    policy.accessed(1)
    assert evict(policy, 3) == [0, 2, 3], "1 moved to the main queue, 0 with a single use did not"


def test_s3_fifo_takes_back_into_the_main_queue_what_it_threw_out_not_long_ago():
    policy = S3Fifo()
    admit(policy, *range(10))
    for number in range(10):
        policy.accessed(number)
        policy.accessed(number)
    assert evict(policy, 1) == [0], "all were used: they go round, and the first in is the first out"
    admit(policy, 10, 11, 12)
    assert evict(policy, 1) == [10]
    admit(policy, 10)
    assert evict(policy, 1) == [11], "10 came back as one that is known"
    assert 10 in list(policy.victims())[-3:]


def test_s3_fifo_keeps_what_is_in_use_through_a_scan_that_empties_an_lru():
    hits = {}
    for name in ("lru", "s3_fifo"):
        policy, held, hits[name] = find_policy(name), set(), 0
        chance = random.Random(5)
        for step in range(20_000):
            number = chance.randrange(50) if chance.random() < 0.5 else 100 + step
            if number in held:
                hits[name] += 1
                policy.accessed(number)
                continue
            if len(held) == 100:
                held.difference_update(evict(policy, 1))
            admit(policy, number)
            held.add(number)
    assert hits["s3_fifo"] > 1.15 * hits["lru"], hits


class PlainS3Fifo:
    """Algorithm 1 of the paper, word by word, over queues of (number, bytes)."""

    def __init__(self):
        self.small, self.main, self.uses, self.nbytes = deque(), deque(), {}, {}
        self.left, self.left_at = 0, {}

    def size(self, queue):
        return sum(self.nbytes[number] for number in queue)

    def admitted(self, number, nbytes):
        self.nbytes[number], self.uses[number] = nbytes, 0
        ghost = number in self.left_at and self.left - self.left_at.pop(number) < self.size(self.main) - (
            nbytes if number in self.main else 0
        )
        (self.main if ghost else self.small).append(number)

    def evict(self):
        while True:
            if self.small and (
                self.size(self.small) > SMALL_SHARE * (self.size(self.small) + self.size(self.main)) or not self.main
            ):
                number = self.small.popleft()
                if self.uses[number] > 1:
                    self.uses[number] = 0
                    self.main.append(number)
                else:
                    self.left += self.nbytes[number]
                    self.left_at[number] = self.left
                    return number
            else:
                number = self.main.popleft()
                if self.uses[number] == 0:
                    return number
                self.uses[number] -= 1
                self.main.append(number)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_s3_fifo_evicts_what_the_papers_algorithm_evicts(seed):
    chance, policy, plain = random.Random(seed), S3Fifo(), PlainS3Fifo()
    held: set[int] = set()
    for _ in range(400):
        number = min(int(chance.expovariate(0.08)), 60)
        if number in held:
            policy.accessed(number)
            plain.uses[number] = min(3, plain.uses[number] + 1)
            continue
        if len(held) >= 20:
            gone = evict(policy, 1)
            assert gone == [plain.evict()]
            held.difference_update(gone)
        nbytes = chance.randrange(1, 100)
        policy.admitted(facts(number, nbytes=nbytes))
        plain.admitted(number, nbytes)
        held.add(number)


# What they are built of.


def test_numbers_are_used_again():
    numbers = Numbers()
    assert [numbers.take() for _ in range(3)] == [0, 1, 2]
    numbers.give_back(1)
    assert (numbers.taken, numbers.end) == (2, 3)
    assert [numbers.take(), numbers.take()] == [1, 3]


def test_a_number_is_in_one_queue_at_most():
    queues = NumberQueues(2)
    queues.append(7, 1)
    with pytest.raises(KeyError):
        queues.append(7, 0)
    with pytest.raises(KeyError):
        queues.remove(6)
    assert (list(queues.walk(0)), list(queues.walk(1)), 7 in queues, 6 in queues, -1 in queues) == (
        [],
        [7],
        True,
        False,
        False,
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1, width=32), st.none()), max_size=80))
def test_a_key_heap_is_a_sorted_list(keys):
    heap, model = KeyHeap(), set()
    for number, key in enumerate(keys):
        if key is not None:
            heap.push(key, number)
            model.add((key, number))
        elif model:
            assert heap.top() in model
            assert heap.top()[0] == min(model)[0]
            model.remove(heap.top())
            heap.pop()
    assert set(heap.ascending()) == model
    assert [key for key, _ in heap.ascending()] == sorted(key for key, _ in model)
    heap.keep(lambda key, number: number % 2 == 0)
    assert list(heap.ascending()) == sorted(entry for entry in model if entry[1] % 2 == 0)
