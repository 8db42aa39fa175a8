"""A task under way, as integration tests follow it."""

from __future__ import annotations

from typing import ClassVar

from action_msgs.msg import GoalStatus
from ams_ros.action import RunTask
from policy_fixtures import INSTRUCTION
from ros_probe import wait_until

TASK = "/ams/replay_supervisor/run_task"


class Course:
    """A task under way: what it told, and where it stands."""

    running: ClassVar[list] = []

    def __init__(self, probe, **fields):
        self.probe = probe
        self.feedback: list = []
        goal = RunTask.Goal(**{"instruction": INSTRUCTION, "mode": "direct", "step_budget": 1500, "seed": 1, **fields})
        self.handle = probe.send_goal(RunTask, TASK, goal, lambda message: self.feedback.append(message.feedback))
        assert self.handle.accepted
        self.running.append(self)

    def wait_phase(self, phase, step=0):
        def there():
            return any(each.phase == phase and each.step >= step for each in self.feedback)

        wait_until(lambda: there() or not self.going_on(), f"the task is {phase} at step {step}", 30.0)
        assert there(), self.end()

    def going_on(self):
        return self.handle.status in {GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING}

    def end(self, timeout=60.0):
        response = self.probe.result(self.handle, timeout)
        self.running.remove(self)
        return response.status, response.result

    def cancel(self):
        self.probe.cancel(self.handle)
        return self.end()
