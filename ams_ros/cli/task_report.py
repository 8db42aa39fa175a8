"""What a run over the nodes is asked for, and what it reports."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ams_ros.cli.pool_use import PoolUse
from ams_ros.errors import ConfigurationError
from ams_ros.supervision.task_loop import parse_mode
from ams_ros.types import Guidance, GuidanceVariant, Mode, Outcome

START_TIME = 0.5
"""Flow time that guidance starts at when nobody says: half of the steps are denoised anew."""

_CUT_SHORT = (Outcome.CANCELED.value, Outcome.FAILED.value)


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """What to run: the scene (task, objects, seed) and what the policy is told to do in it.

    task: names the scene, and in modes that replay what a job is. instruction: None takes the task's own.
    budget: steps the task may take.
    seed: of the scene and of the policy's noise.
    guidance: what the first guided_slices slices start from; None: noise.
    jobs: how many are to be done; 0: not known.
    """

    task: str
    instruction: str | None
    objects: int
    seed: int
    mode: str
    budget: int
    guidance: Guidance | None = None
    guided_slices: int = 0
    jobs: int = 0

    def __post_init__(self) -> None:
        """Refuse what no graph could run, before one is looked for."""
        mode = parse_mode(self.mode)
        if self.guidance is not None and not mode.pooled:
            raise ConfigurationError(
                "--mode", self.mode, f"{_names(each for each in Mode if each.pooled)} with --guide"
            )
        if self.jobs and not mode.replayed:
            raise ConfigurationError(
                "--mode", self.mode, f"{_names(each for each in Mode if each.replayed)} with --jobs"
            )
        if self.instruction is not None and not self.instruction.strip():
            raise ConfigurationError("INSTRUCTION", self.instruction, 'words, such as "put the cubes in the bowl"')
        for key, value, lowest in (
            ("--objects", self.objects, 0),
            ("--seed", self.seed, 0),
            ("--budget", self.budget, 1),
            ("--jobs", self.jobs, 0),
            ("--guided-slices", self.guided_slices, 0 if self.guidance is None else 1),
        ):
            if not lowest <= value < 2**31:
                raise ConfigurationError(key, value, f"an integer from {lowest} to 2147483647")


def _names(modes: Iterable[Mode]) -> str:
    return " or ".join(mode.value for mode in modes)


def chosen_guidance(
    reference: str | None, start_time: float | None, variant: str | None, slices: int | None
) -> tuple[Guidance | None, int]:
    """Guidance and number of guided slices of the options --guide, --start-time, --variant and --guided-slices.

    None stands for an option that was not given. Raises ConfigurationError for what cannot be started from.
    """
    given = {"--start-time": start_time, "--variant": variant, "--guided-slices": slices}
    if reference is None:
        for key, value in given.items():
            if value is not None:
                raise ConfigurationError(key, value, f"{key} together with --guide REFERENCE")
        return None, 0
    names = [each.value for each in GuidanceVariant]
    if variant is not None and variant not in names:
        raise ConfigurationError("--variant", variant, ", ".join(names))
    time = START_TIME if start_time is None else start_time
    guidance = Guidance(reference, time, GuidanceVariant(variant) if variant else GuidanceVariant.LATENT)
    return guidance, 1 if slices is None else slices


@dataclass(frozen=True, slots=True)
class Score:
    """What the simulator knows about its scene."""

    placed: int
    objects: int
    success: bool


@dataclass(frozen=True, slots=True)
class TaskReport:
    """How a run went.

    success, placed: the simulator's own judgement; None where no simulated robot is there to judge.
    outcome, message: how the task ended, as the supervisor told it.
    seconds, policy_seconds: the whole task, and the part of it spent waiting for inference.
    episode: id under which the pool keeps the task's contexts; empty in mode direct.
    guide, guided_slices: reference the first slices started from; empty and 0 without guidance.
    jobs: how many were asked for; 0: not known. job_steps: the step at which the robot saw each job done, by its own
    senses; None in modes in which nobody looks.
    pool: what the pool did meanwhile; None in modes without it and where no pool answers.
    """

    task: str
    instruction: str
    mode: str
    seed: int
    objects: int
    success: bool | None
    placed: int | None
    steps: int
    inferences: int
    exceptions: int
    replays: int
    seconds: float
    policy_seconds: float
    outcome: str
    message: str
    episode: str = ""
    guide: str = ""
    guided_slices: int = 0
    jobs: int = 0
    job_steps: tuple[int, ...] | None = None
    pool: PoolUse | None = None

    @property
    def exit_code(self) -> int:
        """0 when the task ended by itself or by its budget and the simulator calls it a success, else 1."""
        return 0 if self.success and self.outcome not in _CUT_SHORT else 1

    def to_json(self) -> str:
        """The JSON form, readable by people."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def sentence(self) -> str:
        """The report in one line for people."""
        if self.success is None:
            verdict = "Ended; nobody here can tell whether it succeeded (no simulated robot)"
        else:
            verdict = "Success" if self.success else "No success"
            verdict += f": {self.placed} of {self.objects} placed"
        if self.job_steps is not None:
            seen = len(self.job_steps)
            verdict += f", {seen}{f' of {self.jobs}' if self.jobs else ''} job{'' if seen == 1 else 's'} seen done"
        work = f"{self.steps} steps in {self.seconds:.1f} s, {self.inferences} inferences ({self.policy_seconds:.1f} s)"
        if self.exceptions:
            work += f", {self.exceptions} exception{'s' if self.exceptions > 1 else ''}"
        if self.replays:
            work += f", {self.replays} replay{'s' if self.replays > 1 else ''}"
        return f"{verdict}, {work}. Ended as {self.outcome}: {self.message}"

    def pool_lines(self, runs_on: bool) -> tuple[str, ...]:
        """What there is to say about the pool, for people; nothing in modes without it. runs_on: whether its node does.

        In modes that replay the pool is told by the supervisor how each attempt went, so nobody else needs to.
        """
        mode = Mode(self.mode)
        if not mode.pooled:
            return ()
        used = self.pool.sentence() if self.pool else "No context pool answers: inference went without one."
        if not self.inferences:  # there is nothing that could be marked
            return (used,)
        if mode.replayed:
            return used, f"Episodes: {self.episode}.0 and on, one for each attempt"
        command = f"ams pool mark {self.episode} succeeded" + ("" if runs_on else " --store FOLDER")
        return used, f"Episode: {self.episode} (say how it went: {command})"
