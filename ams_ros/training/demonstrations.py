"""Collecting demonstrations of scripted experts, by several processes, into the files that training reads."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.policy.checkpoint_card import read_card
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.plant import Plant
from ams_ros.training.demo_mix import DemoMix
from ams_ros.training.demonstration import ARRAYS, PERIOD, demonstrate, instructions_of
from ams_ros.training.lessons import lessons_of

_SHARD_EPISODES = 10


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What to demonstrate; for one request always the same demonstrations.

    task: whose lessons. robot: the profile's name. learner: checkpoint folder of a policy that works first in every
    scene; the expert takes over where it goes wrong.
    """

    task: str
    episodes: int
    seed: int
    robot: str = "widowx_250s"
    mix: DemoMix = field(default_factory=DemoMix)
    learner: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be demonstrated."""
        if self.episodes < 1:
            raise ConfigurationError("episodes", self.episodes, "1 or more")
        lessons_of(self.task)

    def note(self) -> dict[str, Any]:
        """It in JSON's own types; a learner by its weights."""
        content = asdict(self) | {"lessons": [asdict(lesson) for lesson in lessons_of(self.task)]}
        content["learner"] = None if self.learner is None else read_card(self.learner).weights_sha256
        kept = {key: value for key, value in content.items() if value is not None}
        return dict(json.loads(json.dumps(kept)))


def collect(
    folder: Path, request: DemoRequest, workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write the demonstrations into `folder`, one .npy file for each field of Episode, and meta.json.

    What an interrupted run finished is kept and not made again. progress: called with (episodes done, episodes).
    Raises ConfigurationError when the folder holds demonstrations made otherwise, AmsError when none succeed.
    """
    if workers < 1:
        raise ConfigurationError("workers", workers, "1 or more")
    note, episodes = request.note(), request.episodes
    _claim(folder, note)
    if (folder / "meta.json").exists():
        return
    shards = [
        _Shard(folder / "shards" / f"{first:06d}.npz", request, first, min(_SHARD_EPISODES, episodes - first))
        for first in range(0, episodes, _SHARD_EPISODES)
    ]
    missing = [shard for shard in shards if not shard.path.exists()]
    done = episodes - sum(shard.count for shard in missing)
    for made in _run(missing, workers):
        done += made
        if progress is not None:
            progress(done, episodes)
    instructions = instructions_of(lessons_of(request.task))
    _merge(folder, [shard.path for shard in shards], {**note, "instructions": instructions})


def _claim(folder: Path, request: dict[str, Any]) -> None:
    """Note what this folder is for, and refuse one that is for something else."""
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    note = folder / "request.json"
    if note.exists():
        found = json.loads(note.read_text(encoding="utf-8"))
        if found != request:
            raise ConfigurationError(str(folder), found, f"an empty folder, or one begun with {request}")
    note.write_text(json.dumps(request, indent=1), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Shard:
    """The demonstrations first .. first + count - 1 of a request, in one file."""

    path: Path
    request: DemoRequest
    first: int
    count: int


def _run(shards: list[_Shard], workers: int) -> Iterator[int]:
    if workers == 1 or len(shards) <= 1:
        yield from map(_write_shard, shards)
        return
    # Spawned, not forked: an OpenGL context does not survive a fork.
    with multiprocessing.get_context("spawn").Pool(min(workers, len(shards))) as pool:
        yield from pool.imap_unordered(_write_shard, shards)


def _write_shard(shard: _Shard) -> int:
    """Make a shard's demonstrations and write them whole or not at all; returns how many."""
    request, numbers = shard.request, range(shard.first, shard.first + shard.count)
    lessons = lessons_of(request.task)
    plant = Plant(load_profile(request.robot))
    learner = None
    if request.learner is not None:
        # Only here: plain demonstrations should not wait for the policy's libraries.
        from ams_ros.training.learner import Learner  # noqa: PLC0415

        learner = Learner(request.learner)
    try:
        made = [demonstrate(plant, (request.seed, index), lessons, request.mix, learner) for index in numbers]
    finally:
        plant.close()
    content = {name: np.concatenate([getattr(episode, name) for episode, _ in made]) for name in ARRAYS}
    lengths = [len(episode.state) for episode, _ in made]
    content["episode"] = np.repeat(np.array(numbers, dtype=np.int32), lengths)
    content["rejected"] = np.array([rejected for _, rejected in made], dtype=np.int32)
    unfinished = shard.path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, **content)  # type: ignore[arg-type]
    unfinished.replace(shard.path)
    return shard.count


def _merge(folder: Path, shards: list[Path], note: dict[str, Any]) -> None:
    """One .npy file for each array, written through the disk because all of them together may not fit in memory."""
    lengths, rejected = [], 0
    for shard in shards:
        with np.load(shard, allow_pickle=False) as content:
            lengths.append(len(content["episode"]))
            rejected += int(content["rejected"].sum())
    total = sum(lengths)
    for name in (*ARRAYS, "episode"):
        merged, row = None, 0
        for shard, length in zip(shards, lengths, strict=True):
            with np.load(shard, allow_pickle=False) as content:
                part = content[name]
            if merged is None:
                shape = (total, *part.shape[1:])
                merged = np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=part.dtype, shape=shape)
            merged[row : row + length] = part
            row += length
        del merged
    meta = {**note, "frames": total, "rejected": rejected, "period": PERIOD}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
    for shard in shards:
        shard.unlink()
    (folder / "shards").rmdir()
