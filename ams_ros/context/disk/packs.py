"""Pack files: safetensors files that hold segments, written once, never changed, replaced whole."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ams_ros.context.disk.disk_errors import storage_error
from ams_ros.context.disk.tensor_file import encode_frame, read_exactly, read_frame
from ams_ros.errors import PoolError

_NAME = re.compile(r"[0-9a-f]{24}\.safetensors")
_UNFINISHED = ".part"


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack file: its name within the folder, its size, and the byte each of its segments begins at, by digest."""

    name: str
    nbytes: int
    positions: dict[bytes, int]


class PackFolder:
    """The folder with the packs of one store.

    A pack is complete before it has its name: it is written under another one, synced, renamed, and the folder is
    synced, so that a name that outlives a loss of power stands for whole content. Names are random and never used
    twice; a reader that holds an old one finds the old pack or none.
    """

    def __init__(self, folder: Path, read_only: bool) -> None:
        """Create the folder where it is missing; raises PoolError with the path when that cannot be."""
        self.path = folder
        self._read_only = read_only
        self._used: int | None = None
        if not read_only:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(folder, error) from error

    def sizes(self) -> dict[str, int]:
        """Bytes of every file in the folder by name, unfinished ones included."""
        try:
            with os.scandir(self.path) as entries:
                return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise storage_error(self.path, error) from error

    def used_bytes(self) -> int:
        """Bytes of all files in the folder; a writer looks once and then keeps count of what it writes and removes."""
        if self._used is None or self._read_only:
            self._used = sum(self.sizes().values())
        return self._used

    def write(self, segments: Mapping[bytes, memoryview]) -> Pack:
        """A new pack with those segments, by digest; durable at return. Raises PoolError; nothing is left then."""
        tensors = [(digest.hex(), "uint8", (size,), size) for digest, size in _sizes(segments)]
        frame = encode_frame(tensors, {})
        positions, end = {}, len(frame)
        for digest, size in _sizes(segments):
            positions[digest], end = end, end + size
        name = f"{secrets.token_hex(12)}.safetensors"
        unfinished = self.path / (name + _UNFINISHED)
        try:
            try:
                with unfinished.open("xb") as file:
                    file.write(frame)
                    for segment in segments.values():
                        file.write(segment)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.rename(self.path / name)
                sync_folder(self.path)
            except OSError:
                unfinished.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise storage_error(unfinished, error) from error
        self._used = None if self._used is None else self._used + end
        return Pack(name, end, positions)

    def remove(self, name: str) -> None:
        """Delete a file of the folder; it may be gone already."""
        path = self.path / name
        try:
            size = path.lstat().st_size
            path.unlink()
            self._used = None if self._used is None else self._used - size
        except FileNotFoundError:
            self._used = None
        except OSError as error:
            raise storage_error(path, error) from error

    def describes(self, name: str, segments: Mapping[bytes, tuple[int, int]]) -> bool:
        """Whether the header of a pack is one that `write` makes and has those segments, by digest: begin and size.

        Loading needs no header; whoever opens the file with a safetensors library does. What it says of segments that
        nobody needs any more is not known here. Raises FileNotFoundError, PoolError as `opened`.
        """
        with self.opened(name) as (file, size):
            try:
                frame = read_frame(file, size, cut_short=True)
                tensors = [(each, tensor.dtype, tensor.shape, tensor.nbytes) for each, tensor in frame.tensors.items()]
                if encode_frame(tensors, {}) != read_exactly(file, frame.begin, 0):
                    return False
            except (PoolError, OSError):
                return False
        found = {each: (tensor.position, tensor.nbytes) for each, tensor in frame.tensors.items()}
        return all(found.get(digest.hex()) == place for digest, place in segments.items())

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, int]]:
        """The pack's open file and its size, for reading by offset.

        Raises FileNotFoundError when it is gone, PoolError when the system refuses.
        """
        if not is_pack(name):
            raise FileNotFoundError(f"{name[:80]!r} is not the name of a pack")
        try:
            file = os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise storage_error(self.path / name, error) from error
        try:
            yield file, os.fstat(file).st_size
        finally:
            os.close(file)


def pack_bytes(sizes: Mapping[bytes, int]) -> int:
    """Size of the pack file that would hold segments of those sizes."""
    return len(encode_frame([(digest.hex(), "uint8", (size,), size) for digest, size in sizes.items()], {})) + sum(
        sizes.values()
    )


def is_pack(name: str) -> bool:
    """Whether a name is one this module gives."""
    return _NAME.fullmatch(name) is not None


def is_ours(name: str) -> bool:
    """Whether a file of the folder is a pack or an unfinished one; anything else there belongs to somebody else."""
    return is_pack(name.removesuffix(_UNFINISHED))


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    file = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sizes(segments: Mapping[bytes, memoryview]) -> Iterator[tuple[bytes, int]]:
    for digest, segment in segments.items():
        yield digest, segment.nbytes
