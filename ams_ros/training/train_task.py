"""From nothing to a checkpoint: demonstrations, training, export, report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from ams_ros.errors import ConfigurationError
from ams_ros.policy.checkpoint_card import CheckpointCard
from ams_ros.robot.profile import RobotProfile, load_profile
from ams_ros.training.dataset import Demonstrations
from ams_ros.training.demo_mix import CORRECTIONS
from ams_ros.training.demonstrations import DemoRequest, collect
from ams_ros.training.export import export_checkpoint, source_commit
from ams_ros.training.progress import TrainingProgress
from ams_ros.training.recipe import Recipe
from ams_ros.training.report import write_report
from ams_ros.training.trainer import Trainer

WIDOWX = "widowx_250s"
LINE_EVERY = 100
"""Where there is no terminal to draw a bar on, a line is printed for this many demonstrations."""


@dataclass(frozen=True, slots=True)
class TrainingLimits:
    """How much a run may take.

    episodes: demonstrations to collect when there are none.
    corrections: more of them in every round, begun where the half-trained policy goes wrong.
    workers: processes that collect them.
    seconds: training stops after this long and ships what it has.
    threads: of torch; more than one pays only on an idle machine, and only a little.
    """

    episodes: int = 900
    corrections: int = 300
    seconds: float = math.inf
    workers: int = 2
    threads: int = 1

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could be trained."""
        for key in ("episodes", "corrections", "seconds", "workers", "threads"):
            if not getattr(self, key) > 0:
                raise ConfigurationError(f"limits.{key}", getattr(self, key), "a number above 0")


DEFAULT_RECIPE, DEFAULT_LIMITS = Recipe(), TrainingLimits()


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What a run made: checkpoint folder, its card, and the report's page."""

    checkpoint: Path
    card: CheckpointCard
    report: Path


@dataclass(frozen=True, slots=True)
class TrainingFolders:
    """Where a run works and what it leaves.

    work: state and intermediate exports, so that an interrupted run goes on. output: the checkpoint. report: page and
    curves. demonstrations: collected there when there are none.
    """

    work: Path
    output: Path
    report: Path
    demonstrations: Path

    def corrections(self, number: int) -> Path:
        """Where the corrections of a round are collected."""
        return self.work / f"corrections_{number}"

    @classmethod
    def under(cls, work: Path, output: Path, demonstrations: Path | None = None) -> TrainingFolders:
        """The report beside the checkpoint's files, and demonstrations inside `work` unless they lie elsewhere."""
        return cls(work, output, output, demonstrations or work / "demonstrations")


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What is trained. robot: the profile's name. begin: checkpoint folder to begin with, None for random weights.

    name: of the report, empty for the task's.
    """

    task: str
    seed: int = 0
    robot: str = WIDOWX
    begin: Path | None = None
    name: str = ""

    @property
    def command(self) -> str:
        """What to type for it."""
        options = {"robot": (self.robot, WIDOWX), "seed": (self.seed, 0), "name": (self.name or self.task, self.task)}
        begun = [] if self.begin is None else [f"--begin {self.begin.name}"]
        given = [f"--{key} {value}" for key, (value, default) in options.items() if value != default]
        return " ".join(["ams train", self.task, *given, *begun])


def train_task(
    plan: TrainingPlan,
    folders: TrainingFolders,
    *,
    recipe: Recipe = DEFAULT_RECIPE,
    limits: TrainingLimits = DEFAULT_LIMITS,
    console: Console | None = None,
) -> TrainingRun:
    """Train a policy; a run that was interrupted is taken up where its state was saved.

    Raises ConfigurationError for an unknown task or robot, or for folders that belong to another run.
    """
    console = console or Console(stderr=True)
    profile, commit = load_profile(plan.robot), source_commit()
    first = DemoRequest(plan.task, limits.episodes, plan.seed, plan.robot)
    if not (folders.demonstrations / "meta.json").exists():
        _collect("demonstrations", folders.demonstrations, first, limits.workers, console)
    torch.set_num_threads(limits.threads)

    def train(until: int, *more: Path) -> Trainer:
        demonstrations = _read(plan, folders.demonstrations, recipe.horizon, more)
        trainer = Trainer(demonstrations, recipe, plan.seed, folders.work, plan.begin)
        with TrainingProgress(console, recipe.all_iterations, trainer.iteration, trainer.seconds) as progress:
            trainer.run(
                until,
                on_record=progress.show,
                on_export=lambda _: _export(trainer, profile, folders.work / "exports", commit),
                time_limit=limits.seconds,
            )
        return trainer

    trainer = train(recipe.until(0))
    for number in range(1, recipe.correction_rounds + 1):
        if trainer.seconds >= limits.seconds:
            break
        if not (folders.corrections(number) / "meta.json").exists():
            learner = folders.work / f"learner_{number}"
            export_checkpoint(trainer, profile, learner, commit)
            request = replace(
                first,
                episodes=limits.corrections,
                seed=plan.seed + 1000 * number,
                mix=CORRECTIONS[min(number, len(CORRECTIONS)) - 1],
                learner=learner,
            )
            _collect(f"corrections, round {number}", folders.corrections(number), request, limits.workers, console)
        trainer = train(recipe.until(number), *map(folders.corrections, range(1, number + 1)))
    card = export_checkpoint(trainer, profile, folders.output, commit)
    report = write_report(trainer, card, folders.output, folders.report / f"{plan.name or plan.task}.md", plan.command)
    console.print(f"checkpoint in {folders.output}, report in {report}")
    return TrainingRun(folders.output, card, report)


def _read(plan: TrainingPlan, folder: Path, horizon: int, more: Sequence[Path]) -> Demonstrations:
    """The demonstrations in these folders; refuses those of another task or robot."""
    demonstrations = Demonstrations(folder, horizon, *more)
    for meta in demonstrations.metas:
        for key, wanted in (("task", plan.task), ("robot", plan.robot)):
            if meta.get(key) != wanted:
                raise ConfigurationError(f"demonstrations.{key}", meta.get(key), f"{wanted}, as the training's")
    return demonstrations


def _collect(what: str, folder: Path, request: DemoRequest, workers: int, console: Console) -> None:
    """Collect with a bar, or with lines where there is no terminal."""
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"collecting {what}", total=request.episodes)

        def show(done: int, episodes: int) -> None:
            progress.update(bar, completed=done)
            if not console.is_terminal and done % LINE_EVERY == 0:
                console.print(f"{done} of {episodes} {what}", highlight=False)

        collect(folder, request, workers, show)


def _export(trainer: Trainer, profile: RobotProfile, folder: Path, commit: str) -> None:
    export_checkpoint(trainer, profile, folder / f"{trainer.iteration:06d}", commit)
