"""A task of the modes that do not replay: slice after slice until the policy comes to rest."""

from __future__ import annotations

from dataclasses import replace

from ams_ros.robot.protocol import Robot
from ams_ros.supervision.course import Course, TaskEnded
from ams_ros.supervision.rest import RestDetector
from ams_ros.types import SUCCESS, Guidance, Outcome, TaskRequest


def until_rest(course: Course, robot: Robot, rest: RestDetector) -> None:
    """Work until TaskEnded is raised, as it always is in the end."""
    guided_episode = ""
    while True:
        course.check()
        index = course.index
        guidance = _guidance(course.request, index, guided_episode)
        # A reference that the request names itself must be there.
        inference = course.infer(guidance) if guidance == course.request.guidance else course.infer_on(guidance)
        if index == 0:
            guided_episode = inference.reuse.guided_episode
        before = robot.joints()
        whole = course.execute(inference.slice)
        course.look()
        if not whole:
            rest.begin_anew()
        elif inference.slice.stop:
            raise TaskEnded(Outcome.AT_REST, "the policy says that it is done")
        elif rest.observe(before, robot.joints()):
            raise TaskEnded(Outcome.AT_REST, "the policy has come to rest")


def _guidance(request: TaskRequest, index: int, guided_episode: str) -> Guidance | None:
    """A success that guided the first slice goes on guiding; where there was none, nothing does."""
    guidance = request.guidance if index < request.guided_slices else None
    if guidance is None or guidance.reference != SUCCESS or index == 0:
        return guidance
    return replace(guidance, reference=guided_episode, rank=0) if guided_episode else None
