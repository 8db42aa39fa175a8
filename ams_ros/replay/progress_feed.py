"""What a robot's sensors tell, passed on to whoever watches the task under way."""

from __future__ import annotations

from collections import deque

from ams_ros.replay.progress import TaskProgress
from ams_ros.robot.recoverable import RecoverableRobot
from ams_ros.types import JointSample, WrenchSample

_KEPT = 256
"""Samples that are kept for the next task: half a second of joints and wrist at 250 Hz."""


class ProgressFeed:
    """Listens to one robot for its lifetime, as listening has no end, for one task after the other.

    Whoever watches a task is first told the newest samples from before it: how the robot stood when it began, which a
    force sensor's offset is taken from.
    """

    def __init__(self, robot: RecoverableRobot) -> None:
        """Listen from now on; make one for the lifetime of `robot`."""
        self._progress: TaskProgress | None = None
        self._kept: deque[JointSample | WrenchSample] = deque(maxlen=_KEPT)
        robot.listen(self._take)
        robot.listen_wrench(self._take)

    def pass_to(self, progress: TaskProgress | None) -> None:
        """From now on `progress` hears every sample; None: nobody does."""
        if progress is not None:
            for sample in tuple(self._kept):
                _tell(progress, sample)
        self._progress = progress

    def _take(self, sample: JointSample | WrenchSample) -> None:
        """In the robot's thread, which may find a task ended in between."""
        self._kept.append(sample)
        progress = self._progress
        if progress is not None:
            _tell(progress, sample)


def _tell(progress: TaskProgress, sample: JointSample | WrenchSample) -> None:
    if isinstance(sample, JointSample):
        progress.joints(sample)
    else:
        progress.wrench(sample)
