"""Two-phase hashing and input keys (spec C4, C7)."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import blake3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ams_ros.context.hashing.choice import HASH_NAMES, find_hash
from ams_ros.context.hashing.input_key import camera_key, prefix_key
from ams_ros.context.hashing.modular import BASE, BLOCK_WORDS, MODULUS, ModularHash
from ams_ros.context.hashing.two_phase import fingerprint
from ams_ros.context.records import KEY_BYTES
from ams_ros.errors import ConfigurationError
from ams_ros.types import CameraImage

HASHES = [find_hash(name) for name in HASH_NAMES]
MODEL = hashlib.sha256(b"a model").digest()
OTHER_MODEL = hashlib.sha256(b"another model").digest()

every_hash = pytest.mark.parametrize("hash", HASHES, ids=HASH_NAMES)
contents = st.binary(max_size=300)


def picture(camera: str = "top", seed: int = 0, shape: tuple[int, int] = (8, 6)) -> CameraImage:
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    return CameraImage(camera, 0.0, pixels)


def modular_digest_by_definition(data: bytes) -> int:
    value = 0
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        value = (value * BASE + int.from_bytes(data[start : start + 4], "little")) % MODULUS
    return (value * BASE + int.from_bytes(data[whole:], "little")) % MODULUS


@every_hash
@given(data=contents)
def test_a_digest_has_one_length_and_depends_on_nothing_but_the_bytes(hash, data):
    digest = hash.digest(data)
    assert len(digest) == len(hash.digest(b""))
    assert digest == hash.digest(bytearray(data)) == hash.digest(np.frombuffer(data, np.uint8))


@every_hash
def test_a_digest_reads_an_array_of_any_type_as_bytes_and_refuses_gaps(hash):
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    assert hash.digest(array) == hash.digest(array.tobytes())
    with pytest.raises(TypeError):
        hash.digest(array[:, ::2])


@given(data=contents)
def test_blake3_is_the_published_function(data):
    assert find_hash("blake3").digest(data) == blake3.blake3(data).digest()


@given(data=st.binary(min_size=1, max_size=40), repeats=st.integers(1, 2000))
def test_the_modular_hash_is_the_polynomial_it_claims_to_be(data, repeats):
    content = data * repeats
    digest = ModularHash().digest(content)
    assert int.from_bytes(digest[:4], "little") == modular_digest_by_definition(content)
    assert int.from_bytes(digest[4:], "little") == len(content)


def test_the_modular_hash_agrees_with_its_definition_at_the_edges_of_its_blocks():
    for words in (BLOCK_WORDS - 1, BLOCK_WORDS, BLOCK_WORDS + 1, 2 * BLOCK_WORDS):
        content = b"\xff" * (4 * words)
        assert int.from_bytes(ModularHash().digest(content)[:4], "little") == modular_digest_by_definition(content)


def test_an_unknown_hash_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigurationError, match=r"hash.*'md5'.*blake3, xxh3, modular"):
        find_hash("md5")


@every_hash
@given(data=contents, segment_bytes=st.integers(1, 64), workers=st.integers(2, 4))
def test_c4_segments_hashed_by_threads_are_those_hashed_one_by_one(hash, data, segment_bytes, workers):
    alone = fingerprint(data, segment_bytes, hash)
    assert fingerprint(data, segment_bytes, hash, workers) == alone
    pieces = [data[start : start + segment_bytes] for start in range(0, len(data), segment_bytes)]
    assert alone.segments == tuple(hash.digest(piece) for piece in pieces)


@given(first=contents, second=contents, segment_bytes=st.integers(1, 64))
def test_c4_different_contents_have_different_fingerprints(first, second, segment_bytes):
    blake = find_hash("blake3")
    same = fingerprint(first, segment_bytes, blake).whole == fingerprint(second, segment_bytes, blake).whole
    assert same == (first == second)


@given(data=st.binary(min_size=80, max_size=300))
def test_c4_the_list_of_segments_is_not_mistaken_for_content(data):
    blake = find_hash("blake3")
    inner = fingerprint(data, 32, blake)
    assert fingerprint(b"".join(inner.segments), 32, blake).whole != inner.whole
    assert fingerprint(data, 33, blake).whole != inner.whole


@pytest.mark.parametrize(("segment_bytes", "workers"), [(0, 1), (-1, 1), (8, 0)])
def test_sizes_below_one_are_refused(segment_bytes, workers):
    with pytest.raises(ConfigurationError, match="at least 1"):
        fingerprint(b"content", segment_bytes, find_hash("blake3"), workers)


def test_c7_a_camera_key_names_model_camera_shape_and_every_pixel_but_not_the_time():
    image = picture()
    key = camera_key(MODEL, image)
    changed = image.pixels.copy()
    changed[-1, -1, -1] ^= 1
    others = [
        camera_key(OTHER_MODEL, image),
        camera_key(MODEL, replace(image, camera="wrist")),
        camera_key(MODEL, replace(image, pixels=image.pixels.reshape(6, 8, 3))),
        camera_key(MODEL, replace(image, pixels=changed)),
    ]
    assert len(key) == KEY_BYTES
    assert len({key, *others}) == 1 + len(others)
    assert camera_key(MODEL, replace(image, stamp=5.0)) == key


def test_a_camera_key_reads_pixels_in_picture_order_whatever_their_memory_order():
    image = picture()
    turned = replace(image, pixels=np.asfortranarray(image.pixels))
    assert camera_key(MODEL, turned) == camera_key(MODEL, image)


def test_c7_a_prefix_key_names_model_instruction_and_which_camera_saw_what():
    top, wrist = camera_key(MODEL, picture("top", 1)), camera_key(MODEL, picture("wrist", 2))
    key = prefix_key(MODEL, "put the cube into the bowl", {"top": top, "wrist": wrist})
    others = [
        prefix_key(OTHER_MODEL, "put the cube into the bowl", {"top": top, "wrist": wrist}),
        prefix_key(MODEL, "put the cube into the bow", {"top": top, "wrist": wrist}),
        prefix_key(MODEL, "put the cube into the bowl", {"top": wrist, "wrist": top}),
        prefix_key(MODEL, "put the cube into the bowl", {"top": top}),
        prefix_key(MODEL, "put the cube into the bowltop", {"": top, "wrist": wrist}),
    ]
    assert len({key, *others}) == 1 + len(others)
    assert prefix_key(MODEL, "put the cube into the bowl", {"wrist": wrist, "top": top}) == key


def test_digests_and_pictures_of_the_wrong_form_are_refused():
    with pytest.raises(ConfigurationError, match="model digest"):
        camera_key(b"short", picture())
    with pytest.raises(ConfigurationError, match="key of camera top"):
        prefix_key(MODEL, "", {"top": b"short"})
    with pytest.raises(ConfigurationError, match="picture of camera top"):
        camera_key(MODEL, CameraImage("top", 0.0, np.zeros((4, 4, 3), np.float32)))  # type: ignore[arg-type]
