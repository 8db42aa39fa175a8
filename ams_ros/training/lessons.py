"""What a policy is taught for a task: instructions, and of what scenes and experts each is shown."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.simulation.tasks import find_task


@dataclass(frozen=True, slots=True)
class Lesson:
    """One instruction in one sort of scene.

    instruction: what is said. task: whose scenes it is said in. kind: the only kind of object the expert handles then,
    empty for any. weight: relative share of the demonstrations.
    """

    instruction: str
    task: str
    kind: str = ""
    weight: float = 1.0


def lessons_of(task: str) -> tuple[Lesson, ...]:
    """The lessons for a task. Raises ConfigurationError for a task there is not.

    A task of several kinds of objects has its own instruction, which means any of them, and those of its parts, each of
    which means one kind: in scenes of all kinds, and in scenes that hold nothing else.
    """
    whole = find_task(task)
    if len(whole.kinds) == 1:
        return (Lesson(whole.instruction, task),)
    parts = [find_task(name) for name in ("cubes", "cups")]
    return (
        Lesson(whole.instruction, task, weight=0.4),
        *(Lesson(part.instruction, task, part.kinds[0], weight=0.15) for part in parts),
        *(Lesson(part.instruction, part.name, weight=0.15) for part in parts),
    )
