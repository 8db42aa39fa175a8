"""One demonstration of a scripted expert: what the small policy is trained on.

Each handles exactly ONE object and ends with the arm at rest in its start pose, whatever else lies on the table, and
some begin with objects dealt with already. That leaves "start pose, cube in the bowl" ambiguous between beginning and
end: the regime of the paper's Figure 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ams_ros.errors import AmsError
from ams_ros.policy.images import square
from ams_ros.simulation.expert import Advice, Expert, make_expert
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.tasks import SceneDomain, find_task
from ams_ros.training.demo_mix import DemoMix, draw_index, draw_scene
from ams_ros.training.disturbance import Disturbance
from ams_ros.training.lessons import Lesson
from ams_ros.types import Float64Array

if TYPE_CHECKING:
    from ams_ros.training.learner import Learner

PERIOD, CONTROL_PERIOD = 0.05, 0.01
RENDERED, STORED = 128, 64
_ATTEMPTS, _ATTEMPTS_WITH_LEARNER = 30, 200
"""A good learner seldom goes wrong."""
_DRAWS = 400


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """F frames of one demonstration of a robot with n arm joints; the fields are the files of the format.

    front, wrist: (F, 64, 64, 3) uint8. state: (F, n + 1) float32, joints rad and finger m, before the step.
    action: (F, n + 1) float32, the expert's clean command for the step. idle: (F,) bool, in the rest at the end.
    target: (F, 3) float32 m, the handled object in base_link. present: (F,) bool, something is left to do.
    held: (F,) bool, the object is between the closed fingers, or being pulled.
    done: (F,) uint8, how many objects were dealt with when it began.
    instruction: (F,) uint8, which of the instructions in meta.json was said.
    """

    front: NDArray[np.uint8]
    wrist: NDArray[np.uint8]
    state: NDArray[np.float32]
    action: NDArray[np.float32]
    idle: NDArray[np.bool_]
    target: NDArray[np.float32]
    present: NDArray[np.bool_]
    held: NDArray[np.bool_]
    done: NDArray[np.uint8]
    instruction: NDArray[np.uint8]


ARRAYS = tuple(field.name for field in fields(Episode))


class _RejectedError(Exception):
    """An attempt that is no demonstration: an object was dropped, or it took too long."""


def instructions_of(lessons: Sequence[Lesson]) -> tuple[str, ...]:
    """The different instructions of these lessons, in order of first appearance; Episode.instruction counts in them."""
    return tuple(dict.fromkeys(lesson.instruction for lesson in lessons))


def demonstrate(
    plant: Plant,
    numbers: tuple[int, int],
    lessons: Sequence[Lesson],
    mix: DemoMix,
    learner: Learner | None = None,
) -> tuple[Episode, int]:
    """A demonstration of one of the lessons, and how many attempts were rejected before it.

    numbers: seed, and which of that seed's demonstrations. Raises AmsError when no attempt succeeds.
    """
    seed, index = numbers
    attempts = _ATTEMPTS if learner is None else _ATTEMPTS_WITH_LEARNER
    for attempt in range(attempts):
        rng = np.random.default_rng(np.random.SeedSequence([int(SceneDomain.TRAINING), seed, index, attempt]))
        lesson = lessons[draw_index([lesson.weight for lesson in lessons], rng) if len(lessons) > 1 else 0]
        try:
            columns = _attempt(plant, rng, lesson, mix, learner)
        except _RejectedError:
            continue
        said = np.full(len(columns[0]), instructions_of(lessons).index(lesson.instruction), dtype=np.uint8)
        return Episode(*columns, instruction=said), attempt
    raise AmsError(f"demonstration {index} of seed {seed}: {attempts} attempts in a row failed")


def _attempt(
    plant: Plant, rng: np.random.Generator, lesson: Lesson, mix: DemoMix, learner: Learner | None
) -> list[NDArray[Any]]:
    """The arrays of Episode but the last."""
    task, expert = find_task(lesson.task), _set_up(plant, rng, lesson, mix)
    disturbance = Disturbance(mix, plant.profile, rng)
    done = task.placed(plant)
    if learner is not None:
        for _ in range(mix.led_steps):
            advice = _advise(expert)
            _execute(plant, advice.action + disturbance.step(plant, advice))
        if not learner.goes_wrong(plant, lesson, rng, led=mix.led_steps > 0):
            raise _RejectedError("the learner needs no correction here")
        expert = make_expert(lesson.task, plant, lesson.kind or None)
    frames: list[tuple[object, ...]] = []
    idle, wanted = 0, done
    while idle < mix.idle_steps:
        if len(frames) == mix.step_limit:
            raise _RejectedError("too long")
        advice = _advise(expert)
        if not frames:
            wanted += advice.present
        frames.append(_frame(plant, advice, done))
        idle = idle + 1 if advice.idle else 0
        _execute(plant, advice.action + disturbance.step(plant, advice))
    if task.placed(plant) != wanted:
        raise _RejectedError("not exactly one object was dealt with")
    return [np.stack([np.asarray(value) for value in column]) for column in zip(*frames, strict=True)]


def _set_up(plant: Plant, rng: np.random.Generator, lesson: Lesson, mix: DemoMix) -> Expert:
    """A scene of the lesson in which something or, now and then, nothing is left to do, and an expert fresh in it."""
    finished = bool(rng.uniform() < mix.finished)
    for _ in range(_DRAWS):
        layout, done = draw_scene(lesson, plant.profile, plant.workspace, rng, mix, finished=finished)
        plant.reset(layout)
        if find_task(lesson.task).placed(plant) != done:
            continue
        expert = make_expert(lesson.task, plant, lesson.kind or None)
        if _advise(expert).present != finished:
            return make_expert(lesson.task, plant, lesson.kind or None)
    raise AmsError(f"{lesson}: none of {_DRAWS} scenes has {'nothing' if finished else 'something'} left to do")


def _advise(expert: Expert) -> Advice:
    try:
        return expert.advise()
    except ValueError as error:
        raise _RejectedError(str(error)) from error


def _frame(plant: Plant, advice: Advice, done: int) -> tuple[object, ...]:
    """One row of every array of Episode but the last, in its order. done: when it began."""
    views = [square(plant.render(camera, RENDERED, RENDERED).pixels, STORED) for camera in ("front", "wrist")]
    return (
        *views,
        plant.joints().position.astype(np.float32),
        advice.action.astype(np.float32),
        advice.idle,
        advice.target.astype(np.float32),
        advice.present,
        advice.held,
        np.uint8(done),
    )


def _execute(plant: Plant, action: Float64Array) -> None:
    """Run one step as at run time: from the measured pose in a straight line at the controller's rate."""
    begin, goal = plant.joints().position[:-1], action[:-1]
    plant.command_gripper(float(action[-1]))
    updates = round(PERIOD / CONTROL_PERIOD)
    for update in range(1, updates + 1):
        plant.command_arm(begin + (goal - begin) * (update / updates))
        plant.advance(CONTROL_PERIOD)
