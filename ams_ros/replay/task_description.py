"""What a task is, to those who work on it: read from YAML files under config/tasks by `task_file`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlaceEvidence:
    """The job is done when something was grasped, carried and let go of over a place (spec E2, grasp).

    over: name of the place in the robot's surroundings file. carried: m the tip must have moved while it held.
    held: s the fingers must have been kept apart by what is between them.
    """

    over: str
    carried: float
    held: float


@dataclass(frozen=True, slots=True)
class PullEvidence:
    """The job is done when the tip pushed or pulled against something that gave way (spec E2, apply force).

    force: N along the pull that must have been felt. distance: m the tip must have moved from where it felt it first.
    """

    force: float
    distance: float


@dataclass(frozen=True, slots=True)
class TaskPart:
    """One kind of job. instruction: what the policy is told, in its own vocabulary."""

    instruction: str
    evidence: PlaceEvidence | PullEvidence


@dataclass(frozen=True, slots=True)
class TaskDescription:
    """A task of one or more parts. instruction: of the whole task; for a task of one part that part's."""

    name: str
    instruction: str
    parts: tuple[TaskPart, ...]
