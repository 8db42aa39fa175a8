"""The simulated robot as a controller's clients see it: rclpy's own ActionClient, a real process, real DDS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalInfo, GoalStatus
from action_msgs.srv import CancelGoal
from ams_ros.srv import ResetScene, ScoreScene
from control_msgs.action import FollowJointTrajectory, GripperCommand
from control_msgs.msg import JointTolerance
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import WrenchStamped
from ros_probe import SENSOR, Messages, NodeProcess, Probe, wait_until
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectoryPoint

from ams_ros.nodes.conversions import seconds_of, to_duration, to_time
from ams_ros.robot.profile import load_profile
from ams_ros.simulation.downward_reach import DownwardReach
from ams_ros.simulation.tasks import find_task

pytestmark = pytest.mark.integration

ARM = "/arm_controller/follow_joint_trajectory"
GRIPPER = "/gripper_controller/gripper_cmd"
NODE = "/ams/simulated_robot"
PROFILE = load_profile("widowx_250s")
OPEN, CLOSED = PROFILE.gripper.upper, PROFILE.gripper.lower
Result = FollowJointTrajectory.Result


class Robot:
    """A running simulated robot and everything it said about its joints."""

    def __init__(self, probe: Probe, process: NodeProcess) -> None:
        self.probe, self.process = probe, process
        probe.bring_up(NODE)
        self.joints: Messages = probe.listen(JointState, "/joint_states")
        self.joints.wait_for(lambda _: True, f"a first joint state; the node is {probe.state(NODE)}")

    @property
    def position(self) -> np.ndarray:
        return np.array(self.joints.all[-1].position[:6])

    def send(self, goal: FollowJointTrajectory.Goal, feedback: Callable[[Any], None] | None = None) -> Any:
        handle = self.probe.send_goal(FollowJointTrajectory, ARM, goal, feedback)
        assert handle.accepted, self.process.output()
        return handle

    def run(self, goal: FollowJointTrajectory.Goal) -> Any:
        return self.probe.result(self.send(goal))

    def grip(self, position: float) -> Any:
        goal = GripperCommand.Goal()
        goal.command.position = position
        return self.probe.send_goal(GripperCommand, GRIPPER, goal)

    def wait_moving(self) -> None:
        seen = len(self.joints.all)
        wait_until(lambda: any(np.abs(m.velocity[:6]).max() > 0.1 for m in self.joints.all[seen:]), "the arm moves")

    def wait_still(self) -> np.ndarray:
        """Wait until ten joint states in a row show no motion; returns the position."""
        seen = len(self.joints.all)

        def still() -> bool:
            recent = self.joints.all[seen:][-10:]
            return len(recent) == 10 and max(np.abs(m.velocity[:6]).max() for m in recent) < 0.01

        wait_until(still, "the arm holds still")
        return self.position


@pytest.fixture
def robot(start_node, probe) -> Robot:
    return Robot(probe, start_node("simulated_robot", {"seed": 3}))


def goal_to(*targets: np.ndarray, seconds: float = 0.5, names=PROFILE.joint_names) -> FollowJointTrajectory.Goal:
    """Through the targets, `seconds` for each."""
    goal = FollowJointTrajectory.Goal()
    goal.trajectory.joint_names = list(names)
    goal.trajectory.points = [
        JointTrajectoryPoint(positions=[float(x) for x in target], time_from_start=to_duration(seconds * (k + 1)))
        for k, target in enumerate(targets)
    ]
    return goal


def away(change: float = 0.3) -> np.ndarray:
    return PROFILE.start + np.array([change, 0.0, -change, 0.0, change, change])


def test_a_goal_is_accepted_followed_reported_and_reached(robot):
    feedback: list[Any] = []
    names = PROFILE.joint_names[::-1]
    handle = robot.send(goal_to(away()[::-1], seconds=1.0, names=names), lambda each: feedback.append(each.feedback))
    response = robot.probe.result(handle)
    assert (response.status, response.result.error_code) == (GoalStatus.STATUS_SUCCEEDED, Result.SUCCESSFUL)
    robot.wait_still()
    assert robot.position == pytest.approx(away(), abs=0.02)
    assert 15 <= len(feedback) <= 21
    middle = feedback[len(feedback) // 2]
    assert tuple(middle.joint_names) == PROFILE.joint_names
    assert len(middle.desired.positions) == len(middle.actual.velocities) == len(middle.error.positions) == 6
    assert np.array(middle.error.positions) == pytest.approx(
        np.array(middle.desired.positions) - np.array(middle.actual.positions)
    )


def test_what_the_real_controller_rejects_is_rejected_with_the_reason_in_the_log(robot):
    def changed(change: Callable[[FollowJointTrajectory.Goal], Any]) -> FollowJointTrajectory.Goal:
        goal = goal_to(away(), away(0.1))
        change(goal)
        return goal

    def set_past(goal: FollowJointTrajectory.Goal) -> None:
        goal.trajectory.header.stamp = to_time(seconds_of(robot.joints.all[-1].header.stamp) - 5.0)

    def set_twice(goal: FollowJointTrajectory.Goal) -> None:
        goal.trajectory.points[1].time_from_start = goal.trajectory.points[0].time_from_start

    cases = {
        "do not match": changed(lambda goal: goal.trajectory.joint_names.pop()),
        "['elbow_2'] are not among": goal_to(away(), names=(*PROFILE.joint_names[:5], "elbow_2")),
        "no points": changed(lambda goal: goal.trajectory.points.clear()),
        "velocity of the last point": changed(lambda goal: setattr(goal.trajectory.points[1], "velocities", [0.1] * 6)),
        "ends in the past": changed(set_past),
        "strictly increasing": changed(set_twice),
        "5 positions for 6 joints": changed(lambda goal: setattr(goal.trajectory.points[0], "positions", [0.0] * 5)),
        "has effort": changed(lambda goal: setattr(goal.trajectory.points[0], "effort", [0.0] * 6)),
        "not finite": goal_to(np.full(6, np.nan)),
    }
    for reason, goal in cases.items():
        assert not robot.probe.send_goal(FollowJointTrajectory, ARM, goal).accepted, reason
        wait_until(lambda reason=reason: reason in robot.process.output(), f"the log says {reason!r}")
    assert robot.run(goal_to(away())).status == GoalStatus.STATUS_SUCCEEDED


def test_a_new_goal_replaces_the_running_one_which_is_aborted_as_invalid(robot):
    first = robot.send(goal_to(away(1.0), seconds=5.0))
    robot.wait_moving()
    second = robot.send(goal_to(PROFILE.start, seconds=0.5))
    old = robot.probe.result(first)
    assert (old.status, old.result.error_code) == (GoalStatus.STATUS_ABORTED, Result.INVALID_GOAL)
    assert "preempted" in old.result.error_string
    assert robot.probe.result(second).status == GoalStatus.STATUS_SUCCEEDED
    assert robot.wait_still() == pytest.approx(PROFILE.start, abs=0.02)


def test_a_cancelled_goal_ends_cancelled_and_the_arm_holds_where_it_is(robot):
    handle = robot.send(goal_to(away(1.0), seconds=3.0))
    robot.wait_moving()
    assert len(robot.probe.cancel(handle).goals_canceling) == 1
    response = robot.probe.result(handle)
    assert (response.status, response.result.error_code) == (GoalStatus.STATUS_CANCELED, Result.SUCCESSFUL)
    stopped = robot.wait_still()
    assert np.abs(stopped - away(1.0)).max() > 0.3
    seen = len(robot.joints.all)
    wait_until(lambda: len(robot.joints.all) >= seen + 50, "half a second passes")
    assert max(np.abs(message.velocity[:6]).max() for message in robot.joints.all[seen:]) < 0.01
    assert robot.run(goal_to(PROFILE.start)).status == GoalStatus.STATUS_SUCCEEDED


def test_cancelling_everything_stops_the_arm_and_a_second_time_finds_nothing_to_cancel(robot):
    arm = robot.send(goal_to(away(1.0), seconds=3.0))
    robot.wait_moving()
    everything = {"goal_info": GoalInfo()}
    assert len(robot.probe.call(CancelGoal, f"{ARM}/_action/cancel_goal", **everything).goals_canceling) == 1
    assert robot.probe.result(arm).status == GoalStatus.STATUS_CANCELED
    again = robot.probe.call(CancelGoal, f"{ARM}/_action/cancel_goal", **everything)
    assert len(again.goals_canceling) == 0
    robot.wait_still()


def test_a_cancelled_goal_brakes_along_the_deceleration_limit_where_one_is_set(start_node, probe):
    limits = {f"constraints.{joint}.max_deceleration_on_cancel": 2.0 for joint in PROFILE.joint_names}
    robot = Robot(probe, start_node("simulated_robot", {"constraints.decelerate_on_cancel": True, **limits}))
    handle = robot.send(goal_to(PROFILE.start + np.array([2.0, 0, 0, 0, 0, 0]), seconds=2.0))
    wait_until(lambda: robot.joints.all[-1].velocity[0] > 0.8, "the waist turns fast")
    position, speed = robot.joints.all[-1].position[0], robot.joints.all[-1].velocity[0]
    probe.cancel(handle)
    assert probe.result(handle).status == GoalStatus.STATUS_CANCELED
    assert robot.wait_still()[0] - position > 0.7 * speed**2 / (2 * 2.0)


def test_a_path_tolerance_aborts_and_the_arm_holds(robot):
    goal = goal_to(PROFILE.start + np.array([2.5, 0, 0, 0, 0, 0]), seconds=0.2)
    goal.path_tolerance = [JointTolerance(name="waist", position=0.2)]
    response = robot.run(goal)
    assert (response.status, response.result.error_code) == (GoalStatus.STATUS_ABORTED, Result.PATH_TOLERANCE_VIOLATED)
    assert "waist" in response.result.error_string
    assert robot.wait_still()[0] < 2.0


def test_a_goal_that_is_not_reached_within_the_goal_time_is_aborted(robot):
    goal = goal_to(PROFILE.start + np.array([2.5, 0, 0, 0, 0, 0]), seconds=0.2)
    goal.goal_tolerance = [JointTolerance(name="waist", position=0.05)]
    goal.goal_time_tolerance = to_duration(0.1)
    response = robot.run(goal)
    assert (response.status, response.result.error_code) == (GoalStatus.STATUS_ABORTED, Result.GOAL_TOLERANCE_VIOLATED)


def test_the_gripper_reaches_positions_stalls_on_a_cube_and_lifts_it_by_friction(robot):
    empty = robot.probe.result(robot.grip(CLOSED))
    assert (empty.status, empty.result.reached_goal, empty.result.stalled) == (GoalStatus.STATUS_SUCCEEDED, True, False)
    assert robot.probe.result(robot.grip(OPEN)).result.reached_goal
    assert not robot.grip(0.2).accepted

    (cube,) = find_task("cubes").sample(seed=3, objects=1).cubes
    reach = DownwardReach(PROFILE)
    above, at = (reach.solve(np.array([cube.x, cube.y, z]), cube.yaw) for z in (0.12, 0.02))
    assert robot.run(goal_to(above, at, seconds=1.5)).status == GoalStatus.STATUS_SUCCEEDED
    robot.wait_still()
    held = robot.probe.result(robot.grip(CLOSED))
    assert (held.status, held.result.reached_goal, held.result.stalled) == (GoalStatus.STATUS_SUCCEEDED, False, True)
    assert held.result.position == pytest.approx(0.018, abs=0.003)
    assert abs(held.result.effort) > 1.0
    robot.run(goal_to(above, seconds=1.5))
    assert robot.joints.all[-1].position[6] > 0.016, "the cube slipped out"


def test_a_reset_while_moving_aborts_the_goal_first_and_leaves_a_fresh_scene(robot):
    handle = robot.send(goal_to(away(1.0), seconds=5.0))
    robot.wait_moving()
    reply = robot.probe.call(ResetScene, f"{NODE}/reset", task="cubes", objects=3, seed=7)
    assert (reply.success, reply.instruction) == (True, "put the cubes in the bowl")
    response = robot.probe.result(handle)
    assert (response.status, response.result.error_code) == (GoalStatus.STATUS_ABORTED, Result.INVALID_GOAL)
    assert "reset" in response.result.error_string
    assert robot.wait_still() == pytest.approx(PROFILE.start, abs=0.02)
    score = robot.probe.call(ScoreScene, f"{NODE}/score")
    assert (score.task, score.objects, score.seed, score.placed, score.success) == ("cubes", 3, 7, 0, False)
    for task, instruction in (("cups", "pull the cups down"), ("mixed", "clear the table")):
        reply = robot.probe.call(ResetScene, f"{NODE}/reset", task=task, objects=4, seed=2)
        assert (reply.success, reply.instruction) == (True, instruction)
        score = robot.probe.call(ScoreScene, f"{NODE}/score")
        assert (score.task, score.objects, score.placed, score.success) == (task, 4, 0, False)


@pytest.mark.parametrize(
    ("request_fields", "reason"),
    [({"task": "plates", "objects": 1}, "'plates'"), ({"task": "cubes", "objects": -1}, "1..7")],
)
def test_a_scene_that_cannot_be_is_refused_and_the_old_one_stays(robot, request_fields, reason):
    reply = robot.probe.call(ResetScene, f"{NODE}/reset", seed=1, **request_fields)
    assert not reply.success
    assert reason in reply.message
    assert robot.probe.call(ScoreScene, f"{NODE}/score").seed == 3
    assert robot.run(goal_to(away())).status == GoalStatus.STATUS_SUCCEEDED


def test_an_inactive_robot_rejects_goals_and_deactivation_aborts_a_running_one(robot):
    handle = robot.send(goal_to(away(1.0), seconds=5.0))
    robot.wait_moving()
    assert robot.probe.change(NODE, "deactivate")
    response = robot.probe.result(handle)
    assert (response.status, response.result.error_code) == (GoalStatus.STATUS_ABORTED, Result.INVALID_GOAL)
    assert "deactivated" in response.result.error_string
    assert not robot.probe.send_goal(FollowJointTrajectory, ARM, goal_to(away())).accepted
    assert not robot.grip(CLOSED).accepted
    for transition in ("cleanup", "configure", "activate"):
        assert robot.probe.change(NODE, transition)
    assert robot.run(goal_to(away())).status == GoalStatus.STATUS_SUCCEEDED


def test_cameras_wrench_and_calibration_come_with_coherent_stamps_and_sizes(robot):
    images = {name: robot.probe.listen(Image, f"/camera/{name}/image_raw", SENSOR) for name in ("front", "overview")}
    info = robot.probe.listen(CameraInfo, "/camera/front/camera_info", SENSOR)
    wrench = robot.probe.listen(WrenchStamped, "/wrench")
    front = images["front"].wait_for(lambda _: True, "a front picture")
    assert (front.width, front.height, front.encoding, len(front.data)) == (128, 128, "rgb8", 3 * 128 * 128)
    overview = images["overview"].wait_for(lambda _: True, "an overview picture")
    assert (overview.width, overview.height) == (480, 360)
    calibration = info.wait_for(lambda _: True, "a calibration")
    assert (calibration.width, calibration.height, calibration.header.frame_id) == (128, 128, front.header.frame_id)
    weight = wrench.wait_for(lambda _: True, "a wrench")
    assert weight.header.frame_id == "wrist_ft_link"
    now = robot.probe.node.get_clock().now().nanoseconds * 1e-9
    assert seconds_of(robot.joints.all[-1].header.stamp) == pytest.approx(now, abs=2.0)


def test_with_simulated_time_stamps_and_clock_are_the_simulations_and_speed_is_free(start_node, probe):
    robot = Robot(probe, start_node("simulated_robot", {"use_sim_time": True, "speed": 0.0}))
    clock = probe.listen(Clock, "/clock")
    clock.wait_for(lambda message: seconds_of(message.clock) > 5.0, "five simulated seconds pass")
    assert seconds_of(robot.joints.all[-1].header.stamp) < 1e6
    stamps = [seconds_of(message.header.stamp) for message in robot.joints.all]
    assert stamps == sorted(stamps)
    assert robot.run(goal_to(away())).status == GoalStatus.STATUS_SUCCEEDED


def test_settings_that_cannot_work_refuse_to_configure_and_say_why(start_node, probe):
    start_node("simulated_robot", {"speed": 2.0, "task": "dishes"})
    status = probe.status(NODE)
    assert not probe.change(NODE, "configure")
    status.wait_for(lambda message: "'dishes'" in message.message, "the task is named")
    assert probe.set_parameters(NODE, task="cubes") == []
    assert not probe.change(NODE, "configure")
    status.wait_for(lambda message: "use_sim_time" in message.message, "the mend is named")
    assert probe.set_parameters(NODE, joint_state_rate=1001.0) != []
    assert probe.set_parameters(NODE, speed=1.0) == []
    probe.bring_up(NODE)


@pytest.mark.parametrize("moving", [False, True])
def test_the_process_ends_by_itself_on_sigint_also_while_the_arm_moves(robot, moving):
    if moving:
        robot.send(goal_to(away(1.0), seconds=5.0))
        robot.wait_moving()
    assert robot.process.stop() == 0


def test_a_simulation_that_dies_takes_the_node_through_error_and_its_goal_is_aborted(start_node, probe, monkeypatch):
    # An OpenGL that is there and does not start: the first picture fails in the plant's thread.
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/dev/null")
    # A topic nobody else has heard of, so that no picture is wanted before this test wants one.
    robot = Robot(probe, start_node("simulated_robot", {"camera_topic": "/late/{camera}"}))
    status = probe.status(NODE)
    # Asked for beforehand: the action server does not outlive the failure.
    result = robot.send(goal_to(away(1.0), seconds=5.0)).get_result_async()
    robot.wait_moving()
    probe.listen(Image, "/late/front", SENSOR)
    told = status.wait_for(lambda message: message.level == DiagnosticStatus.ERROR, "the node failed")
    assert "OpenGL" in told.message
    assert probe.wait(result, "the goal ends").status == GoalStatus.STATUS_ABORTED
    wait_until(lambda: probe.state(NODE) == "unconfigured", "the node is unconfigured")


def test_a_machine_that_draws_nothing_is_told_at_configure(start_node, probe, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    start_node("simulated_robot")
    status = probe.status(NODE)
    assert not probe.change(NODE, "configure")
    status.wait_for(lambda message: "MUJOCO_GL" in message.message, "the variable is named")
