"""The action index (spec C4): a number is found by its own content only, however the keys collide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ams_ros.context.hashing.blake3 import Blake3Hash
from ams_ros.context.hashing.modular import MODULUS, ModularHash
from ams_ros.context.hashing.two_phase import fingerprint
from ams_ros.context.hashing.xxh3 import Xxh3Hash
from ams_ros.context.index.action_index import ActionIndex
from ams_ros.errors import ConfigurationError

SEGMENT = 64


def modular_key(content: bytes) -> bytes:
    return fingerprint(content, SEGMENT, ModularHash()).whole


def colliding(content: bytes, word: int) -> bytes:
    """Another content with the same modular digest: one word differs by the modulus, so its remainder does not."""
    words = np.frombuffer(content, np.uint32).copy()
    words[word] = words[word] + MODULUS if words[word] < 2**32 - MODULUS else words[word] - MODULUS
    return words.tobytes()


@given(words=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=100), pick=st.integers(0))
def test_wrong_entry_is_never_returned_on_key_collision(words, pick):
    """C4: the paper's modular hash collides by construction; contents crafted to collide are still told apart."""
    content = np.array(words, np.uint32).tobytes()
    forged = colliding(content, pick % len(words))
    key = modular_key(content)
    assert forged != content
    assert modular_key(forged) == key

    index = ActionIndex(ModularHash())
    index.add(key, 1, content)
    assert index.find(key, forged) is None
    index.add(key, 2, forged)
    assert index.find(key, content) == 1
    assert index.find(key, forged) == 2
    index.remove(key, 1)
    assert index.find(key, content) is None
    assert index.find(key, forged) == 2


def test_without_confirmation_the_crafted_collision_would_return_the_wrong_entry():
    content = bytes(range(128))
    forged = colliding(content, 3)
    believed = {modular_key(content): 1}
    assert believed.get(modular_key(forged)) == 1
    index = ActionIndex(ModularHash())
    index.add(modular_key(content), 1, content)
    assert index.find(modular_key(forged), forged) is None


def test_one_chain_holds_any_number_of_colliding_contents():
    base = bytes(4 * 12)
    contents = []
    for bits in range(2**7):
        words = np.frombuffer(base, np.uint32).copy()
        words[np.flatnonzero([bits >> bit & 1 for bit in range(12)])] = MODULUS
        contents.append(words.tobytes())
    assert len({modular_key(content) for content in contents}) == 1
    index = ActionIndex(ModularHash())
    for number, content in enumerate(contents):
        index.add(modular_key(content), number, content)
    assert [index.find(modular_key(content), content) for content in contents] == list(range(len(contents)))


@pytest.mark.parametrize("hash", [Xxh3Hash(), ModularHash()], ids=["xxh3", "modular"])
def test_a_hash_that_is_not_cryptographic_needs_the_content(hash):
    index, key = ActionIndex(hash), hash.digest(b"content")
    with pytest.raises(ConfigurationError, match="prove nothing"):
        index.add(key, 1)
    index.add(key, 1, b"content")
    with pytest.raises(ConfigurationError, match="prove nothing"):
        index.find(key)
    assert index.find(key, b"content") == 1


def test_a_cryptographic_key_needs_no_content_and_keeps_none():
    index, content = ActionIndex(Blake3Hash()), bytearray(b"content")
    key = Blake3Hash().digest(content)
    index.add(key, 7, content)
    content.extend(b" may change")  # refused with BufferError as long as somebody holds a view
    assert index.find(key) == 7


def test_of_several_numbers_with_one_content_the_last_is_found_until_it_is_removed():
    index, key = ActionIndex(Blake3Hash()), Blake3Hash().digest(b"content")
    for number in (3, 1, 2):
        index.add(key, number)
    found = []
    for number in (2, 1, 3):
        found.append(index.find(key))
        index.remove(key, number)
    assert found == [2, 1, 3]
    assert index.find(key) is None
    assert len(index) == 0


def test_doubles_strangers_and_keys_of_another_hash_are_refused():
    index, key = ActionIndex(Blake3Hash()), Blake3Hash().digest(b"content")
    index.add(key, 1)
    with pytest.raises(ConfigurationError, match="number: got 1"):
        index.add(key, 1)
    with pytest.raises(ConfigurationError, match="number: got 2"):
        index.remove(key, 2)
    with pytest.raises(ConfigurationError, match="number: got 1"):
        index.remove(Blake3Hash().digest(b"other"), 1)
    with pytest.raises(ConfigurationError, match="32 bytes of blake3"):
        index.find(Xxh3Hash().digest(b"content"))


class AgainstAList(RuleBasedStateMachine):
    """The index against a list of everything entered, with contents of which most collide."""

    CONTENTS = tuple(np.array([MODULUS * bit for bit in bits], np.uint32).tobytes() for bits in np.ndindex(2, 2, 2))

    def __init__(self) -> None:
        super().__init__()
        self.index = ActionIndex(ModularHash())
        self.entered: list[tuple[int, bytes]] = []
        self.made = 0

    @rule(content=st.sampled_from(CONTENTS))
    def add(self, content):
        self.index.add(modular_key(content), self.made, content)
        self.entered.append((self.made, content))
        self.made += 1

    @precondition(lambda self: self.entered)
    @rule(pick=st.integers(0))
    def remove(self, pick):
        number, content = self.entered.pop(pick % len(self.entered))
        self.index.remove(modular_key(content), number)

    @invariant()
    def every_content_finds_the_number_entered_last_for_it(self):
        last = {content: number for number, content in self.entered}
        for content in self.CONTENTS:
            assert self.index.find(modular_key(content), content) == last.get(content)
        assert len(self.index) == len(self.entered)


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
