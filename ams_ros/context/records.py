"""What the pool keeps: action contexts, the vectors they consist of, and the key that says which model made them.

Source: Zheng et al. 2025, section 3.2 and figure 6; spec C1 and C7.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ams_ros.errors import ConfigurationError
from ams_ros.types import Float32Array, Float64Array

Array = NDArray[Any]

KEY_BYTES = 32
"""Length of an input key and of a model digest (BLAKE3 and SHA-256, both cryptographic)."""

DTYPES = ("float16", "float32", "float64", "uint8", "uint16")
"""Element types of vectors; bfloat16 travels as uint16, which is unambiguous because the model key names the dtype."""

_IDENTIFIER = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")


class ContextOutcome(Enum):
    """How the task a context belongs to went; nobody knows until somebody says so."""

    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class VectorKind(Enum):
    """What a vector holds.

    VISION: encoded picture of one camera, (tokens, width). PREFIX: keys and values of the language model's prefix.
    LATENTS: every latent of a denoising run, the noise first, (steps + 1, horizon, action_dim) float32.
    TIMES: flow time of each latent, (steps + 1,) float64. OUTPUT: last hidden state of the action expert, (horizon,
    width). JOINTS: joint targets of the decoded slice, (horizon, dof) float64 rad. GRIPPER: its finger targets,
    (horizon,) float64 m.
    """

    VISION = "vision"
    PREFIX = "prefix"
    LATENTS = "latents"
    TIMES = "times"
    OUTPUT = "output"
    JOINTS = "joints"
    GRIPPER = "gripper"

    @property
    def recomputable(self) -> bool:
        """Whether the same input gives it again, so that dropping it loses only time."""
        return self in (VectorKind.VISION, VectorKind.PREFIX)


@dataclass(frozen=True, slots=True)
class ModelKey:
    """Everything that must be equal before anything of a context may be reused (C7).

    model_id: for people. weights_hash, config_hash: hex digests. dtype: of the computation, such as float32.
    cameras: in the order the model reads them. calibration_id: names the cameras' calibration. robot: profile name.
    """

    model_id: str
    weights_hash: str
    config_hash: str
    dtype: str
    cameras: tuple[str, ...]
    calibration_id: str
    robot: str

    def __post_init__(self) -> None:
        """Refuse a key that would not survive its own JSON form."""
        for name in ("model_id", "weights_hash", "config_hash", "dtype", "calibration_id", "robot"):
            if not isinstance(getattr(self, name), str):
                raise ConfigurationError(f"model key {name}", getattr(self, name), "a text")
        if not isinstance(self.cameras, tuple) or not all(isinstance(camera, str) for camera in self.cameras):
            raise ConfigurationError("model key cameras", self.cameras, "a tuple of texts")

    def to_json(self) -> str:
        """The canonical JSON form, which the digest is taken of."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> ModelKey:
        """The key of that JSON form; raises ConfigurationError when it is none."""
        try:
            content = json.loads(text)
            content["cameras"] = tuple(content["cameras"])
            return ModelKey(**content)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ConfigurationError("model key", text[:200], "the JSON form of a model key") from error

    @property
    def digest(self) -> bytes:
        """SHA-256 of the JSON form, KEY_BYTES long."""
        return hashlib.sha256(self.to_json().encode()).digest()


@dataclass(frozen=True, slots=True, eq=False)
class ContextRecord:
    """One inference, without its vectors.

    context_id: unique; letters, digits, `_`, `-` and `.`, at most 64. episode: names the task it was part of, same
        alphabet, empty for none. index: number of the slice within the episode, from 0.
    created: seconds since 1970. joints: (dof,) float64 rad and gripper: m, measured when the inference began.
    embedding: (d,) float32 of length 1, what similarity is judged by. The pool rounds it to half precision, which moves
        its length by less than 1e-3, and gives back what it rounded to; what is rounded already comes back as it was.
    seed: of the noise. start_time: flow time denoising began at, 0 < t <= 1. guided_by: context id the start came
        from, empty for noise.
    """

    context_id: str
    model: ModelKey
    instruction: str
    episode: str
    index: int
    outcome: ContextOutcome
    created: float
    joints: Float64Array
    gripper: float
    embedding: Float32Array
    seed: int
    start_time: float
    guided_by: str

    def __post_init__(self) -> None:
        """Refuse what cannot be kept; the fields may come from a file or from another process."""
        check_identifier("context_id", self.context_id)
        if self.episode:
            check_identifier("episode", self.episode)
        if self.guided_by:
            check_identifier("guided_by", self.guided_by)
        if not _writable(self.instruction) or len(self.instruction.encode()) > MAXIMUM_INSTRUCTION_BYTES:
            raise ConfigurationError(
                "instruction", self.instruction[:80], f"text of at most {MAXIMUM_INSTRUCTION_BYTES} bytes in UTF-8"
            )
        for name, array in (("joints", self.joints), ("embedding", self.embedding)):
            if array.ndim != 1 or not np.isfinite(array).all():
                raise ConfigurationError(f"{name} of context {self.context_id}", array.shape, "finite numbers, one row")
        if not 1 <= len(self.embedding) <= MAXIMUM_EMBEDDING:
            raise ConfigurationError("embedding", len(self.embedding), f"1..{MAXIMUM_EMBEDDING} numbers")
        if abs(float(np.linalg.norm(self.embedding)) - 1.0) > 1e-3:
            raise ConfigurationError("embedding", float(np.linalg.norm(self.embedding)), "a vector of length 1")
        if not 0 <= self.index < 2**31:
            raise ConfigurationError("index", self.index, "0..2^31 - 1")
        if not 0 <= self.seed < 2**64:
            raise ConfigurationError("seed", self.seed, "0..2^64 - 1")
        if not 0.0 < self.start_time <= 1.0:
            raise ConfigurationError("start_time", self.start_time, "above 0 and at most 1")
        if not (np.isfinite(self.created) and np.isfinite(self.gripper)):
            raise ConfigurationError("created, gripper", (self.created, self.gripper), "finite numbers")


MAXIMUM_INSTRUCTION_BYTES = 4096
MAXIMUM_EMBEDDING = 4096
MAXIMUM_VECTORS = 64
MAXIMUM_DIMENSIONS = 8


@dataclass(frozen=True, slots=True, eq=False)
class NewVector:
    """One vector as it is handed to the pool.

    name: the camera for VISION, else empty. array: C-contiguous, dtype one of DTYPES; never written to afterwards.
    key: KEY_BYTES that stand for everything it was computed from, model included; empty when it is not looked up by
        its input. cost: seconds it took to compute.
    """

    kind: VectorKind
    name: str
    array: Array
    key: bytes = b""
    cost: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be kept."""
        check_layout(self.kind, self.array.dtype.name, self.array.shape)
        if not self.array.flags.c_contiguous:
            raise ConfigurationError(f"array of vector {self.kind.value}", self.array.strides, "a C-contiguous array")
        if len(self.key) not in (0, KEY_BYTES):
            raise ConfigurationError(f"key of vector {self.kind.value}", len(self.key), f"0 or {KEY_BYTES} bytes")


@dataclass(frozen=True, slots=True, eq=False)
class NewContext:
    """One inference with its vectors, at most MAXIMUM_VECTORS, no two of the same kind and name."""

    record: ContextRecord
    vectors: tuple[NewVector, ...]

    def __post_init__(self) -> None:
        """Refuse doubles."""
        places = [(vector.kind, vector.name) for vector in self.vectors]
        if len(places) > MAXIMUM_VECTORS or len(set(places)) != len(places):
            raise ConfigurationError(
                f"vectors of context {self.record.context_id}",
                [f"{kind.value}/{name}" for kind, name in places],
                f"at most {MAXIMUM_VECTORS}, each kind and name once",
            )


def _writable(text: str) -> bool:
    """Whether UTF-8 has a form for it: a lone surrogate has none."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def check_identifier(key: str, text: str) -> str:
    """The text itself; raises ConfigurationError when it cannot name a context or an episode."""
    if not _IDENTIFIER.fullmatch(text):
        raise ConfigurationError(key, text, "1 to 64 letters, digits, _ - and ., the first a letter or digit")
    return text


def check_layout(kind: VectorKind, dtype: str, shape: tuple[int, ...]) -> int:
    """Bytes of a vector of that layout; raises ConfigurationError when it cannot be kept."""
    if dtype not in DTYPES:
        raise ConfigurationError(f"dtype of vector {kind.value}", dtype, ", ".join(DTYPES))
    if not 1 <= len(shape) <= MAXIMUM_DIMENSIONS or any(not 1 <= length < 2**40 for length in shape):
        raise ConfigurationError(f"shape of vector {kind.value}", shape, f"1..{MAXIMUM_DIMENSIONS} lengths above 0")
    count = 1
    for length in shape:
        count *= length
    if count >= 2**40:
        raise ConfigurationError(f"shape of vector {kind.value}", shape, "below 2^40 elements")
    return count * np.dtype(dtype).itemsize
