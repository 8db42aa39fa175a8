"""Collecting demonstrations of the scripted expert: what the small policy is trained on.

Each demonstration handles exactly ONE cube and ends with the arm at rest in its start pose, whatever else lies on the
table, and some begin with cubes in the bowl already. That leaves "start pose, cube in the bowl" ambiguous between
beginning and end: the regime of the paper's Figure 4.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ams_ros.errors import AmsError, ConfigurationError
from ams_ros.policy.checkpoint_card import read_card
from ams_ros.policy.images import square
from ams_ros.robot.profile import RobotProfile, load_profile
from ams_ros.simulation.downward_reach import DownwardReach
from ams_ros.simulation.expert import Advice, Expert
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks.cubes import CubesTask, SceneDomain, inside_bowl
from ams_ros.types import Float64Array

if TYPE_CHECKING:
    from ams_ros.training.learner import Learner

PERIOD, CONTROL_PERIOD = 0.05, 0.01
RENDERED, STORED = 128, 64
MOST_CUBES = CubesTask.maximum_objects
_SHARD_EPISODES = 10
_ATTEMPTS, _ATTEMPTS_WITH_LEARNER = 20, 200
"""A good learner seldom goes wrong."""


@dataclass(frozen=True, slots=True)
class DemoMix:
    """What the demonstrations look like; it decides what a policy learns, so it goes into meta.json.

    outside_weights: relative weights of 1, 2, 3 ... cubes outside the bowl at the start.
    in_bowl_weights: relative weights of 0, 1, 2 ... cubes already in the bowl at the start; those for which the table
    holds no more cubes are left out.
    finished: share in which no cube is left outside the bowl: the arm starts anywhere, goes home and stays there.
    random_start: share that starts from a random arm pose instead of the start pose.
    closed_start: share that starts with the gripper closed.
    noise: standard deviation of the Ornstein-Uhlenbeck noise on executed joint commands, rad.
    noise_memory: correlation of that noise from one step to the next.
    idle_steps: steps at rest at the end. step_limit: longer episodes are rejected.
    """

    outside_weights: tuple[float, ...] = (0.38, 0.24, 0.14, 0.09, 0.06, 0.05, 0.04)
    in_bowl_weights: tuple[float, ...] = (0.42, 0.26, 0.13, 0.08, 0.05, 0.04, 0.02)
    finished: float = 0.06
    random_start: float = 0.5
    closed_start: float = 0.15
    noise: float = 0.014
    noise_memory: float = 0.75
    idle_steps: int = 20
    step_limit: int = 240

    def __post_init__(self) -> None:
        """Refuse weights that are no weights and shares outside 0..1."""
        for key in ("outside_weights", "in_bowl_weights"):
            weights = getattr(self, key)
            if not weights or min(weights) < 0.0 or sum(weights) <= 0.0:
                raise ConfigurationError(f"mix.{key}", weights, "weights of 0 or more, not all 0")
        for key in ("finished", "random_start", "closed_start", "noise_memory"):
            if not 0.0 <= getattr(self, key) <= 1.0:
                raise ConfigurationError(f"mix.{key}", getattr(self, key), "0..1")
        for key, most in (("outside_weights", MOST_CUBES), ("in_bowl_weights", MOST_CUBES + 1)):
            if len(getattr(self, key)) > most:
                raise ConfigurationError(f"mix.{key}", getattr(self, key), f"at most {most} weights")


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """F frames of one demonstration; the fields are the files of the format.

    front, wrist: (F, 64, 64, 3) uint8. state: (F, 7) float32, joints rad and finger m, before the step.
    action: (F, 7) float32, the expert's clean command for the step. idle: (F,) bool, in the rest at the end.
    target: (F, 3) float32 m, the handled cube in base_link. present: (F,) bool, a cube is left outside the bowl.
    held: (F,) bool, a cube is between the closed fingers.
    """

    front: NDArray[np.uint8]
    wrist: NDArray[np.uint8]
    state: NDArray[np.float32]
    action: NDArray[np.float32]
    idle: NDArray[np.bool_]
    target: NDArray[np.float32]
    present: NDArray[np.bool_]
    held: NDArray[np.bool_]


ARRAYS = tuple(field.name for field in fields(Episode))


class _RejectedError(Exception):
    """An attempt that is no demonstration: a cube was dropped, or it took too long."""


def collect(
    folder: Path,
    episodes: int,
    seed: int,
    workers: int = 1,
    *,
    mix: DemoMix | None = None,
    learner: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write `episodes` demonstrations of the task "cubes" into `folder`; for one seed always the same ones.

    What an interrupted run finished is kept and not made again. progress: called with (episodes done, episodes).
    learner: checkpoint folder of a policy that works first in every scene; the expert takes over where it goes wrong.
    Raises ConfigurationError when the folder holds demonstrations made otherwise, AmsError when none succeed.
    """
    if episodes < 1:
        raise ConfigurationError("episodes", episodes, "1 or more")
    if workers < 1:
        raise ConfigurationError("workers", workers, "1 or more")
    mix = mix or DemoMix()
    request = {"task": CubesTask.name, "seed": seed, "episodes": episodes, "mix": asdict(mix)}
    if learner is not None:
        request["learner"] = read_card(learner).weights_sha256
    request = json.loads(json.dumps(request))
    _claim(folder, request)
    if (folder / "meta.json").exists():
        return
    shards = [
        (folder / "shards" / f"{first:06d}.npz", seed, first, min(_SHARD_EPISODES, episodes - first), mix, learner)
        for first in range(0, episodes, _SHARD_EPISODES)
    ]
    missing = [shard for shard in shards if not shard[0].exists()]
    done = episodes - sum(shard[3] for shard in missing)
    for made in _run(missing, workers):
        done += made
        if progress is not None:
            progress(done, episodes)
    _merge(folder, [shard[0] for shard in shards], request)


def _claim(folder: Path, request: dict[str, object]) -> None:
    """Note what this folder is for, and refuse one that is for something else."""
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    note = folder / "request.json"
    if note.exists():
        found = json.loads(note.read_text(encoding="utf-8"))
        if found != request:
            raise ConfigurationError(str(folder), found, f"an empty folder, or one begun with {request}")
    note.write_text(json.dumps(request, indent=1), encoding="utf-8")


_Shard = tuple[Path, int, int, int, DemoMix, Path | None]


def _run(shards: list[_Shard], workers: int) -> Iterator[int]:
    if workers == 1 or len(shards) <= 1:
        yield from map(_write_shard, shards)
        return
    # Spawned, not forked: an OpenGL context does not survive a fork.
    with multiprocessing.get_context("spawn").Pool(min(workers, len(shards))) as pool:
        yield from pool.imap_unordered(_write_shard, shards)


def _write_shard(shard: _Shard) -> int:
    """Make the episodes first .. first + count - 1 and write them whole or not at all."""
    path, seed, first, count, mix, checkpoint = shard
    plant = Plant(load_profile("widowx_250s"))
    learner = None
    if checkpoint is not None:
        # Only here: plain demonstrations should not wait for the policy's libraries.
        from ams_ros.training.learner import Learner  # noqa: PLC0415

        learner = Learner(checkpoint)
    try:
        made = [demonstrate(plant, seed, index, mix, learner) for index in range(first, first + count)]
    finally:
        plant.close()
    content = {name: np.concatenate([getattr(episode, name) for episode, _ in made]) for name in ARRAYS}
    lengths = [len(episode.state) for episode, _ in made]
    content["episode"] = np.repeat(np.arange(first, first + count, dtype=np.int32), lengths)
    content["rejected"] = np.array([rejected for _, rejected in made], dtype=np.int32)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, **content)  # type: ignore[arg-type]
    unfinished.replace(path)
    return count


def demonstrate(
    plant: Plant, seed: int, index: int, mix: DemoMix, learner: Learner | None = None
) -> tuple[Episode, int]:
    """Demonstration number `index` of `seed`, and how many attempts were rejected before it.

    Raises AmsError when no attempt succeeds.
    """
    attempts = _ATTEMPTS if learner is None else _ATTEMPTS_WITH_LEARNER
    for attempt in range(attempts):
        rng = np.random.default_rng(np.random.SeedSequence([int(SceneDomain.TRAINING), seed, index, attempt]))
        try:
            return _attempt(plant, rng, mix, learner), attempt
        except _RejectedError:
            continue
    raise AmsError(f"demonstration {index} of seed {seed}: {attempts} attempts in a row failed")


def _attempt(plant: Plant, rng: np.random.Generator, mix: DemoMix, learner: Learner | None) -> Episode:
    task = CubesTask()
    layout, in_bowl = _draw_layout(plant.profile, rng, mix)
    if learner is None:
        plant.reset(layout)
    elif not learner.goes_wrong(plant, layout, task.instruction, rng):
        raise _RejectedError("the learner needs no correction here")
    if int(inside_bowl(plant.cube_poses()[0]).sum()) != in_bowl:
        raise _RejectedError("a cube did not stay in the bowl")
    expert = Expert(plant)
    frames: list[tuple[object, ...]] = []
    noise, idle = np.zeros(len(plant.profile.joints)), 0
    fresh = mix.noise * np.sqrt(1.0 - mix.noise_memory**2)
    while idle < mix.idle_steps:
        if len(frames) == mix.step_limit:
            raise _RejectedError("too long")
        advice = _advise(expert)
        frames.append(_frame(plant, advice))
        idle = idle + 1 if advice.idle else 0
        noise = mix.noise_memory * noise + fresh * rng.standard_normal(len(noise))
        # At rest the real arm is commanded exactly its start pose, so the idle end is shown without noise.
        _execute(plant, advice.action, np.zeros_like(noise) if advice.idle else noise)
    if task.placed(plant) != min(in_bowl + 1, len(layout.cubes)):
        raise _RejectedError("the cube is not in the bowl")
    columns = [np.stack([np.asarray(value) for value in column]) for column in zip(*frames, strict=True)]
    return Episode(*columns)


def _advise(expert: Expert) -> Advice:
    try:
        return expert.advise()
    except ValueError as error:
        raise _RejectedError(str(error)) from error


def _draw_layout(profile: RobotProfile, rng: np.random.Generator, mix: DemoMix) -> tuple[SceneLayout, int]:
    """A training scene with the arm's and gripper's start, and how many cubes it puts into the bowl."""
    finished = rng.uniform() < mix.finished
    outside = 0 if finished else 1 + _chosen(mix.outside_weights, rng)
    in_bowl = _chosen(mix.in_bowl_weights[: MOST_CUBES - outside + 1], rng)
    if finished:
        in_bowl = max(1, in_bowl)
    scene = CubesTask().sample(int(rng.integers(2**62)), outside + in_bowl, in_bowl, SceneDomain.TRAINING)
    arm = _random_pose(profile, rng) if finished or rng.uniform() < mix.random_start else profile.start
    finger = profile.gripper.lower if rng.uniform() < mix.closed_start else profile.gripper.upper
    return SceneLayout(cubes=scene.cubes, arm=arm, finger=finger, settle=scene.settle), in_bowl


def _chosen(weights: tuple[float, ...], rng: np.random.Generator) -> int:
    """An index, drawn by relative weights."""
    return int(rng.choice(len(weights), p=np.array(weights) / sum(weights)))


def _random_pose(profile: RobotProfile, rng: np.random.Generator) -> Float64Array:
    """Somewhere over the table and above every cube, pointing roughly down."""
    while True:
        place = np.array([rng.uniform(0.15, 0.37), rng.uniform(-0.22, 0.25), rng.uniform(0.11, 0.26)])
        solution = DownwardReach(profile).solve(place, 0.0)
        if solution is None:
            continue
        solution[5] = rng.uniform(-0.9, 0.9)
        pose = solution + 0.06 * rng.standard_normal(len(solution))
        if ((pose > profile.lower) & (pose < profile.upper)).all():
            return np.asarray(pose, dtype=np.float64)


def _frame(plant: Plant, advice: Advice) -> tuple[object, ...]:
    """One row of every array of Episode, in its order."""
    views = [square(plant.render(camera, RENDERED, RENDERED).pixels, STORED) for camera in ("front", "wrist")]
    outside = ~inside_bowl(plant.cube_poses()[0])
    return (
        *views,
        plant.joints().position.astype(np.float32),
        advice.action.astype(np.float32),
        advice.idle,
        advice.target.astype(np.float32),
        advice.held or bool(outside.any()),
        advice.held,
    )


def _execute(plant: Plant, action: Float64Array, noise: Float64Array) -> None:
    """Run one step as at run time: from the measured pose in a straight line at the controller's rate."""
    begin, goal = plant.joints().position[:-1], action[:-1] + noise
    plant.command_gripper(float(action[-1]))
    updates = round(PERIOD / CONTROL_PERIOD)
    for update in range(1, updates + 1):
        plant.command_arm(begin + (goal - begin) * (update / updates))
        plant.advance(CONTROL_PERIOD)


def _merge(folder: Path, shards: list[Path], request: dict[str, object]) -> None:
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
    meta = {**request, "instruction": CubesTask.instruction, "frames": total, "rejected": rejected, "period": PERIOD}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
    for shard in shards:
        shard.unlink()
    (folder / "shards").rmdir()
