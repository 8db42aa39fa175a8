"""Tasks: what a scene holds, what to do in it, and, by the simulator's truth, how much of it is done."""

from __future__ import annotations

from ams_ros.errors import ConfigurationError
from ams_ros.simulation.tasks.cubes import CubesTask

TASKS = ("cubes",)


def find_task(name: str) -> CubesTask:
    """The task of that name. Raises ConfigurationError with the names there are."""
    if name == CubesTask.name:
        return CubesTask()
    raise ConfigurationError("task", name, ", ".join(TASKS))


__all__ = ["TASKS", "CubesTask", "find_task"]
