"""What a robot's sensors tell, passed on to whoever watches the task under way."""

from __future__ import annotations

from ams_ros.replay.progress import TaskProgress
from ams_ros.robot.recoverable import RecoverableRobot
from ams_ros.types import JointSample, WrenchSample


class ProgressFeed:
    """Listens to one robot for its lifetime, as listening has no end, for one task after the other."""

    def __init__(self, robot: RecoverableRobot) -> None:
        """Listen from now on; make one for the lifetime of `robot`."""
        self._progress: TaskProgress | None = None
        robot.listen(self._joints)
        robot.listen_wrench(self._wrench)

    def pass_to(self, progress: TaskProgress | None) -> None:
        """From now on `progress` hears every sample; None: nobody does."""
        self._progress = progress

    # In the robot's thread, which may find a task ended in between.

    def _joints(self, sample: JointSample) -> None:
        progress = self._progress
        if progress is not None:
            progress.joints(sample)

    def _wrench(self, sample: WrenchSample) -> None:
        progress = self._progress
        if progress is not None:
            progress.wrench(sample)
