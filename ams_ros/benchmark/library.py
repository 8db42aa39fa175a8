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
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.tasks import MixedTask, find_task
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
    """Work in mode AMS, with nothing to be guided by, until as many jobs were seen done with each kind of object.

    As many as `request.library` says. The library is a function of policy, robot, task and that number. Raises
    ConfigurationError when the policy does not succeed that often.
    """
    folder.mkdir(parents=True, exist_ok=True)
    maker = _Maker(request, policy, workplace, folder)
    found = [maker.successes(kind, request.library) for kind in find_task(request.task).kinds]
    return Library(
        tuple(file for each in found for file in each.files),
        sum(each.scenes for each in found),
        sum(each.false for each in found),
    )


class _Maker:
    """Works on one object after the other."""

    def __init__(self, request: EvaluationRequest, policy: Policy, workplace: Workplace, folder: Path) -> None:
        self._alone = EvaluationRequest(
            request.task,
            Mode.AMS.value,
            1,
            1,
            LIBRARY_SEEDS.start,
            policy=request.policy,
            cap=_CAP,
            robot=request.robot,
            library=0,
            tell_jobs=True,
        )
        self._policy, self._workplace, self._folder = policy, workplace, folder

    def successes(self, kind: str, wanted: int) -> Library:
        """As many as are wanted with one kind of object."""
        files: list[Path] = []
        false = 0
        for scenes, seed in enumerate(LIBRARY_SEEDS):
            if len(files) == wanted:
                return Library(tuple(files), scenes, false)
            file = self._folder / f"{kind}-{seed}.ams"
            truly = self._work(kind, seed, file)
            if truly is not None:
                files.append(file)
                false += not truly
        allowed = f"at most {len(files)}, as often as the policy succeeds with a {kind}"
        raise ConfigurationError("library", wanted, allowed)

    def _work(self, kind: str, seed: int, file: Path) -> bool | None:
        """Write the success of that scene to the file; whether it truly was one, None when none was seen."""
        with LocalReuse(self._policy, host_bytes=EPISODE_BYTES, robot=self._alone.robot) as reuse:
            rollout = Rollout(self._alone, self._policy, reuse, workplace=self._workplace)
            episode = rollout.run(seed, _scene(self._alone.task, kind, seed))
            reuse.drain()
            succeeded = reuse.pool.listing("", ContextOutcome.SUCCEEDED, 0, 1).contexts
            if not succeeded:
                return None
            file.unlink(missing_ok=True)
            reuse.pool.export(file, succeeded[0].record.episode)
            return episode.success


def _scene(task: str, kind: str, seed: int) -> SceneLayout:
    """One object of that kind."""
    if task == MixedTask.name:
        cups = int(kind == "cup")
        return MixedTask().scene(seed, 1 - cups, cups)
    return find_task(task).sample(seed, 1)
