"""A world of arithmetic in which attempts go as a test says: with a pool, somebody who sees jobs, and a way home."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from task_world import ArithmeticRecovery, ArithmeticRobot, ArithmeticSource, ManualClock

from ams_ros.errors import AmsError
from ams_ros.recovery.planner import PlannedMotion
from ams_ros.replay.progress import Job
from ams_ros.replay.progress_feed import ProgressFeed
from ams_ros.replay.replay import Replay
from ams_ros.replay.return_to_start import ReturnToStart
from ams_ros.replay.settings import ReplaySettings, ReturnSettings
from ams_ros.replay.task_description import PlaceEvidence, TaskDescription, TaskPart
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.supervision.rest import RestThresholds
from ams_ros.supervision.task_loop import TaskLoop
from ams_ros.types import SUCCESS, Execution, JointSample, Mode, ReuseReport, TaskEvent, TaskRequest, TaskStatus

PROFILE = replace(load_profile("widowx_250s"), start=np.zeros(6))
CUBES = "put the cubes in the bowl"
STRIDE = 0.01
ROW = 0.1
"""rad that the way home takes the arm in one row of 0.05 s, the period of a step."""
IDLE, WANDERS = "idle", "wanders"


@dataclass
class Pool:
    """Successes by instruction, the nearest first; implements JobBook."""

    stored: dict = field(default_factory=dict)
    written: list = field(default_factory=list)
    instruction_of: dict = field(default_factory=dict)

    def succeeded(self, episode):
        self.written.append((episode, True))
        self.stored.setdefault(self.instruction_of[episode], []).insert(0, episode)

    def failed(self, episode):
        self.written.append((episode, False))

    def guide(self, request):
        """The episode that guides a request, empty for none."""
        if request.guidance is None:
            return ""
        if request.guidance.reference != SUCCESS:
            return request.guidance.reference
        successes = self.stored.get(request.instruction, [])
        return successes[request.guidance.rank] if request.guidance.rank < len(successes) else ""


@dataclass
class AttemptSource(ArithmeticSource):
    """Attempt k goes as `plan[k]` says, later ones idle: IDLE, WANDERS, or a job after so many executed slices.

    stops: numbers of inferences whose slice carries the policy's stop flag. fingers: where its slices want them, m.
    homing: whether it goes back to the start pose once its job is done, in strides of twice the way there.
    """

    pool: Pool = field(default_factory=Pool)
    plan: tuple = ()
    begun: int = -1
    stops: set = field(default_factory=set)
    fingers: float = PROFILE.gripper.upper
    slices: int = 0
    homing: bool = False
    guides: list = field(default_factory=list)

    def infer(self, request):
        if request.index == 0:
            self.begun += 1
            self.slices = 0
        self.pool.instruction_of[request.episode] = request.instruction
        self.stride = 0.0 if self.course == IDLE or self._over else STRIDE
        if self._over and self.homing and self.position > 0.0:
            self.stride = -2 * STRIDE
        inference = super().infer(request)
        guide = self.pool.guide(request)
        self.guides.append((self.begun, request.index, guide))
        number = len(self.asked) - 1
        reuse = ReuseReport("connected", guided_by=guide and f"{guide}-c", guided_episode=guide)
        fingers = np.full(inference.slice.horizon, self.fingers)
        made = replace(inference.slice, gripper=fingers, stop=number in self.stops)
        return replace(inference, slice=made, reuse=reuse)

    @property
    def course(self):
        return self.plan[self.begun] if 0 <= self.begun < len(self.plan) else IDLE

    @property
    def _over(self):
        return isinstance(self.course, int) and self.slices >= self.course


@dataclass
class HomingRobot(ArithmeticRobot):
    """Can also follow a way home; event k of `on_the_way` happens in the middle of way k, which then ends halfway."""

    listeners: list = field(default_factory=list)
    on_the_way: dict = field(default_factory=dict)
    followed: list = field(default_factory=list)
    finger: float = PROFILE.gripper.upper
    held: float = 0.0
    fingers_told: list = field(default_factory=list)
    speed: float = 0.0

    def listen(self, listener):
        self.listeners.append(listener)

    def listen_wrench(self, listener):
        pass

    def joints(self):
        sample = super().joints()
        position = sample.position.copy()
        position[6] = self.finger
        return JointSample(sample.stamp, sample.names, position, np.full(7, self.speed))

    def execute(self, action_slice, stop):
        execution = super().execute(action_slice, stop)
        if action_slice.context_id:
            self.source.slices += 1
        self.fingers_told.append(float(action_slice.gripper[-1]))
        self.finger = max(float(action_slice.gripper[-1]), self.held)
        self._tell()
        return execution

    def follow(self, joints, period, stop):
        event = self.on_the_way.get(len(self.followed))
        self.followed.append(joints)
        if isinstance(event, AmsError):
            raise event
        rows = len(joints) if event is None else len(joints) // 2
        if rows:
            self.source.position = float(joints[rows - 1, 0])
        self.clock.time += rows * period
        self._tell()
        if callable(event):
            event()
            return Execution(rows, False, stop.reason)
        return Execution(rows, event is None, "" if event is None else "the way was stopped", event)

    def _tell(self):
        for listener in self.listeners:
            listener(self.joints())


class StraightPlanner:
    name = "straight"

    def __init__(self) -> None:
        self.error: AmsError | None = None
        self.scales: list[float] = []

    def plan(self, start, goal, scale, timeout):
        self.scales.append(scale)
        if self.error is not None:
            raise self.error
        rows = max(1, int(np.ceil(np.abs(goal - start).max() / ROW - 1e-9)))
        return PlannedMotion(start + np.linspace(0, 1, rows + 1)[1:, None] * (goal - start), 0.05)


@dataclass
class SlicesCounted:
    """Implements TaskProgress: a job is done once an attempt has executed as many slices as its plan says."""

    source: AttemptSource
    wanted: int = 0
    seen: list = field(default_factory=list)
    done_in: set = field(default_factory=set)
    calls: list = field(default_factory=list)
    judge: object = None

    def begin(self, request):
        self.wanted, self.seen, self.done_in = request.jobs, [], set()
        self.calls.append("begin")

    def joints(self, sample):
        source = self.source
        if isinstance(source.course, int) and source.slices >= source.course and source.begun not in self.done_in:
            self.done_in.add(source.begun)
            self.seen.append(Job(source.asked[-1].instruction, sample.stamp, "let go of over the bowl"))

    def wrench(self, sample):
        pass

    def executing(self, action_slice):
        self.calls.append("executing")

    def returning(self):
        self.calls.append("returning")

    def jobs(self):
        return tuple(self.seen)

    def finished(self, step, attempt):
        if self.judge is not None:
            return self.judge(step, attempt)
        return f"{self.wanted} jobs were seen done" if self.wanted and len(self.seen) >= self.wanted else None


class ReplayWorld:
    """plan: how the attempts go, see AttemptSource. parts: instructions of the task's parts, empty for a plain task."""

    def __init__(self, *plan, stored=(), parts=(), recovers=True, settings=None, **source) -> None:
        self.clock, self.stop = ManualClock(), StopRequest()
        self.pool = Pool({CUBES: list(stored)})
        self.source = AttemptSource(self.clock, pool=self.pool, plan=plan, **source)
        self.robot = HomingRobot(self.clock, self.source)
        self.planner = StraightPlanner()
        self.watch = SlicesCounted(self.source)
        self.recovery = ArithmeticRecovery(self.clock)
        self.progress: list[TaskStatus] = []
        self.events: list[TaskEvent] = []
        evidence = PlaceEvidence("bowl", 0.05, 0.2)
        self.replay = Replay(
            self.watch,
            ProgressFeed(self.robot),
            ReturnToStart(self.robot, self.planner, PROFILE, ReturnSettings()),
            deadband=0.001,
            book=self.pool,
            task=TaskDescription("mixed", CUBES, tuple(TaskPart(part, evidence) for part in parts)) if parts else None,
            settings=settings or ReplaySettings(),
        )
        self.loop = TaskLoop(
            self.source,
            self.robot,
            self.clock,
            RestThresholds(),
            self.progress.append,
            recovery=self.recovery if recovers else None,
            replay=self.replay,
            on_event=self.events.append,
        )

    def run(self, budget=1000, mode=Mode.AMS, seed=7, jobs=0, **more):
        episode = "ep" if mode.pooled else ""
        return self.loop.run(TaskRequest(CUBES, mode, budget, seed, episode, jobs=jobs, **more), self.stop)

    @property
    def instructions(self):
        """Of each attempt, in order."""
        return [asked.instruction for asked in self.source.asked if asked.index == 0]

    @property
    def guides(self):
        """The success that guided the first slice of each attempt, empty for none."""
        return [guide for _, index, guide in self.source.guides if index == 0]

    def told(self, kind):
        return [event for event in self.events if event.kind is kind]
