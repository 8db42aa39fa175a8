"""Demonstrations on disk, read without loading them into memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ams_ros.errors import ConfigurationError
from ams_ros.policy.normalisation import Normalisation, PixelStatistics
from ams_ros.types import Float32Array, Float64Array, PixelArray

IntArray = NDArray[np.int64]
CAMERAS = ("front", "wrist")
FEW_LEVELS = 4
OPENING_FRAMES = 4
"""The first so many frames of an episode are its opening."""
PIXEL_FRAMES = 400
SMALLEST_JOINT, SMALLEST_FINGER = 0.02, 0.002
"""Least deviation (rad, m) reckoned with: a joint that hardly moves in the demonstrations must not have its sensor
noise blown up to a signal."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B frames as a policy is trained on them.

    pixels: (B, cameras, size, size, 3) uint8; state: (B, dof + 1); action: (B, horizon, dof + 1), both normalised.
    target: (B, 3) m, object being handled in base_link; present, held: (B,) bool.
    instruction: (B,) which of the demonstrations' instructions was said.
    """

    pixels: PixelArray
    state: Float32Array
    action: Float32Array
    target: Float32Array
    present: NDArray[np.bool_]
    held: NDArray[np.bool_]
    instruction: IntArray


class Pictures:
    """The pictures of several folders as one array (F, size, size, 3) uint8, left on the disk."""

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        """Put the parts one behind the other."""
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *parts[0].shape[1:])

    def __getitem__(self, frames: IntArray) -> PixelArray:
        """The pictures of these frames, (B, size, size, 3)."""
        chosen = np.empty((len(frames), *self.shape[1:]), np.uint8)
        begin = 0
        for part, end in zip(self._parts, self._ends, strict=True):
            here = (frames >= begin) & (frames < end)
            chosen[here] = part[frames[here] - begin]
            begin = end
        return chosen


class Demonstrations:
    """Demonstrations of one task in one or more folders; frames of an episode are contiguous.

    Statistics are those of the first folder alone, so that a policy can be trained on with more folders added.
    """

    def __init__(self, folder: Path, horizon: int, *more: Path) -> None:
        """Map the arrays; raises ConfigurationError when a folder is incomplete or its arrays do not fit together."""
        folders = (folder, *more)
        self.folder, self.horizon = folder, horizon
        self.metas: tuple[Mapping[str, Any], ...] = tuple(map(_read_meta, folders))
        self.meta = self.metas[0]
        self.cameras = {camera: Pictures([_map(each, camera) for each in folders]) for camera in CAMERAS}
        self.state, self.action = _joined(folders, "state"), _joined(folders, "action")
        numbers = [np.asarray(_map(each, "episode"), dtype=np.int64) for each in folders]
        self._measured = len(numbers[0])
        offsets = np.cumsum([0, *(number.max(initial=-1) + 1 for number in numbers[:-1])])
        self.episode = np.concatenate([number + offset for number, offset in zip(numbers, offsets, strict=True)])
        self.idle = _joined(folders, "idle").astype(bool)
        self.target = _joined(folders, "target").astype(np.float32)
        self.present = _joined(folders, "present").astype(bool)
        self.held = _joined(folders, "held").astype(bool)
        self.instruction = _joined(folders, "instruction").astype(np.int64)
        self.done = _joined(folders, "done").astype(np.int64)
        self._check()
        # Last frame of every frame's episode, so that slices at an episode's end repeat its last command.
        last = np.flatnonzero(np.append(self.episode[1:] != self.episode[:-1], True))
        self._last = last[np.searchsorted(last, np.arange(self.frames))]
        first = np.append(0, last[:-1] + 1)
        since = np.arange(self.frames) - first[np.searchsorted(last, np.arange(self.frames))]
        self.opening = (since < OPENING_FRAMES) & (self.done == 0)
        self.normalisation = self._measure()
        self.pixels = self._measure_pixels()

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.episode)

    @property
    def instructions(self) -> tuple[str, ...]:
        """What was said to the robot; `instruction` counts in them."""
        return tuple(self.meta["instructions"])

    @property
    def gripper_levels(self) -> Float64Array:
        """(k,) m, the finger targets that were commanded, when they are only a few; else empty."""
        levels: Float64Array = np.unique(np.asarray(self.action[:, -1], dtype=np.float64).round(6))
        return levels if len(levels) <= FEW_LEVELS else np.empty(0)

    def split(self, every: int) -> tuple[IntArray, IntArray]:
        """Frames to train on and frames held out: those of every so manyth episode, counted from the first."""
        position = np.unique(self.episode, return_inverse=True)[1]
        held_out = position % every == 0
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    def batch(self, frames: IntArray) -> Batch:
        """The frames of these indices."""
        return Batch(
            pixels=np.stack([pixels[frames] for pixels in self.cameras.values()], axis=1),
            state=self.normalisation.normalise_state(self.state[frames]),
            action=self.normalisation.normalise_action(self._slices(frames)),
            target=self.target[frames],
            present=self.present[frames],
            held=self.held[frames],
            instruction=self.instruction[frames],
        )

    def _slices(self, frames: IntArray) -> Float32Array:
        """(B, horizon, dof + 1): joint targets from the pose measured at the slice's start, absolute finger targets."""
        ahead = frames[:, None] + np.arange(self.horizon)
        slices = np.array(self.action[np.minimum(ahead, self._last[frames][:, None])], dtype=np.float32)
        slices[:, :, :-1] -= self.state[frames][:, None, :-1]
        return slices

    def _measure(self) -> Normalisation:
        state = np.asarray(self.state[: self._measured], dtype=np.float64)
        actions = self._slices(np.arange(0, self._measured, max(1, self._measured // 20_000))).reshape(
            -1, state.shape[1]
        )
        smallest = np.full(state.shape[1], SMALLEST_JOINT, dtype=np.float32)
        smallest[-1] = SMALLEST_FINGER
        return Normalisation(
            state_mean=state.mean(0).astype(np.float32),
            state_std=np.maximum(state.std(0).astype(np.float32), smallest),
            action_mean=actions.mean(0, dtype=np.float64).astype(np.float32),
            action_std=np.maximum(actions.std(0, dtype=np.float64).astype(np.float32), smallest),
        )

    def _measure_pixels(self) -> PixelStatistics:
        some = np.linspace(0, self._measured - 1, min(PIXEL_FRAMES, self._measured)).astype(np.int64)
        pixels = np.concatenate([pictures[some] for pictures in self.cameras.values()]).reshape(-1, 3)
        return PixelStatistics(
            mean=pixels.mean(0, dtype=np.float64).astype(np.float32),
            # A picture of one colour must not be divided by nothing.
            std=np.maximum(pixels.std(0, dtype=np.float64), 1.0).astype(np.float32),
        )

    def _check(self) -> None:
        frames, values = self.frames, self.state.shape[-1]
        size = self.cameras[CAMERAS[0]].shape[1]
        expected = {
            **{camera: (frames, size, size, 3) for camera in CAMERAS},
            "state": (frames, values),
            "action": (frames, values),
            "idle": (frames,),
            "target": (frames, 3),
            "present": (frames,),
            "held": (frames,),
            "instruction": (frames,),
            "done": (frames,),
        }
        for name, shape in expected.items():
            found = self.cameras[name].shape if name in self.cameras else getattr(self, name).shape
            if found != shape:
                raise ConfigurationError(f"{self.folder / name}.npy", found, f"an array of shape {shape}")
        if frames == 0 or (np.diff(self.episode) < 0).any():
            raise ConfigurationError(f"{self.folder / 'episode'}.npy", frames, "frames in the order of their episodes")
        if any(meta["instructions"] != self.meta["instructions"] for meta in self.metas):
            raise ConfigurationError("demonstrations", str(self.folder), "folders with the same instructions")
        if not ((self.instruction >= 0) & (self.instruction < len(self.instructions))).all():
            raise ConfigurationError(
                f"{self.folder / 'instruction'}.npy", int(self.instruction.max()), f"0..{len(self.instructions) - 1}"
            )


def _read_meta(folder: Path) -> Mapping[str, Any]:
    path = folder / "meta.json"
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError("demonstrations", str(path), f"a readable JSON file ({error})") from error
    said = meta.get("instructions") if isinstance(meta, dict) else None
    if not isinstance(said, list) or not said or not all(isinstance(each, str) for each in said):
        raise ConfigurationError("demonstrations", str(path), "an object whose key instructions holds a list of texts")
    return meta


def _joined(folders: Sequence[Path], name: str) -> NDArray[Any]:
    return np.concatenate([_map(folder, name) for folder in folders])


def _map(folder: Path, name: str) -> NDArray[Any]:
    path = folder / f"{name}.npy"
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as error:
        raise ConfigurationError("demonstrations", str(path), f"a readable array ({error})") from error
