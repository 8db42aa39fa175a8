"""An arm controller that answers when the test says so, for what no well-behaved one does."""

from __future__ import annotations

import threading

from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from ros_probe import Probe, wait_until

from ams_ros.nodes.handoff import Handoff

ACTION = "/slow_arm/follow_joint_trajectory"


class SlowController(Probe):
    """Accepts or rejects a goal once `answer` is set, and ends an accepted one only when it is canceled."""

    def __init__(self) -> None:
        super().__init__("slow_controller")
        self.answer = threading.Event()
        self.arrived, self.accepted, self.canceled = threading.Event(), threading.Event(), threading.Event()
        self.accept = True
        self._handoff = Handoff(self.node)
        self._end = self._handoff.future()
        self._server = ActionServer(
            self.node,
            FollowJointTrajectory,
            ACTION,
            self._execute,
            goal_callback=self._judge,
            cancel_callback=self._cancel,
        )

    def wait_client(self) -> None:
        """Return when a client is known here; an answer sent earlier would not reach it."""
        wait_until(
            lambda: self.node.count_clients(f"{ACTION}/_action/send_goal") > 0, "the supervisor's client appears"
        )

    def _judge(self, goal: FollowJointTrajectory.Goal) -> GoalResponse:
        self.arrived.set()
        assert self.answer.wait(30.0), "the test never let the controller answer"
        return GoalResponse.ACCEPT if self.accept else GoalResponse.REJECT

    def _cancel(self, goal: object) -> CancelResponse:
        self._handoff.resolve(self._end, None)
        return CancelResponse.ACCEPT

    async def _execute(self, goal: object) -> FollowJointTrajectory.Result:
        self.accepted.set()
        await self._end
        goal.canceled()
        self.canceled.set()
        return FollowJointTrajectory.Result()
