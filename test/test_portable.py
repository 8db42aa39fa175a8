"""Exports (spec C3): whole or not at all, readable by any safetensors tool, and never believed without a checksum."""

from __future__ import annotations

import contextlib
import json
import os
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from disk_fixtures import new_context, same_record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ams_ros.context.disk.portable import Damaged, PortableContext, export_contexts, read_contexts
from ams_ros.context.disk.portable_lines import MAXIMUM_LINE_BYTES
from ams_ros.context.disk.tensor_file import encode_frame
from ams_ros.context.records import ContextOutcome, NewContext, NewVector, VectorKind
from ams_ros.errors import PoolError

NAMES = ("first", "second", "third")


def sample(name: str) -> PortableContext:
    number = NAMES.index(name)
    plain = new_context(name, seed=number // 2, outcome=list(ContextOutcome)[number])
    return PortableContext(plain.record, plain.vectors, pinned=number == 1)


def same(one: NewContext, other: NewContext) -> bool:
    return same_record(one.record, other.record) and all(
        (a.kind, a.name, a.key, a.cost, a.array.dtype, a.array.shape, a.array.tobytes())
        == (b.kind, b.name, b.key, b.cost, b.array.dtype, b.array.shape, b.array.tobytes())
        for a, b in zip(one.vectors, other.vectors, strict=True)
    )


@pytest.fixture
def export(tmp_path) -> Path:
    path = tmp_path / "contexts.safetensors"
    done = export_contexts(path, map(sample, NAMES))
    assert (done.contexts, done.bytes) == (3, path.stat().st_size)
    return path


def test_an_export_gives_back_the_same_contexts_with_outcome_and_pin_c3(export):
    found = list(read_contexts(export))
    assert all(same(one, sample(name)) for one, name in zip(found, NAMES, strict=True))
    assert [context.pinned for context in found] == [False, True, False]
    assert [context.record.outcome for context in found] == list(ContextOutcome)
    assert os.listdir(export.parent) == [export.name]


def test_plain_contexts_can_be_exported_and_equal_vectors_lie_in_the_file_once(tmp_path):
    prefix = NewVector(VectorKind.PREFIX, "", np.zeros((100, 1000), np.uint16))
    contexts = [NewContext(new_context(f"c{n}").record, (prefix,)) for n in range(10)]
    done = export_contexts(tmp_path / "many", iter(contexts))
    assert done.bytes < 2 * prefix.array.nbytes
    assert [each.record.context_id for each in read_contexts(tmp_path / "many")] == [f"c{n}" for n in range(10)]


def test_an_export_of_nothing_is_an_export(tmp_path):
    export_contexts(tmp_path / "none", [])
    assert list(read_contexts(tmp_path / "none")) == []


def test_the_safetensors_library_opens_an_export(export):
    from safetensors import safe_open  # noqa: PLC0415

    with safe_open(export, "np") as file:
        assert file.metadata() == {"format": "ams_ros contexts", "version": "1", "contexts": "3"}
        shapes = sorted(tuple(file.get_tensor(name).shape) for name in file.keys() if name != "contexts")  # noqa: SIM118
    assert shapes.count((100, 100)) == 2


def test_an_existing_file_is_never_overwritten(export, tmp_path):
    before = export.read_bytes()
    with pytest.raises(PoolError, match="exists already"):
        export_contexts(export, [])
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PoolError, match="exists already"):
        export_contexts(tmp_path / "dangling", [])
    with pytest.raises(PoolError, match="created meanwhile"):
        export_contexts(tmp_path / "late", (sample(name) for name in NAMES if (tmp_path / "late").write_bytes(b"mine")))
    assert (tmp_path / "late").read_bytes() == b"mine"
    assert export.read_bytes() == before


def test_an_export_that_fails_half_way_leaves_nothing(tmp_path):
    def broken():
        yield sample("first")
        raise PoolError("the disk has gone")

    with pytest.raises(PoolError, match="the disk has gone"):
        export_contexts(tmp_path / "half", broken())
    assert os.listdir(tmp_path) == []
    with pytest.raises(PoolError, match=str(tmp_path / "nowhere" / "file")):
        export_contexts(tmp_path / "nowhere" / "file", [])


def test_damage_costs_the_contexts_it_lies_in_and_names_them(export):
    content = bytearray(export.read_bytes())
    third = sample("third").vectors[1].array.tobytes()
    content[content.index(third) + 5] ^= 1
    export.write_bytes(content)
    first, second, damaged = read_contexts(export)
    assert same(first, sample("first"))
    assert same(second, sample("second"))
    assert damaged == Damaged("vector latents: its bytes do not match their checksum", "third")
    at = content.index(b'"context_id":"second"')
    content[at + 16] ^= 1
    export.write_bytes(content)
    assert [type(each) for each in read_contexts(export)] == [PortableContext, Damaged, Damaged]


def test_a_line_whose_end_is_gone_takes_the_next_one_along_and_is_missed_in_the_count(export):
    content = bytearray(export.read_bytes())
    content[content.index(b"\n", content.index(b'{"context_id":"first"'))] = ord(" ")
    export.write_bytes(content)
    damaged, third, missing = read_contexts(export)
    assert same(third, sample("third"))
    assert isinstance(damaged, Damaged)
    assert missing == Damaged("1 contexts that the header announces are missing")


def hostile(lines: bytes, tensors: list[tuple[str, str, tuple[int, ...], int]] | None = None, **metadata: str) -> bytes:
    entries = [*(tensors or []), ("contexts", "uint8", (len(lines),), len(lines))]
    frame = encode_frame(entries, {"format": "ams_ros contexts", "version": "1", "contexts": "1", **metadata})
    return frame + bytes(sum(nbytes for *_, nbytes in entries[:-1])) + lines


def header_file(header: object, length: int | None = None, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(offsets: list, shape: list, dtype: str = "U8") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 7,
        header_file({}, length=2**63),
        header_file({}, length=3),
        header_file(b"[" * 200_000),
        header_file(b'{"a":' * 100_000),
        header_file([]),
        header_file(b"\xff\xfe"),
        header_file(b'{"a":' + b"9" * 10_000 + b"}"),
        header_file({"__metadata__": {"format": ["ams_ros contexts"]}}),
        header_file({"a": tensor([0, 2**62], [2**62])}),
        header_file({"a": tensor([0, 10], [10]), "b": tensor([5, 15], [10])}, body=bytes(15)),
        header_file({"a": tensor([0, 10], [10]), "b": tensor([12, 15], [3])}, body=bytes(15)),
        header_file({"a": tensor([0, 10], [2**31, 2**31, 2**31])}, body=bytes(10)),
        header_file({"a": tensor([10, 0], [-10])}, body=bytes(10)),
        header_file({"a": tensor([0, True], [True])}, body=bytes(1)),
        header_file({"a": tensor([0, 10.0], [10])}, body=bytes(10)),
        header_file({"a": tensor([0, 10], [10], "O")}, body=bytes(10)),
        header_file({"a": {"dtype": ["U8"], "shape": {}, "data_offsets": None}}),
        header_file({"a": tensor([0, 10], [10])}, body=bytes(11)),
        hostile(b"", format="something else"),
        hostile(b"", version="2"),
        hostile(b"", version="1e9"),
        hostile(b"", contexts="9" * 5000),
        hostile(b"", contexts="-1"),
    ],
)
def test_a_hostile_or_damaged_header_is_one_error_that_names_the_file(tmp_path, content):
    path = tmp_path / "hostile"
    path.write_bytes(content)
    with pytest.raises(PoolError, match=str(path)):
        read_contexts(path)


def test_a_file_that_claims_more_than_any_memory_is_refused_unread(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 2**40))
        file.truncate(2**41)
    with pytest.raises(PoolError, match="claims"):
        read_contexts(path)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing", Path("/dev/zero")):
        with pytest.raises(PoolError, match=str(path)):
            read_contexts(path)


def signed(content: object) -> bytes:
    """A line with a proper checksum whatever it says: a checksum keeps out accidents, not people."""
    from blake3 import blake3  # noqa: PLC0415

    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return blake3(text).hexdigest().encode() + b" " + text + b"\n"


def honest_line(export: Path) -> dict:
    content = export.read_bytes()
    line = content[content.index(b'{"context_id":"first"') :]
    return json.loads(line[: line.index(b"\n")])


JUNK = [None, True, -1, 2**70, 1.5, 10**400, "", "\ud800", "x" * 10_000, [], [[]], {}, {"a": 1}, float("nan"), "zz"]


def test_signed_nonsense_in_any_field_is_a_damaged_context_or_a_valid_one(export, tmp_path):
    honest = honest_line(export)
    lines = [honest, *({**honest, field: junk} for field in honest for junk in JUNK)]
    fields = honest["vectors"][0]
    lines += [{**honest, "vectors": [{**fields, field: junk}]} for field in fields for junk in JUNK]
    lines += [{}, [], 7, {**honest, "vectors": honest["vectors"] * 40}, {**honest, "vectors": honest["vectors"] * 2}]
    signed_lines = b"".join(map(signed, lines)) + signed(b"[" * 100_000) + b"\n \n" + b"x" * (3 * MAXIMUM_LINE_BYTES)
    path = tmp_path / "signed"
    path.write_bytes(hostile(signed_lines, contexts=str(len(lines) + 4)))
    found = list(read_contexts(path))
    assert len(found) == len(lines) + 4
    assert all(isinstance(each, Damaged) or each.vectors == () for each in found)
    assert sum(isinstance(each, PortableContext) for each in found) <= len(JUNK)


def test_a_context_of_many_references_to_one_large_tensor_is_refused_unread(export, tmp_path):
    honest = honest_line(export)
    entry = {**honest["vectors"][0], "dtype": "uint8", "shape": [2**31 + 1], "key": ""}
    (tmp_path / "large").write_bytes(hostile(signed({**honest, "vectors": [entry]})))
    (damaged,) = read_contexts(tmp_path / "large")
    assert damaged == Damaged("its vectors are larger than 2147483648 bytes", "first")


def reads_only_truth(path: Path) -> None:
    """Read a file that may hold anything: an error about the whole, or contexts as they were written, or Damaged."""
    with contextlib.suppress(PoolError):
        for found in read_contexts(path):
            if isinstance(found, PortableContext):
                assert same(found, sample(found.record.context_id))
                assert found.pinned == sample(found.record.context_id).pinned


MEND = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


@MEND
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=8), cut=st.floats(0, 1)
)
def test_flipped_bytes_and_truncation_never_yield_what_was_not_written(export, flips, cut):
    content = bytearray(export.read_bytes())
    for place, bits in flips:
        content[int(place * len(content))] ^= bits
    hurt = export.with_name("hurt")
    hurt.write_bytes(content[: int(len(content) * min(2 * cut, 1.0))])
    reads_only_truth(hurt)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SIZES = st.lists(st.integers(-5, 40) | st.integers(), max_size=9)
ENTRY = st.fixed_dictionaries(
    {"dtype": st.sampled_from(["U8", "U16", "F32", "BF16", "x"]), "shape": SIZES, "data_offsets": SIZES}
)


@MEND
@given(
    header=JSON | st.dictionaries(st.sampled_from(["contexts", "__metadata__", "a", "b"]), ENTRY | JSON, max_size=4),
    length=st.none() | st.integers(0, 2**64 - 1),
    body=st.binary(max_size=64),
)
def test_invented_headers_never_crash_the_reader(tmp_path, header, length, body):
    path = tmp_path / "invented"
    path.write_bytes(header_file(header, length, body))
    reads_only_truth(path)


@pytest.mark.slow
def test_damaged_exports_by_the_thousand_never_yield_what_was_not_written(export):
    whole = export.read_bytes()
    hurt = export.with_name("hurt")
    for seed in range(30_000):
        chance = random.Random(seed)
        content = bytearray(whole)
        for _ in range(chance.choice([1, 1, 2, 10, 300])):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.2:
            del content[chance.randrange(len(content)) :]
        hurt.write_bytes(content)
        reads_only_truth(hurt)
