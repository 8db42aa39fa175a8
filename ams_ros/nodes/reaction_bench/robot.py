"""The simulated robot with a stopwatch: it publishes the offending sample and is the one that gets the cancel."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from typing import Any

from rclpy.action import CancelResponse
from rclpy.action.server import ServerGoalHandle
from std_srvs.srv import Trigger

from ams_ros.nodes.deferred_service import Reply, defer_replies, not_called
from ams_ros.nodes.follow_joint_trajectory_server import FollowJointTrajectoryServer
from ams_ros.nodes.gripper_command_server import GripperCommandServer
from ams_ros.nodes.handoff import Handoff
from ams_ros.nodes.plant_thread import Beat
from ams_ros.nodes.process import run_node
from ams_ros.nodes.promptness import Precedence
from ams_ros.nodes.reaction_bench.offence import MarkedTap, Offence
from ams_ros.nodes.robot_publishers import JointStatePublisher, WrenchPublisher
from ams_ros.nodes.simulated_robot import SimulatedRobotNode
from ams_ros.robot.driver_file import load_driver
from ams_ros.simulation.control_loop import ControlLoop
from ams_ros.simulation.trajectory_controller import GoalEnd

BARE = "bare"
"""Namespace, below the node's own, of the topics and the action that the control listens to and cancels."""

_PRIORITY = 10
"""As drivers of real arms have it, and the same as the monitor's: whoever is awake goes on."""
_LONGEST_WAIT = 0.05
"""s; the offending sample comes so late at most after the arm is under way."""


class _TimedServer(FollowJointTrajectoryServer):
    """Says when a cancel arrives, before anything is done about it."""

    def __init__(self, robot: ReactionRobot, action: str, handoff: Handoff, result_timeout: float) -> None:
        super().__init__(robot, action, robot.plant_thread, handoff, result_timeout=result_timeout)
        self.offence: Offence | None = None
        self.peer: _TimedServer | None = None

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        if self.offence is not None:
            self.offence.canceled()
        return super()._cancel(handle)

    def tell(self, ends: tuple[GoalEnd, ...]) -> None:
        """Both servers are in front of the same controller; each knows its own goals only."""
        super().tell(ends)
        if self.peer is not None:
            self.peer.tell(ends)


class ReactionRobot(SimulatedRobotNode):
    """One arm with everything twice: topics and action for the monitor, and for the control that knows no rules.

    Only one of the two is sent samples at a time. `~/react` and `~/react_bare` (std_srvs/Trigger) switch to that one,
    publish an offending wrench once the arm moves, and answer in JSON when the arm stands again. `~/flow` sends samples
    to the monitor, `~/quiet` to nobody, and answers how many the monitor was sent since the start.
    """

    def __init__(self) -> None:
        """Wait to be configured."""
        super().__init__()
        self._random = random.Random(0)
        self._bare_server: _TimedServer | None = None
        self._precedence = Precedence()

    @property
    def plant_thread(self) -> Any:
        """The thread of the plant."""
        return self._plant_thread

    def _setup(self) -> None:
        super()._setup()
        for name, job in (("react", self._react), ("react_bare", self._react_bare)):
            defer_replies(self.create_service(Trigger, f"~/{name}", not_called), job)
        for name, flows in (("flow", True), ("quiet", False)):
            defer_replies(self.create_service(Trigger, f"~/{name}", not_called), self._turn(flows))

    def _activate(self) -> None:
        super()._activate()
        self._precedence.take(_PRIORITY)

    def _deactivate(self, reason: str) -> None:
        self._precedence.give_back()
        super()._deactivate(reason)
        if self._bare_server is not None:
            self._bare_server.close(reason)

    def _teardown(self) -> None:
        super()._teardown()
        self._bare_server = None

    def _offer_actions(self) -> None:
        handoff, timeout, action = Handoff(self), self.setting("result_timeout"), self.setting("arm_action")
        self._timed = _TimedServer(self, action, handoff, timeout)
        self._bare_server = self._timed.peer = _TimedServer(self, BARE + action, handoff, timeout)
        self._trajectories = self._timed
        self._gripper = GripperCommandServer(
            self, self.setting("gripper_action"), self._plant_thread, handoff, result_timeout=timeout
        )

    def _beats(self, loop: ControlLoop, simulated_time: bool) -> list[Beat]:
        rest = load_driver("simulated_widowx").rest.velocity
        self._watched, self._bare = (Offence(MarkedTap(loop), rest) for _ in range(2))
        self._timed.offence, bare_server = self._watched, self._bare_server
        assert bare_server is not None
        bare_server.offence = self._bare
        loop.tap = self._watched.tap
        topics = (self.setting("joint_states_topic"), self.setting("wrench_topic"))
        joints = JointStatePublisher(self, BARE + topics[0], self._bare.tap, self._pace)
        wrench = WrenchPublisher(self, BARE + topics[1], self._bare.tap, self._pace)
        rate = self.setting("joint_state_rate")

        def look() -> None:
            self._watched.look(loop)
            self._bare.look(loop)

        own = [Beat(rate, joints.publish, thinned=True), Beat(rate, wrench.publish, thinned=True)]
        return [Beat(1.0 / loop.plant.timestep, look), *super()._beats(loop, simulated_time), *own]

    def _react(self, request: Any, response: Any, reply: Reply) -> None:
        self._offend(self._watched, self._bare, response, reply)

    def _react_bare(self, request: Any, response: Any, reply: Reply) -> None:
        self._offend(self._bare, self._watched, response, reply)

    def _offend(self, offence: Offence, other: Offence, response: Any, reply: Reply) -> None:
        def told(answer: dict[str, object]) -> None:
            response.success, response.message = "spoiled" in answer, json.dumps(answer)
            reply(response)

        def arm(loop: ControlLoop) -> None:
            other.tap.flows, offence.tap.flows = False, True
            offence.arm(self._random.uniform(0.0, _LONGEST_WAIT), loop.plant.time, told)

        self._plant_thread.post(arm)

    def _turn(self, flows: bool) -> Any:
        def accept(request: Any, response: Any, reply: Reply) -> None:
            def turn(loop: ControlLoop) -> None:
                self._watched.tap.flows, self._bare.tap.flows = flows, False
                sent = {"joints": self._watched.tap.joint_samples, "wrenches": self._watched.tap.wrenches}
                response.success, response.message = True, json.dumps(sent)
                reply(response)

            self._plant_thread.post(turn)

        return accept


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to end."""
    return run_node(ReactionRobot)


if __name__ == "__main__":
    sys.exit(main())
