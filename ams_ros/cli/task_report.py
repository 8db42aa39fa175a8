"""What a run over the nodes is asked for, and what it reports."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ams_ros.errors import ConfigurationError
from ams_ros.supervision.task_loop import parse_mode


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """What to run: the scene (task, objects, seed) and what the policy is told to do in it.

    instruction: None takes the task's own.
    budget: steps the task may take.
    seed: of the scene and of the policy's noise.
    """

    task: str
    instruction: str | None
    objects: int
    seed: int
    mode: str
    budget: int

    def __post_init__(self) -> None:
        """Refuse what no graph could run, before one is looked for."""
        parse_mode(self.mode)
        if self.instruction is not None and not self.instruction.strip():
            raise ConfigurationError("INSTRUCTION", self.instruction, 'words, such as "put the cubes in the bowl"')
        for key, value, lowest in (
            ("--objects", self.objects, 0),
            ("--seed", self.seed, 0),
            ("--budget", self.budget, 1),
        ):
            if not lowest <= value < 2**31:
                raise ConfigurationError(key, value, f"an integer from {lowest} to 2147483647")


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

    @property
    def exit_code(self) -> int:
        """0 when the task ended by itself or by its budget and the simulator calls it a success, else 1."""
        return 0 if self.success and self.outcome in ("at_rest", "budget_spent") else 1

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
        work = f"{self.steps} steps in {self.seconds:.1f} s, {self.inferences} inferences ({self.policy_seconds:.1f} s)"
        return f"{verdict}, {work}. Ended as {self.outcome}: {self.message}"
