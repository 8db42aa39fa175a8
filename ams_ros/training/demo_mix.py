"""What demonstrations look like, and the scenes drawn for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.layout import SceneLayout
from ams_ros.simulation.reach import reach_of
from ams_ros.simulation.tasks import SceneDomain, find_task
from ams_ros.simulation.workspace import Workspace
from ams_ros.training.lessons import Lesson
from ams_ros.types import Float64Array

_START_X, _START_Y, _START_Z = (0.15, 0.37), (-0.22, 0.25), (0.11, 0.26)
"""Where over the table, m, the tip of an arm is that does not begin in its start pose."""
_START_TWIST, _START_JITTER = 0.9, 0.06
"""How far its last joint is turned, and the deviation of all its joints from a hand pointing straight down, rad."""


@dataclass(frozen=True, slots=True)
class DemoMix:
    """What the demonstrations look like; it decides what a policy learns, so it goes into meta.json.

    left_weights: relative weights of 1, 2, 3 ... objects left to deal with at the start.
    done_weights: relative weights of 0, 1, 2 ... objects dealt with already at the start. Of both, more than the task's
    table holds are left out.
    finished: share in which nothing is left to do: the arm starts anywhere, goes home and stays there.
    random_start: share that starts from a random arm pose instead of the start pose.
    closed_start: share that starts with the gripper closed.
    noise: standard deviation of the Ornstein-Uhlenbeck noise on executed joint commands, rad, for an arm whose tip is
    0.3 m or less from its base at the start; proportionally less for longer ones, whose tips would err farther.
    noise_memory: correlation of that noise from one step to the next.
    askew: share in which the executed last joint is off by 0.2 to 0.5 rad whenever the hand is low and empty, less and
    less, so that objects are grasped askew and carried so.
    led_steps: with a learner, so many steps are led by the expert before the learner works, and are not recorded: as
    when an attempt is guided by an earlier success.
    idle_steps: steps at rest at the end. step_limit: longer episodes are rejected.
    """

    left_weights: tuple[float, ...] = (0.38, 0.24, 0.14, 0.09, 0.06, 0.05, 0.04)
    done_weights: tuple[float, ...] = (0.42, 0.26, 0.13, 0.08, 0.05, 0.04, 0.02)
    finished: float = 0.06
    random_start: float = 0.5
    closed_start: float = 0.15
    noise: float = 0.014
    noise_memory: float = 0.75
    askew: float = 0.3
    led_steps: int = 0
    idle_steps: int = 20
    step_limit: int = 240

    def __post_init__(self) -> None:
        """Refuse weights that are no weights and shares outside 0..1."""
        for key in ("left_weights", "done_weights"):
            weights = getattr(self, key)
            if not weights or min(weights) < 0.0 or not 0.0 < sum(weights) < np.inf:
                raise ConfigurationError(f"mix.{key}", weights, "weights of 0 or more, not all 0")
        for key in ("finished", "random_start", "closed_start", "noise_memory", "askew"):
            if not 0.0 <= getattr(self, key) <= 1.0:
                raise ConfigurationError(f"mix.{key}", getattr(self, key), "0..1")


_BEGUN = (0.0, *DemoMix().done_weights[1:])

CORRECTIONS = (
    DemoMix(done_weights=(1.0,), finished=0.0, random_start=0.0, closed_start=0.0),
    DemoMix(done_weights=_BEGUN, finished=0.0, random_start=0.0, closed_start=0.0, led_steps=16),
)
"""What the rounds of corrections begin with; the last one for all further rounds. First nothing dealt with and the arm
in its start pose. Then what action replay meets: objects dealt with, and the expert leads away from the start pose,
because idling there would count as going wrong and the ambiguity that the demonstrations are to leave would be trained
away."""


def draw_scene(
    lesson: Lesson,
    profile: RobotProfile,
    workspace: Workspace,
    rng: np.random.Generator,
    mix: DemoMix,
    *,
    finished: bool = False,
) -> tuple[SceneLayout, int]:
    """A training scene with the arm's and gripper's start, and how many of its objects are dealt with.

    finished: nothing is left to do in it; in a lesson about one kind of object some of the other kind may be left, so
    that the caller has to see whether that came out.
    """
    task = find_task(lesson.task)
    left = 0 if finished and not (lesson.kind and rng.uniform() < 0.5) else 1
    left += draw_index(mix.left_weights[: task.maximum_objects], rng) if left else 0
    room = mix.done_weights[: task.maximum_objects - left + 1]
    # A table so full that no more objects fit on it has none of those dealt with.
    done = draw_index(room, rng) if any(room) else 0
    if left == 0:
        done = max(1, done)
    scene = task.sample(int(rng.integers(2**62)), left + done, done, SceneDomain.TRAINING)
    anywhere = finished or rng.uniform() < mix.random_start
    arm = random_pose(profile, workspace, rng) if anywhere else profile.start
    finger = profile.gripper.lower if rng.uniform() < mix.closed_start else profile.gripper.upper
    return replace(scene, arm=arm, finger=finger), done


def draw_index(weights: Sequence[float], rng: np.random.Generator) -> int:
    """An index, drawn by relative weights."""
    return int(rng.choice(len(weights), p=np.array(weights) / sum(weights)))


def random_pose(profile: RobotProfile, workspace: Workspace, rng: np.random.Generator) -> Float64Array:
    """(dof,) rad: somewhere over the table and above everything on it, pointing roughly down."""
    reach = reach_of(profile)
    while True:
        place = np.array([rng.uniform(*_START_X), rng.uniform(*_START_Y), rng.uniform(*_START_Z)])
        solution = reach.solve(place + workspace.shift, 0.0)
        if solution is None:
            continue
        solution[-1] = profile.start[-1] + rng.uniform(-_START_TWIST, _START_TWIST)
        pose = solution + _START_JITTER * rng.standard_normal(len(solution))
        if ((pose > profile.lower) & (pose < profile.upper)).all():
            return np.asarray(pose, dtype=np.float64)
