"""Tasks: what a scene holds, what to do in it, and, by the simulator's truth, how much of it is done."""

from __future__ import annotations

from ams_ros.errors import ConfigurationError
from ams_ros.simulation.tasks.cubes import CubesTask
from ams_ros.simulation.tasks.cups import CupsTask
from ams_ros.simulation.tasks.mixed import MixedTask
from ams_ros.simulation.tasks.task import SceneDomain, SimulatedTask

_TASKS: dict[str, SimulatedTask] = {task.name: task for task in (CubesTask(), CupsTask(), MixedTask())}
TASKS = tuple(_TASKS)


def find_task(name: str) -> SimulatedTask:
    """The task of that name. Raises ConfigurationError with the names there are."""
    if name not in _TASKS:
        raise ConfigurationError("task", name, ", ".join(TASKS))
    return _TASKS[name]


__all__ = ["TASKS", "CubesTask", "CupsTask", "MixedTask", "SceneDomain", "SimulatedTask", "find_task"]
