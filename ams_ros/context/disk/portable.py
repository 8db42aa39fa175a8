"""Contexts in one file to carry elsewhere: safetensors, so that any tool opens it (spec C3).

The tensors are the vectors, each distinct one once, and last `contexts`, the bytes of a text with one line per
context. Every line and every tensor is checked on its own, so damage costs only the contexts it lies in.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ams_ros.context.disk.disk_errors import storage_error
from ams_ros.context.disk.disk_reading import fill
from ams_ros.context.disk.disk_rows import digest
from ams_ros.context.disk.packs import sync_folder
from ams_ros.context.disk.portable_lines import (
    MAXIMUM_LINE_BYTES,
    PortableLine,
    PortableVector,
    decode_line,
    encode_line,
)
from ams_ros.context.disk.tensor_file import TensorFrame, encode_frame, read_frame
from ams_ros.context.records import Array, NewContext, NewVector
from ams_ros.errors import ConfigurationError, PoolError

FORMAT, VERSION = "ams_ros contexts", 1
MAXIMUM_CONTEXT_BYTES = 2**31
"""Of all vectors of one context: what a reader allocates at most, whatever a file claims."""

_LINES = "contexts"
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""What link answers on file systems such as a USB stick's; the name is then given by renaming."""

_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class PortableContext(NewContext):
    """A context of an export, its outcome in the record; pinned: whether it was pinned where it came from."""

    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds: contexts, and the size of its file."""

    contexts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """A context of a file that cannot be used, and why. context_id: empty when the file does not tell any more."""

    reason: str
    context_id: str = ""


def export_contexts(path: Path, contexts: Iterable[NewContext]) -> Exported:
    """Write the contexts to a new file, whole and durable or not at all.

    One context at a time is in memory. Until the end the vectors lie in an unnamed file beside the new one, so the
    disk needs room for them twice. Raises PoolError when the file exists already or the disk refuses, and passes on
    what `contexts` raises.
    """
    if os.path.lexists(path):
        raise PoolError(f"{path}: it exists already; choose another name or move it away")
    try:
        with tempfile.TemporaryFile(dir=path.parent) as body, tempfile.TemporaryFile(dir=path.parent) as lines:
            tensors: dict[str, PortableVector] = {}
            count = 0
            for context in contexts:
                lines.write(encode_line(_store(context, body, tensors)))
                count += 1
            entries = [(name, vector.dtype, vector.shape, vector.nbytes) for name, vector in tensors.items()]
            entries.append((_LINES, "uint8", (lines.tell(),), lines.tell()))
            frame = encode_frame(entries, {"format": FORMAT, "version": str(VERSION), "contexts": str(count)})
            return Exported(count, _assemble(path, frame, [body, lines]))
    except OSError as error:
        raise storage_error(path, error) from error


def read_contexts(path: Path) -> Iterator[PortableContext | Damaged]:
    """The contexts of an export one by one, and in the place of each that cannot be used what is wrong with it.

    Raises PoolError at once when the file as a whole is none: missing, no regular file, a damaged header, a later
    version.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise PoolError("not a regular file")
        frame = read_frame(number, status.st_size)
        announced = _announced(frame)
    except (PoolError, OSError) as error:
        os.close(number)
        raise PoolError(f"{path}: {error}") from error
    return _read(os.fdopen(number, "rb", buffering=0), frame, announced)


def _store(context: NewContext, body: IO[bytes], tensors: dict[str, PortableVector]) -> PortableLine:
    """Append those vectors of a context that are new to the file; the context's line."""
    vectors = []
    for vector in context.vectors:
        array = vector.array
        layout = (array.dtype.name, array.shape)
        entry = PortableVector(vector.kind, vector.name, vector.key, vector.cost, *layout, digest(array).hex())
        if entry.tensor not in tensors:
            tensors[entry.tensor] = entry
            body.write(array.data)
        vectors.append(entry)
    pinned = isinstance(context, PortableContext) and context.pinned
    return PortableLine(context.record, pinned, tuple(vectors))


def _assemble(path: Path, frame: bytes, parts: list[IO[bytes]]) -> int:
    """Write frame and parts under a temporary name and give them theirs; the size of the file."""
    number, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".part")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(frame)
            for part in parts:
                part.seek(0)
                shutil.copyfileobj(part, file, _CHUNK_BYTES)
            size = file.tell()
            file.flush()
            os.fchmod(number, 0o644)
            os.fsync(number)
        _name(Path(unfinished), path)
        sync_folder(path.parent)
    finally:
        Path(unfinished).unlink(missing_ok=True)
    return size


def _name(unfinished: Path, path: Path) -> None:
    """Give a finished file its name without replacing another one."""
    try:
        os.link(unfinished, path)
        return
    except FileExistsError:
        raise PoolError(f"{path}: it was created meanwhile by somebody else; choose another name") from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
    if os.path.lexists(path):
        raise PoolError(f"{path}: it was created meanwhile by somebody else; choose another name")
    unfinished.rename(path)


def _announced(frame: TensorFrame) -> int:
    """How many contexts the file says it has; raises PoolError when it is no export we can read."""
    metadata, lines = frame.metadata, frame.tensors.get(_LINES)
    if metadata.get("format") != FORMAT or lines is None or lines.dtype != "uint8":
        raise PoolError("not an export of contexts")
    numbers = [metadata.get(name, "") for name in ("version", "contexts")]
    if not all(number.isascii() and number.isdecimal() and len(number) <= 9 for number in numbers):
        raise PoolError(f"version and number of contexts are {str(numbers)[:80]}")
    if int(numbers[0]) != VERSION:
        raise PoolError(f"an export of version {numbers[0]}, this program knows version {VERSION}; update it")
    return int(numbers[1])


def _read(file: IO[bytes], frame: TensorFrame, announced: int) -> Iterator[PortableContext | Damaged]:
    found = 0
    with file:
        for line in _lines(file.fileno(), frame):
            found += 1
            if line is None:
                yield Damaged("a line cannot be read or is longer than any that is written")
                continue
            try:
                entry = decode_line(line)
            except PoolError as error:
                yield Damaged(str(error))
                continue
            try:
                yield _context(file.fileno(), frame, entry)
            except (PoolError, ConfigurationError) as error:
                yield Damaged(str(error), entry.record.context_id)
        if found < announced:
            yield Damaged(f"{announced - found} contexts that the header announces are missing")


def _lines(file: int, frame: TensorFrame) -> Iterator[bytes | None]:
    """The lines of the file; None for one that is too long or cannot be read."""
    place = frame.tensors[_LINES]
    pending, position, end = b"", place.position, place.position + place.nbytes
    skipping = False
    while position < end:
        chunk = bytearray(min(_CHUNK_BYTES, end - position))
        if not fill(file, memoryview(chunk), position):
            yield None
            return
        position += len(chunk)
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            yield None if skipping or len(line) > MAXIMUM_LINE_BYTES else line
            skipping = False
        if len(pending) > MAXIMUM_LINE_BYTES:
            pending, skipping = b"", True
    if pending or skipping:
        yield None


def _context(file: int, frame: TensorFrame, line: PortableLine) -> PortableContext:
    """The context of a line with its vectors, each checked against its digest."""
    if sum(vector.nbytes for vector in line.vectors) > MAXIMUM_CONTEXT_BYTES:
        raise PoolError(f"its vectors are larger than {MAXIMUM_CONTEXT_BYTES} bytes")
    vectors = tuple(
        NewVector(vector.kind, vector.name, _tensor(file, frame, vector), vector.key, vector.cost)
        for vector in line.vectors
    )
    return PortableContext(line.record, vectors, line.pinned)


def _tensor(file: int, frame: TensorFrame, vector: PortableVector) -> Array:
    place = frame.tensors.get(vector.tensor)
    label = f"vector {vector.kind.value} {vector.name}".rstrip()
    if place is None or (place.dtype, place.shape) != (vector.dtype, vector.shape):
        raise PoolError(f"{label}: the file does not hold it")
    content = np.empty(place.nbytes, np.uint8)
    if not fill(file, content.data, place.position) or digest(content).hex() != vector.content:
        raise PoolError(f"{label}: its bytes do not match their checksum")
    return content.view(vector.dtype).reshape(vector.shape)
