"""The key board (spec C2): what readers in other processes learn without asking the pool."""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ams_ros.context.index.key_board import FULLNESS, HEADER_BYTES, PREFIX_BYTES, KeyBoard, KeyBoardReader, bytes_for
from ams_ros.errors import ConfigurationError, PoolError


def key(number: int) -> bytes:
    return hashlib.sha256(struct.pack("<q", number)).digest()


def key_at(home: int, capacity: int, number: int) -> bytes:
    """A key whose search begins at `home`, one of many."""
    return struct.pack("<QQ", home + capacity * number, number) + bytes(16)


def test_a_reader_finds_every_listed_key_and_hardly_another():
    buffer = bytearray(bytes_for(2000))
    board, reader = KeyBoard(buffer), KeyBoardReader(buffer)
    for number in range(2000):
        board.add(key(number))
    assert all(reader.might_have(key(number)) for number in range(2000))
    assert not any(reader.might_have(key(number)) for number in range(2000, 6000))
    assert len(board) == 2000


def test_another_process_reads_what_is_written_after_it_attached(tmp_path):
    path = tmp_path / "board"
    path.write_bytes(bytes(bytes_for(10)))
    with path.open("r+b") as file:
        board = KeyBoard(mmap.mmap(file.fileno(), 0))
    asked, answered = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        with path.open("rb") as file:
            reader = KeyBoardReader(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        for _ in range(3):
            os.read(asked[0], 1)
            os.write(answered[1], b"y" if reader.might_have(key(1)) else b"n")
        os._exit(0)
    answers = []
    for change in (lambda: None, lambda: board.add(key(1)), lambda: board.remove(key(1))):
        change()
        os.write(asked[1], b"?")
        answers.append(os.read(answered[0], 1))
    assert os.waitpid(child, 0)[1] == 0
    assert answers == [b"n", b"y", b"n"]
    for end in (*asked, *answered):
        os.close(end)


def test_a_full_board_answers_maybe_until_enough_was_removed():
    buffer = bytearray(bytes_for(3))
    board, reader = KeyBoard(buffer), KeyBoardReader(buffer)
    room = int(reader.capacity * FULLNESS)
    for number in range(room + 2):
        board.add(key(number))
    assert all(reader.might_have(key(number)) for number in range(room + 2))
    assert reader.might_have(key(999))
    board.remove(key(0))
    board.remove(key(room + 1))
    assert all(reader.might_have(key(number)) for number in range(1, room + 1))
    assert not reader.might_have(key(999))
    assert len(board) == room


def test_adding_twice_and_removing_what_is_not_there_change_nothing():
    board = KeyBoard(bytearray(bytes_for(10)))
    board.add(key(1))
    board.add(key(1))
    board.remove(key(2))
    assert len(board) == 1
    board.remove(key(1))
    assert not board.might_have(key(1))


def test_the_key_of_zeros_is_listed_like_any_other():
    board = KeyBoard(bytearray(bytes_for(10)))
    assert not board.might_have(bytes(32))
    board.add(bytes(32))
    assert board.might_have(bytes(32))


@given(
    homes=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 5)), max_size=7, unique=True),
    removed=st.sets(st.integers(0, 6)),
)
def test_keys_that_share_a_run_of_places_are_found_after_others_of_the_run_were_removed(homes, removed):
    buffer = bytearray(HEADER_BYTES + 12 * PREFIX_BYTES)
    board = KeyBoard(buffer)
    keys = [key_at(home, 12, number) for home, number in homes]
    for each in keys:
        board.add(each)
    for position, each in enumerate(keys):
        if position in removed:
            board.remove(each)
    kept = {each for position, each in enumerate(keys) if position not in removed}
    assert {each for each in keys if board.might_have(each)} == kept


@pytest.mark.parametrize(
    "spoil",
    [
        lambda board: bytearray(0),
        lambda board: bytearray(HEADER_BYTES - 1),
        lambda board: bytearray(len(board)),
        lambda board: board[: HEADER_BYTES + PREFIX_BYTES],
        lambda board: board[:8] + struct.pack("<I", 99) + board[12:],
        lambda board: board[:16] + struct.pack("<Q", 0) + board[24:],
        lambda board: board[:16] + struct.pack("<Q", 2**63) + board[24:],
    ],
    ids=["empty", "short", "zeros", "cut off", "another version", "no places", "more places than memory"],
)
def test_a_buffer_that_holds_no_board_is_refused(spoil):
    buffer = bytearray(bytes_for(10))
    KeyBoard(buffer)
    with pytest.raises(PoolError, match="key board"):
        KeyBoardReader(spoil(buffer))


@given(noise=st.binary(min_size=400, max_size=400), number=st.integers(0, 1000))
@settings(max_examples=200)
def test_a_reader_answers_whatever_was_written_over_the_board(noise, number):
    buffer = bytearray(bytes_for(20))
    KeyBoard(buffer)
    reader = KeyBoardReader(buffer)
    buffer[: len(noise)] = noise
    assert reader.might_have(key(number)) in (True, False)
    buffer[:] = b"\xff" * len(buffer)
    assert reader.might_have(key(number))


def test_a_writer_whose_places_were_all_overwritten_says_so():
    buffer = bytearray(bytes_for(5))
    board = KeyBoard(buffer)
    board.add(key(1))
    buffer[HEADER_BYTES:] = b"\xff" * (len(buffer) - HEADER_BYTES)
    with pytest.raises(PoolError, match="somebody else"):
        board.add(key(2))


def test_readers_racing_with_a_writer_always_get_an_answer_and_the_right_one_afterwards():
    buffer = bytearray(bytes_for(64))
    board, reader = KeyBoard(buffer), KeyBoardReader(buffer)
    steady = key(10_000)
    board.add(steady)

    def read() -> int:
        return sum(reader.might_have(steady) for _ in range(20_000))

    with ThreadPoolExecutor(2) as pool:
        reading = [pool.submit(read) for _ in range(2)]
        for number in range(4000):
            board.add(key(number % 60))
            board.remove(key((number * 7) % 60))
        # A move of the steady key may hide it for one look each; it is never lost.
        assert all(future.result() > 10_000 for future in reading)
    assert reader.might_have(steady)


@pytest.mark.parametrize("buffer", [bytes(1000), bytearray(HEADER_BYTES + PREFIX_BYTES)], ids=["read-only", "small"])
def test_a_writer_refuses_a_buffer_it_cannot_use(buffer):
    with pytest.raises(ConfigurationError, match="buffer of the key board"):
        KeyBoard(memoryview(buffer))


def test_wrong_keys_and_sizes_are_refused():
    with pytest.raises(ConfigurationError, match="input key"):
        KeyBoard(bytearray(bytes_for(1))).add(b"short")
    with pytest.raises(ConfigurationError, match="keys of the key board"):
        bytes_for(0)


def test_the_memory_can_be_given_back_once_a_reader_is_closed():
    area = mmap.mmap(-1, bytes_for(10))
    board, reader = KeyBoard(area), KeyBoardReader(area)
    with pytest.raises(BufferError):
        area.close()
    board.close()
    reader.close()
    area.close()


class AgainstASet(RuleBasedStateMachine):
    """A small board that is often full, against a set of keys."""

    def __init__(self) -> None:
        super().__init__()
        buffer = bytearray(bytes_for(12))
        self.board, self.reader = KeyBoard(buffer), KeyBoardReader(buffer)
        self.held: set[int] = set()

    @rule(number=st.integers(0, 30))
    def add(self, number):
        self.board.add(key(number))
        self.held.add(number)

    @rule(number=st.integers(0, 30))
    def remove(self, number):
        self.board.remove(key(number))
        self.held.discard(number)

    @invariant()
    def a_key_that_is_held_is_never_denied_and_others_are_unless_the_board_is_full(self):
        answers = {number for number in range(31) if self.reader.might_have(key(number))}
        full = len(self.held) > int(self.reader.capacity * FULLNESS)
        assert answers == (set(range(31)) if full else self.held)
        assert len(self.board) == len(self.held)


TestAgainstASet = AgainstASet.TestCase
TestAgainstASet.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)
