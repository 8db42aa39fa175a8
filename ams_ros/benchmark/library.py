"""Successes made beforehand, by the policy itself in scenes of one object, and known by the robot's own evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ams_ros.benchmark.local_reuse import LocalReuse
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.rollout import EPISODE_BYTES, Rollout
from ams_ros.benchmark.workplace import Workplace
from ams_ros.context.records import ContextOutcome
from ams_ros.errors import ConfigurationError
from ams_ros.policy.protocol import Policy
from ams_ros.types import Mode

LIBRARY_SEEDS = range(950_000, 950_100)
"""Scenes a library is made in, one after the other until it is full; no episode is scored on any of them."""

_CAP = 300


@dataclass(frozen=True, slots=True)
class Library:
    """What was made.

    files: one portable file for each success. scenes: how many it took. false: of the successes, by the simulator's
    truth, those that were none; nothing but this count knows.
    """

    files: tuple[Path, ...]
    scenes: int
    false: int


def check_seeds(seeds: range) -> None:
    """Raise ConfigurationError when scenes to be scored are among those that libraries are made in."""
    if seeds.start < LIBRARY_SEEDS.stop and LIBRARY_SEEDS.start < seeds.stop:
        raise ConfigurationError(
            "seed", seeds.start, f"one whose scenes are not among {LIBRARY_SEEDS.start}..{LIBRARY_SEEDS.stop - 1}"
        )


def make_library(request: EvaluationRequest, policy: Policy, workplace: Workplace, folder: Path) -> Library:
    """Work in mode AMS, with nothing to be guided by, until `request.library` jobs were seen done.

    The library is a function of policy, robot, task and number. Raises ConfigurationError when the policy does not
    succeed that often.
    """
    folder.mkdir(parents=True, exist_ok=True)
    alone = EvaluationRequest(
        request.task, Mode.AMS.value, 1, 1, LIBRARY_SEEDS.start, request.policy, _CAP, robot=request.robot, library=0,
        tell_jobs=True,
    )  # fmt: skip
    files: list[Path] = []
    false = scenes = 0
    for seed in LIBRARY_SEEDS:
        if len(files) == request.library:
            break
        scenes += 1
        with LocalReuse(policy, host_bytes=EPISODE_BYTES, robot=request.robot) as reuse:
            episode = Rollout(alone, policy, reuse, workplace=workplace).run(seed)
            reuse.drain()
            succeeded = reuse.pool.listing("", ContextOutcome.SUCCEEDED, 0, 1).contexts
            if succeeded:
                files.append(folder / f"success-{seed}.ams")
                files[-1].unlink(missing_ok=True)
                reuse.pool.export(files[-1], succeeded[0].record.episode)
                false += not episode.success
    if len(files) < request.library:
        raise ConfigurationError("library", request.library, f"at most {len(files)}, as often as the policy succeeds")
    return Library(tuple(files), scenes, false)
