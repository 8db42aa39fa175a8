"""Input keys: what vision features and a prefix are found by (spec C2, C4, C7).

A key is BLAKE3 over everything the vector was computed from, the model's digest included, so that equal keys mean
equal inputs to the same model and a hit needs no confirmation. Every part is framed by its length and every kind of
key by its own tag: no two different inputs are ever serialised to the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

from ams_ros.context.hashing.blake3 import Blake3Hash
from ams_ros.context.hashing.two_phase import SEGMENT_BYTES, fingerprint
from ams_ros.context.records import KEY_BYTES
from ams_ros.errors import ConfigurationError
from ams_ros.types import CameraImage

_HASH = Blake3Hash()


def camera_key(model_digest: bytes, image: CameraImage) -> bytes:
    """KEY_BYTES for the vision features of one camera's picture; the picture's stamp does not matter.

    Raises ConfigurationError when the pixels are not (height, width, 3) uint8 or the digest is not KEY_BYTES long.
    """
    pixels = image.pixels
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        found = f"{pixels.dtype} {pixels.shape}"
        raise ConfigurationError(f"picture of camera {image.camera}", found, "uint8 (height, width, 3)")
    size = struct.pack("<QQ", pixels.shape[0], pixels.shape[1])
    content = fingerprint(np.ascontiguousarray(pixels), SEGMENT_BYTES, _HASH).whole
    return _framed_digest(b"ams_ros camera 1", model_digest, (image.camera.encode(), size, content))


def prefix_key(model_digest: bytes, instruction: str, camera_keys: Mapping[str, bytes]) -> bytes:
    """KEY_BYTES for the prefix of one instruction and one picture per camera, whatever the mapping's order.

    The order in which the model reads its cameras is part of the model key. Raises ConfigurationError when a digest
    or a key is not KEY_BYTES long.
    """
    parts = [instruction.encode()]
    for camera, key in sorted(camera_keys.items()):
        _check_length(f"key of camera {camera}", key)
        parts += [camera.encode(), key]
    return _framed_digest(b"ams_ros prefix 1", model_digest, tuple(parts))


def _framed_digest(tag: bytes, model_digest: bytes, parts: tuple[bytes, ...]) -> bytes:
    """BLAKE3 of the tag, the model's digest, the number of parts, and each part behind its length."""
    _check_length("model digest", model_digest)
    frames = [tag, model_digest, struct.pack("<Q", len(parts))]
    for part in parts:
        frames += [struct.pack("<Q", len(part)), part]
    return _HASH.digest(b"".join(frames))


def _check_length(name: str, digest: bytes) -> None:
    if len(digest) != KEY_BYTES:
        raise ConfigurationError(name, f"{len(digest)} bytes", f"{KEY_BYTES} bytes")
