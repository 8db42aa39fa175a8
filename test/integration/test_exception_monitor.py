"""The exception monitor and the simulated robot: it stops the arm, proves it, and lets nothing move until released."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from ams_ros.msg import ActionException, Heartbeat, MonitorState, MotionPlan
from ams_ros.srv import Acknowledge, InjectFault, ReleaseStop
from control_msgs.action import FollowJointTrajectory
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import qos_profile_sensor_data
from ros_probe import LATCHED, Messages, Probe, wait_until
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64
from trajectory_msgs.msg import JointTrajectoryPoint
from unique_identifier_msgs.msg import UUID

from ams_ros.nodes.conversions import to_duration
from ams_ros.robot.profile import load_profile

pytestmark = pytest.mark.integration

ARM = "/arm_controller/follow_joint_trajectory"
ROBOT = "/ams/simulated_robot"
MONITOR = "/ams/exception_monitor"
PROFILE = load_profile("widowx_250s")
SUCCEEDED, CANCELED = GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED


class Bench:
    """A robot, its monitor, and what the monitor has told so far."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.exceptions: Messages = probe.listen(ActionException, f"{MONITOR}/exception", 100)
        self.states: Messages = probe.listen(MonitorState, f"{MONITOR}/state", LATCHED)
        self.joints: Messages = probe.listen(JointState, "/joint_states", qos_profile_sensor_data)
        self.diagnostics: Messages = probe.listen(DiagnosticArray, "/diagnostics")
        self.plans = probe.node.create_publisher(MotionPlan, "/ams/replay_supervisor/plan", 10)

    def send(self, seconds: float = 1.5, identifier: uuid.UUID | None = None):
        """A goal that turns the waist to the far side."""
        goal = FollowJointTrajectory.Goal()
        goal.trajectory.joint_names = list(PROFILE.joint_names)
        positions = [self.far_side(), *PROFILE.start[1:].tolist()]
        goal.trajectory.points = [JointTrajectoryPoint(positions=positions, time_from_start=to_duration(seconds))]
        if identifier is None:
            return self.probe.send_goal(FollowJointTrajectory, ARM, goal)
        # Sent as the supervisor does, which chooses the id to announce it beforehand.
        client = self.probe.action(FollowJointTrajectory, ARM)
        goal_id = UUID(uuid=np.frombuffer(identifier.bytes, np.uint8))
        return self.probe.wait(client.send_goal_async(goal, goal_uuid=goal_id), "the goal is answered")

    def far_side(self) -> float:
        """At least 0.4 rad from where the waist is."""
        return 0.0 if self.joints.all[-1].position[0] > 0.4 else 0.8

    def announce(self, seconds: float = 1.5, purpose: str = "task") -> uuid.UUID:
        """The plan of the next goal to be sent, in 15 steps."""
        identifier = uuid.uuid4()
        rows = np.linspace(self.joints.all[-1].position[:6], [self.far_side(), *PROFILE.start[1:]], 16)[1:]
        plan = MotionPlan(goal=identifier.hex, purpose=purpose, context_id="c7", slice=3, first_step=0)
        plan.joint_names, plan.positions = list(PROFILE.joint_names), rows.ravel().tolist()
        plan.gripper = plan.previous_gripper = float("nan")
        plan.period, plan.sub_slices = to_duration(seconds / 15), [5, 10, 15]
        self.plans.publish(plan)
        return identifier

    def inject(self, fault: str, **fields: object) -> None:
        answer = self.probe.call(InjectFault, f"{ROBOT}/inject_fault", fault=fault, **fields)
        assert answer.success, answer.message

    def next_exception(self, seen: int) -> ActionException:
        wait_until(lambda: len(self.exceptions.all) > seen, "an exception is told")
        return self.exceptions.all[seen]

    def wait_moving(self) -> None:
        seen = len(self.joints.all)
        wait_until(lambda: any(abs(m.velocity[0]) > 0.1 for m in self.joints.all[seen:]), "the arm moves")

    def calm_down(self) -> None:
        """Half a second after the end of all faults, of which the arm and the low-pass of the rules know no more."""
        self.inject("none")
        seen = len(self.joints.all)
        wait_until(lambda: len(self.joints.all) > seen + 50, "half a second passes")

    def at_rest(self) -> bool:
        return bool(np.abs(self.joints.all[-1].velocity[:6]).max() < 0.02)

    def state(self) -> str:
        return str(self.states.all[-1].state)

    def wait_state(self, state: str) -> None:
        wait_until(lambda: bool(self.states.all) and self.state() == state, f"the monitor is {state}")

    def wait_diagnosed(self, key: str, value: str) -> None:
        del self.diagnostics.all[:]
        self.diagnostics.wait_for(
            lambda array: any((v.key, v.value) == (key, value) for status in array.status for v in status.values),
            f"{key}: {value}",
        )

    def wait_released(self) -> None:
        """A push that lasts longer than the stop may have brought up another exception meanwhile."""
        wait_until(lambda: self.release(self.states.all[-1].exception).success, "the stop is released")
        self.wait_state("watching")

    def release(self, number: int, recovery: bool = False):
        return self.probe.call(ReleaseStop, f"{MONITOR}/release", exception=number, recovery=recovery)

    def acknowledge(self, number: int = 0):
        return self.probe.call(Acknowledge, f"{MONITOR}/acknowledge", exception=number, person="test")


@pytest.fixture(scope="module")
def running(start_shared_node, probe) -> Bench:
    start_shared_node("simulated_robot")
    # The thresholds that this test's pushes exceed, so that those a robot is shipped with may become others.
    parameters = {"rules.wrench_jump.force": 15.0, "rules.wrench_jump.torque": 2.0}
    # On a machine busy with other tests samples come late.
    parameters |= {"rules.silence.shortest": 0.5}
    start_shared_node("exception_monitor", {**parameters, "needed_nodes": ["beating_node"]})
    bench = Bench(probe)
    for node in (ROBOT, MONITOR):
        probe.bring_up(node)
    bench.wait_state("watching")
    bench.diagnostics.wait_for(lambda array: array.status[0].level == DiagnosticStatus.OK, "the monitor hears all")
    wait_until(lambda: bench.plans.get_subscription_count() > 0, "the monitor hears plans")
    wait_until(lambda: probe.node.count_publishers(f"{MONITOR}/exception") > 0, "the monitor tells exceptions")
    return bench


@pytest.fixture
def bench(running) -> Iterator[Bench]:
    yield running
    running.calm_down()
    wait_until(running.at_rest, "the arm is at rest")
    if running.state() != "watching":
        wait_until(lambda: running.acknowledge().success, "the exception is acknowledged")
        running.wait_state("watching")


def test_a_collision_in_a_goal_nobody_announced_stops_it_and_nothing_moves_until_the_stop_is_released_e1_e7(bench):
    seen = len(bench.exceptions.all)
    goal = bench.send(3.0)
    bench.wait_moving()
    bench.inject("push", duration=0.2, magnitude=40.0, target="hand")
    assert bench.probe.result(goal).status == CANCELED
    told = bench.next_exception(seen)
    assert told.kind == ActionException.COLLISION
    assert bytes.fromhex(told.goal) == bytes(goal.goal_id.uuid)
    assert (told.acted, told.stopped, told.stage, told.slice) == (True, True, "cancel", -1)
    assert told.evidence[0].value > told.evidence[0].limit
    assert 0.0 < told.detection_seconds <= told.acknowledge_seconds + told.detection_seconds < told.rest_seconds + 1.0
    bench.wait_state("stopped")
    bench.calm_down()
    assert bench.probe.result(bench.send()).status == CANCELED
    assert "in force" in bench.release(told.number + 100).message
    bench.wait_released()
    assert bench.probe.result(bench.send()).status == SUCCEEDED


def test_an_announced_motion_is_told_with_its_slice_and_step_and_recovery_may_move_before_the_stop_ends_e4(bench):
    seen = len(bench.exceptions.all)
    goal = bench.send(1.5, bench.announce())
    bench.wait_moving()
    bench.inject("push", duration=0.3, magnitude=40.0, target="hand")
    assert bench.probe.result(goal).status == CANCELED
    told = bench.next_exception(seen)
    assert (told.context_id, told.slice) == ("c7", 3)
    assert 0 <= told.step < 15
    assert told.sub_slice == told.step // 5
    bench.calm_down()
    bench.wait_state("stopped")
    assert bench.release(bench.states.all[-1].exception, recovery=True).success
    bench.wait_state("recovering")
    assert bench.probe.result(bench.send(1.5, bench.announce(1.5, "recovery"))).status == SUCCEEDED
    bench.wait_released()


def test_joint_states_that_are_no_numbers_stop_the_arm_e1(bench):
    seen = len(bench.exceptions.all)
    goal = bench.send()
    bench.wait_moving()
    bench.inject("nan_samples", duration=0.2)
    assert bench.probe.result(goal).status == CANCELED
    told = bench.next_exception(seen)
    assert (told.kind, told.rule) == (ActionException.CRASH, "invalid_sample")
    assert told.stopped


def test_joint_states_that_fall_silent_stop_the_arm_though_no_message_arrives_any_more_e1_e7(bench):
    seen = len(bench.exceptions.all)
    goal = bench.send(3.0)
    bench.wait_moving()
    bench.inject("drop_joint_states", duration=6.0)
    assert bench.probe.result(goal).status == CANCELED
    told = bench.next_exception(seen)
    assert told.rule == "silence"
    # Nobody saw the arm come to rest, so nobody claims it did.
    assert (told.stopped, told.acknowledge, told.severity) == (False, True, "critical")
    assert told.stage == "deactivate"
    assert bench.probe.state(ROBOT) == "inactive"
    assert "acknowledge" in bench.release(told.number).message
    bench.inject("none")
    assert bench.probe.change(ROBOT, "activate")


@pytest.mark.parametrize(("target", "stage"), [("", "hold"), ("goals", "driver_stop")])
def test_where_a_cancel_is_refused_the_next_rung_that_is_not_stops_the_arm_e7(bench, target, stage):
    seen = len(bench.exceptions.all)
    bench.send(3.0)
    bench.wait_moving()
    bench.inject("refuse_cancel", duration=60.0, target=target)
    bench.inject("push", duration=0.1, magnitude=40.0, target="hand")
    told = bench.next_exception(seen)
    assert (told.stage, told.stopped) == (stage, True)


def test_in_shadow_mode_the_exception_is_told_and_the_goal_runs_on(bench):
    assert bench.probe.set_parameters(MONITOR, shadow=True) == []
    try:
        bench.states.wait_for(lambda message: message.shadow, "shadow mode is told")
        seen = len(bench.exceptions.all)
        goal = bench.send()
        bench.wait_moving()
        bench.inject("push", duration=0.2, magnitude=40.0, target="hand")
        told = bench.next_exception(seen)
        assert (told.acted, told.stage) == (False, "none")
        assert bench.probe.result(goal).status == SUCCEEDED
    finally:
        assert bench.probe.set_parameters(MONITOR, shadow=False) == []
    wait_until(lambda: not bench.states.all[-1].shadow, "shadow mode is over")


def test_the_arm_holds_when_a_needed_process_hangs_or_dies_while_its_motion_runs_and_may_move_when_it_is_back(
    bench, start_node
):
    node = start_node("beating_node")
    bench.probe.bring_up(node.name)
    for ending in (signal.SIGSTOP, signal.SIGKILL):
        bench.wait_diagnosed("needed node beating_node", "alive")
        seen = len(bench.exceptions.all)
        goal = bench.send(3.0, bench.announce(3.0))
        bench.wait_moving()
        node.process.send_signal(ending)
        assert bench.probe.result(goal).status == CANCELED
        told = bench.next_exception(seen)
        assert (told.rule, told.kind, told.stopped) == ("node_death", ActionException.CONDITION, True)
        assert "beating_node" in told.message
        node.process.send_signal(signal.SIGCONT)
        bench.wait_released()


def test_a_plan_that_does_not_fit_is_refused_and_its_motion_is_watched_without_it(bench):
    bench.plans.publish(MotionPlan(goal="nonsense", purpose="task"))
    told = bench.diagnostics.wait_for(lambda array: "a plan was refused" in array.status[0].message, "the refusal")
    assert [status.name.rpartition(": ")[2] for status in told.status] == ["stop", "rules", "timing"]
    assert bench.probe.result(bench.send(1.0)).status == SUCCEEDED


def test_a_rule_can_be_switched_off_and_its_thresholds_changed_while_it_watches_but_not_beyond_their_range(bench):
    margin = bench.probe.listen(Float64, f"{MONITOR}/margin/torque")
    margin.wait_for(lambda message: 0.0 < message.data < 1.0, "the margin of a rule")
    assert "allowed" in bench.probe.set_parameters(MONITOR, rules__torque__share=99.0)[0]
    assert bench.probe.set_parameters(MONITOR, rules__torque__share=[0.5] * 6) == []
    assert bench.probe.set_parameters(MONITOR, rules__tracking_error__enabled=False) == []
    bench.wait_diagnosed("tracking_error", "off: switched off")
    status = bench.diagnostics.all[-1].status[1]
    assert status.level == DiagnosticStatus.WARN
    assert status.message.endswith("switched off: tracking_error")
    assert "6" in bench.probe.set_parameters(MONITOR, rules__torque__share=[0.5] * 5)[0]
    assert bench.probe.set_parameters(MONITOR, rules__torque__share=0.9, rules__tracking_error__enabled=True) == []


def test_a_monitor_that_is_deactivated_says_so_by_its_heartbeat_and_goes_on_counting_when_it_is_back(bench):
    beats = bench.probe.listen(Heartbeat, f"{MONITOR}/heartbeat")
    beats.wait_for(lambda beat: beat.active, "it watches")
    assert bench.probe.change(MONITOR, "deactivate")
    wait_until(lambda: not beats.all[-1].active, "it says that it does not")
    assert "activate it" in bench.acknowledge().message
    for transition in ("cleanup", "configure", "activate"):
        assert bench.probe.change(MONITOR, transition)
    wait_until(lambda: beats.all[-1].active, "it watches again")
    bench.wait_diagnosed("state", "watching")
    seen = len(bench.exceptions.all)
    goal = bench.send(3.0)
    bench.wait_moving()
    bench.inject("push", duration=0.3, magnitude=40.0, target="hand")
    assert bench.probe.result(goal).status == CANCELED
    told = bench.next_exception(seen)
    assert told.number == bench.exceptions.all[seen - 1].number + 1
    bench.calm_down()
    for transition in ("deactivate", "cleanup", "configure", "activate"):
        assert bench.probe.change(MONITOR, transition)
    wait_until(lambda: beats.all[-1].active, "it watches once more")
    # A stop is not lifted by configuring anew: there still is one to release.
    last = bench.exceptions.all[-1].number
    wait_until(lambda: bench.release(last).success, "the stop that was left in force is released")
