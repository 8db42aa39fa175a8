"""Monitor, supervisor, inference or pool killed with -9 in every phase of a task: the arm holds, the rest recovers.

The issue's figure of 250 ms is measured by `ams bench deaths`; here is what happens, whenever it happens.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from ams_ros.msg import ActionException, Heartbeat, MonitorState, MotionPlan
from ams_ros.srv import InjectFault, ResetScene
from control_msgs.action import FollowJointTrajectory
from ros_probe import LATCHED, SENSOR, Messages, NodeProcess, Probe, wait_until
from sensor_msgs.msg import JointState
from task_course import Course
from trajectory_msgs.msg import JointTrajectoryPoint

from ams_ros.cli.shared_memory import remove_orphans, segments_of
from ams_ros.nodes.conversions import to_duration
from ams_ros.policy.checkpoint_card import read_card, write_card
from ams_ros.robot.profile import load_profile
from ams_ros.training.recipe import Recipe

pytestmark = pytest.mark.integration

ROBOT, MONITOR, SUPERVISOR = "simulated_robot", "exception_monitor", "replay_supervisor"
INFERENCE, POOL = "inference", "context_pool"
ARM = "/arm_controller/follow_joint_trajectory"
PROFILE = load_profile("widowx_250s")
HORIZON = Recipe().horizon
LIVE = {GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING, GoalStatus.STATUS_CANCELING}
BUDGET_SPENT = (GoalStatus.STATUS_SUCCEEDED, "budget_spent")
EARLY = 0.3
"""s after its begin in which a motion is far from its end, which a kill must not meet by chance."""
SLOW_WAY_BACK = 2.0
"""The same for a recovery at the speed it has here."""
PATIENT = 10.0
"""s that pictures and joint states may be old: on a machine busy with other tests they come late."""


class Graph:
    """Five nodes that can be killed and started again one by one, and what they told so far."""

    def __init__(self, probe: Probe, start: Callable[..., NodeProcess], checkpoint: Path, store: Path) -> None:
        self.probe, self._start = probe, start
        self._parameters: dict[str, dict[str, Any]] = {
            ROBOT: {},
            MONITOR: {"rules.silence.shortest": 0.5},
            POOL: {"store": str(store), "host_bytes": 16 * 2**20},
            INFERENCE: {"policy": str(checkpoint), "max_age": PATIENT, "observation_wait": 20.0},
            # Recovery takes so long that it can be met under way.
            SUPERVISOR: {
                **{"rest.slices": 1000, "infer_timeout": 5.0, "max_age": PATIENT},
                **{"recovery.scale": 0.1, "recovery.rollback.scale": 0.05},
                # Every test makes exceptions, and together they come fast.
                "recovery.per_window": 1000,
            },
        }
        self.processes: dict[str, NodeProcess] = {}
        self.memory: set[Path] = set()
        self.dds_memory: frozenset[str] = frozenset()
        for name, parameters in self._parameters.items():
            self.processes[name] = start(name, parameters)
        self.beats = {
            name: probe.listen(Heartbeat, f"/ams/{name}/heartbeat") for name in (MONITOR, INFERENCE, SUPERVISOR)
        }
        for name in self._parameters:
            self._bring_up(name)
        self.exceptions: Messages = probe.listen(ActionException, f"/ams/{MONITOR}/exception", 100)
        self.states: Messages = probe.listen(MonitorState, f"/ams/{MONITOR}/state", LATCHED)
        self.plans: Messages = probe.listen(MotionPlan, f"/ams/{SUPERVISOR}/plan", 100)
        self.joints: Messages = probe.listen(JointState, "/joint_states", SENSOR)
        self.arm: Messages = probe.listen(GoalStatusArray, f"{ARM}/_action/status", LATCHED)
        self._begun: dict[str, float] = {}
        wait_until(lambda: bool(self.states.all and self.joints.all), "monitor and robot are heard")

    def _bring_up(self, name: str) -> None:
        self.probe.bring_up(f"/ams/{name}")
        if name in self.beats:
            # Its heartbeat was made last, so whoever hears it has discovered everything else of that process.
            pid = self.processes[name].process.pid
            wait_until(lambda: any(b.pid == pid and b.active for b in self.beats[name].all[-3:]), f"{name} beats")

        pid = self.processes[name].process.pid
        self.memory |= {Path(area.path) for area in psutil.Process(pid).memory_maps() if _ours(area.path)}
        self.dds_memory |= segments_of(pid)

    def kill(self, *names: str) -> None:
        for name in names:
            self.processes[name].process.kill()
        for name in names:
            self.processes[name].process.wait()

    def revive(self, name: str) -> None:
        if self.processes[name].process.poll() is None:
            return
        self.processes[name] = self._start(name, self._parameters[name])
        self.probe.meet_again(f"/ams/{name}")
        self._bring_up(name)

    def inject(self, fault: str, **fields: object) -> None:
        answer = self.probe.call(InjectFault, f"/ams/{ROBOT}/inject_fault", fault=fault, **fields)
        assert answer.success, answer.message

    def begin(self, budget: int = 400) -> Course:
        return Course(self.probe, mode="exception", step_budget=budget)

    def reach(self, phase: str) -> Course | None:
        """A task in that phase: at rest while a slice is inferred, in the midst of a motion in the other two."""
        if phase == "idle":
            return None
        course = self.begin()
        course.wait_phase("executing", step=HORIZON)
        if phase == "inferring":
            self.processes[INFERENCE].process.send_signal(signal.SIGSTOP)
            wait_until(lambda: course.feedback[-1].phase == "inferring", "the next slice is asked for")
            self.wait_held()
            return course
        if phase == "recovering":
            self.wait_moving("task")
            self.inject("push", duration=0.3, magnitude=40.0, target="hand")
            course.wait_phase("recovering")
        self.wait_moving("recovery" if phase == "recovering" else "task")
        return course

    def wait_moving(self, purpose: str) -> None:
        """A motion of that purpose is under way and will be for a moment yet."""
        early, fast = (EARLY, 0.1) if purpose == "task" else (SLOW_WAY_BACK, 0.02)

        def moves() -> bool:
            goal, now = self.plans.all[-1].goal, time.monotonic()
            if self.plans.all[-1].purpose != purpose or goal not in self.live_goals():
                return False
            return now - self._begun.setdefault(goal, now) < early and self.speed() > fast

        wait_until(moves, f"a {purpose} motion is under way", 20.0)

    def live_goals(self) -> set[str]:
        return {bytes(s.goal_info.goal_id.uuid).hex() for s in self.arm.all[-1].status_list if s.status in LIVE}

    def ending(self, goal: str) -> int:
        """The status of a goal when it has ended."""
        wait_until(lambda: goal not in self.live_goals(), f"goal {goal} ends")
        return next(s.status for s in self.arm.all[-1].status_list if bytes(s.goal_info.goal_id.uuid).hex() == goal)

    def speed(self) -> float:
        return float(np.abs(self.joints.all[-1].velocity[:6]).max())

    def wait_held(self) -> None:
        """No goal is left and the arm is at rest, by what the simulation itself says."""
        wait_until(lambda: not self.live_goals(), "no goal of the arm lives")
        seen = len(self.joints.all)
        wait_until(lambda: len(self.joints.all) > seen and self.speed() < 0.02, "the arm holds still")

    def a_strangers_goal(self) -> int:
        """The end of a goal that somebody sends now."""
        goal = FollowJointTrajectory.Goal()
        goal.trajectory.joint_names = list(PROFILE.joint_names)
        positions = [*self.joints.all[-1].position[:6]]
        positions[0] += 0.3
        goal.trajectory.points = [JointTrajectoryPoint(positions=positions, time_from_start=to_duration(1.5))]
        return int(self.probe.result(self.probe.send_goal(FollowJointTrajectory, ARM, goal)).status)

    def runs_a_task(self) -> None:
        """The same nodes, none of them started or configured anew but the one that died, work on."""
        self.inject("none")
        assert self.probe.call(ResetScene, f"/ams/{ROBOT}/reset", task="cubes", objects=1, seed=3).success
        for _ in range(4):
            status, result = self.begin(budget=HORIZON).end()
            # A node that was started anew may lose an answer as long as DDS has not made it known to everybody.
            if status == GoalStatus.STATUS_SUCCEEDED or "infer_slice did not answer" not in result.message:
                break
        assert (status, result.outcome) == BUDGET_SPENT, result.message


def _ours(path: str) -> bool:
    return path.startswith("/dev/shm/ams_ros_")


@pytest.fixture(scope="module")
def long_slices(tmp_path_factory) -> Path:
    """A policy without sense whose slices run to their end, so that motions last as long as they can."""
    from random_policy import write_random_checkpoint  # noqa: PLC0415  torch takes seconds to import

    folder = write_random_checkpoint(tmp_path_factory.mktemp("checkpoint") / "long")
    card = read_card(folder)
    write_card(folder, replace(card, embodiment=replace(card.embodiment, execute=HORIZON)), horizon=HORIZON)
    return folder


@pytest.fixture(scope="module")
def nodes(start_shared_node, probe, long_slices, tmp_path_factory) -> Iterator[Graph]:
    graph = Graph(probe, start_shared_node, long_slices, tmp_path_factory.mktemp("pool") / "store")
    yield graph
    for node in reversed(graph.processes.values()):
        node.stop()
    assert not [path for path in graph.memory if path.exists()]
    # What DDS leaves of a killed process is for whoever started it to remove, as `ams up` does.
    remove_orphans(graph.dds_memory)


@pytest.fixture
def graph(nodes) -> Iterator[Graph]:
    yield nodes
    for process in nodes.processes.values():
        if process.process.poll() is None:
            process.process.send_signal(signal.SIGCONT)
    for course in list(Course.running):
        if nodes.processes[SUPERVISOR].process.poll() is None:
            course.cancel()
        else:
            Course.running.remove(course)
    for name in nodes.processes:
        nodes.revive(name)
    nodes.runs_a_task()


def thaw(graph: Graph) -> None:
    graph.processes[INFERENCE].process.send_signal(signal.SIGCONT)


PHASES = ("inferring", "executing", "recovering", "idle")


def phases(*quick: str) -> list[Any]:
    """All phases; those not named here only in the long run of the tests."""
    return [pytest.param(phase, marks=() if phase in quick else pytest.mark.slow) for phase in PHASES]


@pytest.mark.parametrize("phase", phases("executing"))
def test_when_the_monitor_is_killed_the_supervisor_stops_the_arm_and_fails_the_task_by_name_e7(graph, phase):
    course = graph.reach(phase)
    goal = graph.plans.all[-1].goal if graph.plans.all else ""
    graph.kill(MONITOR)
    if phase in {"executing", "recovering"}:
        assert graph.ending(goal) == GoalStatus.STATUS_CANCELED
    thaw(graph)
    graph.wait_held()
    status, result = (course or graph.begin()).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert MONITOR in result.message
    assert "ended" in result.message
    graph.wait_held()


@pytest.mark.parametrize("phase", phases("executing", "recovering"))
def test_when_the_supervisor_is_killed_the_monitor_stops_the_arm_and_the_next_task_lifts_the_stop_e7(graph, phase):
    course = graph.reach(phase)
    seen = len(graph.exceptions.all)
    goal = graph.plans.all[-1].goal if graph.plans.all else ""
    graph.kill(SUPERVISOR)
    if course is not None:
        Course.running.remove(course)
    thaw(graph)
    if phase in {"executing", "recovering"}:
        assert graph.ending(goal) == GoalStatus.STATUS_CANCELED
        wait_until(lambda: len(graph.exceptions.all) > seen, "the death is told")
        told = graph.exceptions.all[-1]
        assert (told.rule, told.stopped, told.acknowledge) == ("node_death", True, False)
        assert SUPERVISOR in told.message
        assert graph.a_strangers_goal() == GoalStatus.STATUS_CANCELED
    graph.wait_held()


# All of it only in the long run: a new process may look for the robot's pictures for more than ten seconds.
@pytest.mark.parametrize("phase", phases())
def test_when_inference_is_killed_the_arm_holds_and_the_task_fails_by_name_e7(graph, phase):
    course = graph.reach(phase)
    seen = len(graph.exceptions.all)
    goal = graph.plans.all[-1].goal if graph.plans.all else ""
    graph.kill(INFERENCE)
    if phase == "executing":
        assert graph.ending(goal) == GoalStatus.STATUS_CANCELED
        wait_until(lambda: len(graph.exceptions.all) > seen, "the death is told")
        assert (graph.exceptions.all[-1].rule, graph.exceptions.all[-1].stopped) == ("node_death", True)
    if phase == "recovering":
        # It leads to where the arm may stay, and needs no inference.
        assert graph.ending(goal) == GoalStatus.STATUS_SUCCEEDED
    status, result = (course or graph.begin()).end()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert "infer_slice" in result.message
    graph.wait_held()


@pytest.mark.parametrize("phase", phases("executing"))
def test_when_the_pool_is_killed_nothing_stops_and_the_task_ends_as_it_would_have(graph, phase):
    course = graph.reach(phase)
    seen = len(graph.exceptions.all)
    graph.kill(POOL)
    thaw(graph)
    course = course or graph.begin()
    step = course.feedback[-1].step if course.feedback else 0
    course.wait_phase("executing", step=step + HORIZON)
    assert len(graph.exceptions.all) == seen
    status, result = course.cancel()
    assert (status, result.outcome) == (GoalStatus.STATUS_CANCELED, "canceled")
    graph.wait_held()


def test_when_the_monitor_hangs_the_supervisor_stops_the_arm_as_well_e7(graph):
    course = graph.reach("executing")
    with graph.processes[MONITOR].frozen():
        status, result = course.end()
        assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
        assert "silent" in result.message
        graph.wait_held()


@pytest.mark.slow
def test_when_monitor_and_supervisor_are_killed_together_the_arm_runs_to_the_end_of_its_slice_and_holds(graph):
    course = graph.reach("executing")
    goal = graph.plans.all[-1].goal
    graph.kill(MONITOR, SUPERVISOR)
    Course.running.remove(course)
    assert graph.ending(goal) == GoalStatus.STATUS_SUCCEEDED
    graph.wait_held()
