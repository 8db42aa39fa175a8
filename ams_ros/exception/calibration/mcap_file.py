"""Reading ROS 2 messages out of MCAP files, chunk by chunk and without ROS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mcap.reader import SeekingReader
from mcap.records import Channel, Schema
from mcap.summary import Summary
from mcap_ros2.decoder import DecoderFactory

from ams_ros.errors import ConfigurationError

LARGEST_CHUNK = 256 * 2**20
"""Bytes of a chunk unpacked; recorders write a few MiB, and one chunk at a time lies in memory."""

_WHOLE = "a whole MCAP file with an index; `mcap recover` mends one that was cut off"


def files_of(recording: Path) -> list[Path]:
    """The MCAP files of a recording: one file, or the folder a recorder wrote. Raises ConfigurationError for none."""
    if recording.is_dir():
        found = sorted(recording.glob("*.mcap"))
        if not found:
            allowed = "a recording in MCAP; `ros2 bag convert` makes one of other formats"
            raise ConfigurationError(str(recording), "a folder without a .mcap file", allowed)
        return found
    if not recording.is_file():
        raise ConfigurationError(str(recording), "nothing of that name", "an MCAP file, or the folder of a recording")
    return [recording]


def channels_of(file: Path) -> dict[str, str]:
    """Message type by topic. Raises ConfigurationError naming a file that is damaged."""
    with file.open("rb") as stream:
        summary = _read(file, lambda: _summary(SeekingReader(stream)))
        return {channel.topic: summary.schemas[channel.schema_id].name for channel in _described(summary)}


def messages_of(file: Path, wanted: Mapping[str, str]) -> Iterator[tuple[str, Any, float]]:
    """Topic, message and time of recording, s, of the topics wanted, in the order they were recorded.

    wanted: message type by topic. Raises ConfigurationError naming the file, when it is damaged, and a topic of another
    type or encoding.
    """
    with file.open("rb") as stream:
        reader = _read(file, lambda: SeekingReader(stream, validate_crcs=True))
        summary = _read(file, lambda: _summary(reader))
        for channel in _described(summary):
            if channel.topic in wanted:
                _check(file, channel, summary.schemas[channel.schema_id], wanted[channel.topic])
        factory = DecoderFactory()
        # Read raw and decoded here, as the reader keeps no decoders of its own for topics nobody wants.
        messages = _read(file, lambda: reader.iter_messages(list(wanted)))
        while (found := _read(file, lambda: next(messages, None))) is not None:
            _, channel, message = found
            yield channel.topic, _read(file, lambda: _decoded(factory, found)), message.log_time * 1e-9


def _decoded(factory: DecoderFactory, found: tuple[Any, Any, Any]) -> Any:
    schema, channel, message = found
    decoder = factory.decoder_for(channel.message_encoding, schema)
    if decoder is None:
        raise ValueError(f"nothing decodes {channel.message_encoding} messages of {channel.topic}")
    return decoder(message.data)


def _summary(reader: SeekingReader) -> Summary:
    summary = reader.get_summary()
    # Without an index messages are in no order that could be followed without holding all of them in memory.
    if summary is None or (not summary.chunk_indexes and summary.channels):
        raise ValueError("it has no index")
    largest = max((chunk.uncompressed_size for chunk in summary.chunk_indexes), default=0)
    if largest > LARGEST_CHUNK:
        raise ValueError(f"a chunk of {largest} bytes, more than {LARGEST_CHUNK}")
    return summary


def _described(summary: Summary) -> list[Channel]:
    return [channel for channel in summary.channels.values() if channel.schema_id in summary.schemas]


def _check(file: Path, channel: Channel, schema: Schema, kind: str) -> None:
    found = (schema.name, channel.message_encoding, schema.encoding)
    if found != (kind, "cdr", "ros2msg"):
        said = f"{schema.name}, {channel.message_encoding}, {schema.encoding or 'no description'}"
        raise ConfigurationError(f"{channel.topic} in {file}", said, f"{kind}, cdr, ros2msg")


def _read(file: Path, read: Callable[[], Any]) -> Any:
    """What `read` returns; a damaged file makes the libraries below fail in any way, and all of them mean the same."""
    try:
        return read()
    except Exception as error:
        said = str(error) or type(error).__name__
        raise ConfigurationError(str(file), said, _WHOLE) from error
