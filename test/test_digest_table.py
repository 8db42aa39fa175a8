"""The table that finds actions by digest, against a dictionary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.context.memory.digest_table import DigestTable

WIDTH = 16


def digest(home: int, tag: int) -> bytes:
    """Digests of few homes, the last slot among them, so that clusters form and wrap around the end."""
    return ((1 << 64) - 1 - home).to_bytes(8, "little") + tag.to_bytes(8, "little")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.booleans()), max_size=300), st.data())
def test_every_number_is_found_by_its_digest_until_it_is_removed(
    steps: list[tuple[int, int, bool]], data: st.DataObject
) -> None:
    table, model = DigestTable(WIDTH), dict[int, bytes]()
    for number, (home, tag, beside) in enumerate(steps):
        wanted = digest(home, tag)
        known = wanted in model.values()
        assert table.add(number, wanted, beside) == (beside or not known)
        if beside or not known:
            model[number] = wanted
        if model and data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(sorted(model)))
            table.remove(gone)
            del model[gone]
    table.check(sorted(model))
    assert len(table) == len(model)
    for home in range(7):
        for tag in range(3):
            wanted = digest(home, tag)
            assert sorted(table.find(wanted)) == [number for number, each in model.items() if each == wanted]


def test_a_large_table_finds_each_and_nothing_else() -> None:
    table = DigestTable(WIDTH)
    digests = [(number * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "little") + bytes(8) for number in range(20_000)]
    for number, each in enumerate(digests):
        assert table.add(number, each)
    for number in range(1, 20_000, 2):
        table.remove(number)
    table.check(list(range(0, 20_000, 2)))
    assert all(table.find(each) == ([] if number % 2 else [number]) for number, each in enumerate(digests))


def test_digests_too_short_to_spread_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 8"):
        DigestTable(7)
