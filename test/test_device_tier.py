"""The tier inside the inference process (C3): a cache by input key within a budget of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.context.eviction.choice import POLICIES, find_policy
from ams_ros.context.records import VectorKind
from ams_ros.context.reuse.device_tier import DeviceTier
from ams_ros.errors import ConfigurationError


def tier(budget=100, policy="lru"):
    return DeviceTier(budget, find_policy(policy))


def admit(where, key, nbytes, kind=VectorKind.PREFIX):
    return where.admit(key, f"object of {key!r}", kind, nbytes, 0.001)


def test_what_was_used_least_recently_makes_room():
    cache = tier()
    for key in (b"a", b"b", b"c"):
        admit(cache, key, 33)
    assert cache.get(b"a") == "object of b'a'"
    admit(cache, b"d", 33)
    assert [key in cache for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert cache.get(b"b") is None


def test_an_object_larger_than_the_budget_is_not_held_and_pushes_nothing_out():
    cache = tier()
    admit(cache, b"a", 60)
    assert not admit(cache, b"huge", 101)
    assert (b"a" in cache, b"huge" in cache, cache.used_bytes) == (True, False, 60)


def test_a_budget_of_nothing_holds_nothing():
    cache = tier(budget=0)
    assert not admit(cache, b"a", 1)
    assert (len(cache), cache.used_bytes) == (0, 0)


def test_a_budget_below_nothing_is_refused():
    with pytest.raises(ConfigurationError, match="device_bytes"):
        tier(budget=-1)


def test_what_is_held_already_keeps_its_place():
    cache = tier()
    admit(cache, b"a", 40)
    assert cache.admit(b"a", "another object", VectorKind.PREFIX, 60, 0.0)
    assert (cache.get(b"a"), cache.size(b"a"), cache.used_bytes) == ("object of b'a'", 40, 40)


@pytest.mark.parametrize("policy", sorted(POLICIES))
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["admit", "get", "clear"]), st.integers(0, 12), st.integers(1, 60)), max_size=60
    )
)
def test_under_every_policy_the_budget_holds_and_nothing_is_found_under_a_wrong_key(policy, steps):
    cache, sizes = tier(policy=policy), {}
    for action, number, nbytes in steps:
        key = bytes([number])
        if action == "admit":
            sizes.setdefault(key, nbytes)
            if key not in cache:
                sizes[key] = nbytes
            assert admit(cache, key, nbytes)
            assert key in cache
        elif action == "get":
            assert cache.get(key) in (None, f"object of {key!r}")
        else:
            cache.clear()
        held = [key for key in sizes if key in cache]
        assert len(held) == len(cache)
        assert cache.used_bytes == sum(sizes[key] for key in held) <= cache.budget_bytes
