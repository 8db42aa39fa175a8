"""`ams train`: a policy from nothing."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ams_ros.cli.output import console, writable_file
from ams_ros.errors import ConfigurationError


def train(
    task: Annotated[str, typer.Argument(help="What to train for: cubes, cups or mixed.")],
    *,
    robot: Annotated[str, typer.Option(help="The robot's profile.")] = "widowx_250s",
    name: Annotated[
        str | None, typer.Option(help="Of the report, and of the folder out/training/NAME [default: TASK].")
    ] = None,
    begin: Annotated[
        str | None, typer.Option(metavar="CHECKPOINT", help="Begin with its weights, not with random ones.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Checkpoint and report [default: out/training/NAME/checkpoint]."),
    ] = None,
    work: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Demonstrations and state [default: out/training/NAME].")
    ] = None,
    demonstrations: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Use those collected here before [default: inside --work].")
    ] = None,
    episodes: Annotated[int | None, typer.Option(help="Demonstrations; a third as many corrections a round.")] = None,
    iterations: Annotated[
        int | None, typer.Option(help="Optimiser steps; half as many in each round of corrections.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of corrections [default: 3].")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this time and ship what is there.")] = None,
    seed: Annotated[int, typer.Option(help="Of demonstrations, first weights and noise.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Of torch; more than one pays only on an idle machine.")] = None,
) -> None:
    """Collect demonstrations, train a small pi0 on them, and write checkpoint and report.

    An interrupted training goes on where its state was saved when the same command is given again.
    """
    least = {
        "--episodes": (episodes, 1),
        "--iterations": (iterations, 1),
        "--rounds": (rounds, 0),
        "--threads": (threads, 1),
        "--seed": (seed, 0),
    }
    _refuse(least, minutes)
    from dataclasses import replace

    from ams_ros.robot.profile import load_profile
    from ams_ros.simulation.tasks import find_task

    find_task(task)
    load_profile(robot)
    name = name or task
    if Path(name).name != name:
        raise ConfigurationError("--name", name, "a name without slashes")
    work = work or Path("out") / "training" / name
    output = output or work / "checkpoint"
    for key, folder in (("--work", work), ("--output", output)):
        writable_file(key, folder / ".writable")
    # Only now: the policy's libraries take seconds to load, and a refusal should not wait for them.
    from ams_ros.policy.checkpoint import find_checkpoint
    from ams_ros.training.recipe import Recipe
    from ams_ros.training.train_task import TrainingFolders, TrainingLimits, TrainingPlan, train_task

    defaults = TrainingLimits()
    folders = TrainingFolders.under(work, output, demonstrations)
    limits = TrainingLimits(
        episodes=episodes or defaults.episodes,
        corrections=max(1, episodes // 3) if episodes else defaults.corrections,
        seconds=math.inf if minutes is None else minutes * 60.0,
        threads=threads or defaults.threads,
    )
    recipe = Recipe()
    if iterations is not None:
        recipe = replace(recipe, iterations=iterations, correction_iterations=max(1, iterations // 2))
    if rounds is not None:
        recipe = replace(recipe, correction_rounds=rounds)
    try:
        plan = TrainingPlan(task, seed, robot, None if begin is None else find_checkpoint(begin), name)
        train_task(plan, folders, recipe=recipe, limits=limits, console=console())
    except KeyboardInterrupt:
        console().print(f"Interrupted. The same command takes the training in {work} up again.", markup=False)
        raise typer.Exit(1) from None


def _refuse(least: Mapping[str, tuple[int | None, int]], minutes: float | None) -> None:
    """Raise ConfigurationError for numbers out of range. least: by option what was given and the least it may be."""
    for key, (value, smallest) in least.items():
        if value is not None and value < smallest:
            raise ConfigurationError(key, value, f"an integer of at least {smallest}")
    if minutes is not None and not 0.0 < minutes < math.inf:
        raise ConfigurationError("--minutes", minutes, "a number above 0")
