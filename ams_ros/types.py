"""The vocabulary of AMS: the frozen records that cross every border.

Units are SI throughout: seconds, metres, radians, newtons. A stamp is seconds on the clock of whoever made the
sample (ROS time in the nodes, simulation time in one process); stamps of one robot are comparable with each other
and with nothing else. Arrays are never written to after they were put into a record.

Source of the terms: Zheng et al. 2025, "Leveraging OS-Level Primitives for Robotic Action Management".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ams_ros.errors import ConfigurationError

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
PixelArray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class JointSample:
    """One reading of the joints.

    names: n joint names, in the order of the arrays.
    position: (n,) float64, rad for revolute and m for prismatic joints.
    velocity: (n,) float64, rad/s or m/s; None where the robot does not measure it.
    effort: (n,) float64, N m or N unless the robot's profile says otherwise; None where it is not measured.
    """

    stamp: float
    names: tuple[str, ...]
    position: Float64Array
    velocity: Float64Array | None = None
    effort: Float64Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WrenchSample:
    """One reading of the wrist sensor: force (3,) N and torque (3,) N m, both in `frame`.

    Sign: what the gripper's side of the sensor exerts on the arm's side, gravity of the gripper included.
    """

    stamp: float
    frame: str
    force: Float64Array
    torque: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class CameraImage:
    """One picture: pixels (height, width, 3) uint8, RGB, row 0 at the top."""

    camera: str
    stamp: float
    pixels: PixelArray


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What a policy sees before one inference.

    joints: (dof,) float64, rad, measured arm joints in the profile's order.
    gripper: measured finger position, m (the profile's gripper joint).
    images: by camera name.
    """

    stamp: float
    instruction: str
    joints: Float64Array
    gripper: float
    images: Mapping[str, CameraImage]


@dataclass(frozen=True, slots=True, eq=False)
class ActionSlice:
    """The contiguous action steps of one inference (paper, section 2).

    joints: (horizon, dof) float64, rad, absolute joint targets; row k is to be reached (k + 1) * period after start.
    gripper: (horizon,) float64, m, finger targets, each commanded when its step begins.
    period: seconds per step.
    execute: how many leading steps the policy wants run before it is asked again, 1..horizon.
    context_id: names the inference this came from, unique per model process.
    stop: whether the policy marks the task as done with this slice; False for a policy that has no such flag.
    """

    joints: Float64Array
    gripper: Float64Array
    period: float
    execute: int
    context_id: str
    stop: bool = False

    def __post_init__(self) -> None:
        """Refuse a slice whose parts do not fit together or that holds a number that is not finite."""
        if self.joints.ndim != 2 or self.gripper.shape != (len(self.joints),):
            raise ValueError(
                f"action slice: joints {self.joints.shape} and gripper {self.gripper.shape}, "
                "expected (horizon, dof) and (horizon,)"
            )
        if not 1 <= self.execute <= self.horizon:
            raise ValueError(f"action slice: execute {self.execute}, expected 1..{self.horizon}")
        if not self.period > 0.0:
            raise ValueError(f"action slice: period {self.period} s, expected more than 0")
        if not (np.isfinite(self.joints).all() and np.isfinite(self.gripper).all()):
            raise ValueError("action slice: every target must be a finite number")

    @property
    def horizon(self) -> int:
        """Number of steps."""
        return len(self.joints)

    def head(self, steps: int) -> ActionSlice:
        """The first `steps` steps (1..horizon) as a slice of their own, all of it to be executed."""
        if not 1 <= steps <= self.horizon:
            raise ValueError(f"action slice: head of {steps} steps, expected 1..{self.horizon}")
        return replace(self, joints=self.joints[:steps], gripper=self.gripper[:steps], execute=steps)


@dataclass(frozen=True, slots=True)
class StageTime:
    """Wall time one stage of an inference took: encode, prefix, denoise or decode, and lookup for asking the pool."""

    stage: str
    seconds: float


class GuidanceVariant(Enum):
    """What of a stored inference a denoising starts from.

    LATENT: its latent at the start time. NOISE: its initial noise, at time 1. RENOISED: its final chunk, mixed with
    fresh noise to the start time.
    """

    LATENT = "latent"
    NOISE = "noise"
    RENOISED = "renoised"


SIMILAR = "similar"
"""Guidance reference: the most similar context that succeeded."""

SUCCESS = "success"
"""Guidance reference: of the episodes that succeeded with this instruction, the one whose beginning is the rank-th
nearest to the present situation; its context with the request's index is taken."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """Start denoising from a stored inference instead of noise (paper, sections 3.2.1 and 3.4).

    reference: SIMILAR, SUCCESS, a context id, or an episode id, of which the context with the request's index is taken.
    rank: with SUCCESS, 0 for the nearest. start_time: flow time to start at, 0 < t <= 1; NOISE always starts at 1.
    steps: denoising steps; 0 means proportionally fewer, the policy's own number times the start time.
    """

    reference: str
    start_time: float
    variant: GuidanceVariant = GuidanceVariant.LATENT
    steps: int = 0
    rank: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be started from."""
        if not self.reference:
            raise ConfigurationError("guidance", self.reference, f"{SIMILAR}, {SUCCESS}, a context id or an episode id")
        if not 0 <= self.rank < 1_000_000 or (self.rank and self.reference != SUCCESS):
            raise ConfigurationError("guidance rank", self.rank, f"0 or more with reference {SUCCESS}, else 0")
        if not 0.0 < self.start_time <= 1.0:
            raise ConfigurationError("start_time", self.start_time, "above 0 and at most 1")
        if not 0 <= self.steps <= 1000:
            raise ConfigurationError("guidance steps", self.steps, "0..1000")


@dataclass(frozen=True, slots=True)
class SliceRequest:
    """What is asked of one inference.

    seed: of the noise. episode: id of the task, empty for none; index: number of this slice in it, from 0.
    bypass: neither read nor write the pool. guidance: None starts from noise.
    """

    instruction: str
    seed: int
    episode: str = ""
    index: int = 0
    bypass: bool = False
    guidance: Guidance | None = None


@dataclass(frozen=True, slots=True)
class ReuseReport:
    """What the pool did for one inference.

    pool: connected, absent, bypassed or off. message: what did not work out, empty when all did.
    vision_exact, vision_approximate: cameras whose features were reused. prefix: "", exact or approximate.
    tiers: where the reused vectors lay, one word each: process, host or disk. bytes_reused: their size.
    patch_difference: largest patch difference that was let pass as the same picture, 0..1; 0 without approximation.
    guided_by: context id denoising started from, empty for noise; guided_episode: the episode it belongs to.
    similarity: cosine of its situation to this one.
    start_time: flow time denoising began at. steps: denoising steps run.
    lookup_seconds: spent asking. seconds_saved: median time of the stages not run, less lookup_seconds.
    stored: whether this inference was queued for the pool.
    """

    pool: str
    message: str = ""
    vision_exact: tuple[str, ...] = ()
    vision_approximate: tuple[str, ...] = ()
    prefix: str = ""
    tiers: tuple[str, ...] = ()
    bytes_reused: int = 0
    patch_difference: float = 0.0
    guided_by: str = ""
    guided_episode: str = ""
    similarity: float = 0.0
    start_time: float = 1.0
    steps: int = 0
    lookup_seconds: float = 0.0
    seconds_saved: float = 0.0
    stored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """What one inference returned: the slice, the seconds each stage took, and what the pool did for it."""

    slice: ActionSlice
    stages: tuple[StageTime, ...]
    reuse: ReuseReport

    @property
    def seconds(self) -> float:
        """Sum over the stages."""
        return sum(stage.seconds for stage in self.stages)


class ExceptionKind(Enum):
    """What an action exception is about (paper, Table 2). The value is its number there."""

    COLLISION = 1
    UNREACHABLE = 2
    CRASH = 3
    TORQUE = 4
    MOMENTUM = 5
    UNEXPECTED_ACTION = 6
    CONDITION = 7

    @property
    def hardware(self) -> bool:
        """Whether the robot's own mechanical state is at fault; otherwise software found an action without effect."""
        return self.value <= 5


class Severity(Enum):
    """How bad an exception is. CRITICAL: a person must look first, whatever its kind.

    MINOR and SERIOUS differ for hardware exceptions only, in whether a restart is due; see recovery/handling.py.
    """

    MINOR = "minor"
    SERIOUS = "serious"
    CRITICAL = "critical"


class StopStage(Enum):
    """The rungs of the stop ladder (spec row E7); NONE: nothing was tried."""

    NONE = "none"
    CANCEL = "cancel"
    HOLD = "hold"
    DRIVER_STOP = "driver_stop"
    DEACTIVATE = "deactivate"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One quantity that speaks for an exception: what it was, what it may be, in `unit` (SI, empty for none)."""

    name: str
    value: float
    limit: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class ActionException:
    """What the monitor saw and did about it.

    number: counts the exceptions of one monitor, from 1. stamp: of the offending sample, s on the robot's clock.
    goal: hex id of the goal under execution, empty when it is not known. context_id, slice, sub_slice, step: where in
    which slice; -1 where no announced slice was under execution.
    acted: False in shadow mode, in which nothing was stopped. stage: the last rung of the stop ladder that was tried.
    stopped: whether the joints were seen to come to rest. acknowledge: whether a person must acknowledge before
    anything moves again. detection_seconds: from the sample's arrival to the stop request having been handed over;
    acknowledge_seconds, rest_seconds: from there to its acknowledgement and to rest, -1 when that did not happen.
    """

    number: int
    stamp: float
    kind: ExceptionKind
    severity: Severity
    rule: str
    message: str
    evidence: tuple[Evidence, ...] = ()
    goal: str = ""
    context_id: str = ""
    slice: int = -1
    sub_slice: int = -1
    step: int = -1
    acted: bool = True
    stage: StopStage = StopStage.NONE
    stopped: bool = False
    acknowledge: bool = False
    detection_seconds: float = 0.0
    acknowledge_seconds: float = -1.0
    rest_seconds: float = -1.0


@dataclass(frozen=True, slots=True)
class Execution:
    """How the execution of a slice or a recovery motion ended.

    steps: whole steps that were run.
    completed: whether all of them were; if not, `message` says why and the robot holds still.
    exception: what stopped it, when the exception monitor did.
    """

    steps: int
    completed: bool
    message: str = ""
    exception: ActionException | None = None


class Mode(Enum):
    """Which primitives a task runs with.

    DIRECT is the paper's baseline: infer, execute, infer again. RESET is its straw man: as DIRECT, and when nothing
    happens any more back to the start pose and on from noise. CONTEXT adds the pool to DIRECT: reuse, storing,
    guidance. EXCEPTION adds to that the checks of each action and the recovery from exceptions. AMS adds to that action
    replay: back to the start pose, and on guided by earlier successes.
    """

    DIRECT = "direct"
    RESET = "reset"
    CONTEXT = "context"
    EXCEPTION = "exception"
    AMS = "ams"

    @property
    def pooled(self) -> bool:
        """Whether the context pool is read and written."""
        return self in (Mode.CONTEXT, Mode.EXCEPTION, Mode.AMS)

    @property
    def guarded(self) -> bool:
        """Whether actions are checked and exceptions recovered from; hardware rules guard every mode."""
        return self in (Mode.EXCEPTION, Mode.AMS)

    @property
    def replayed(self) -> bool:
        """Whether the task goes on from the start pose when nothing happens any more."""
        return self in (Mode.RESET, Mode.AMS)


class Phase(Enum):
    """Where the task loop is."""

    INFERRING = "inferring"
    EXECUTING = "executing"
    RECOVERING = "recovering"
    REPLAYING = "replaying"
    ENDED = "ended"


class Outcome(Enum):
    """How a task ended, as far as the robot itself can tell; none of these is the simulator's truth.

    AT_REST: the policy came to rest. FINISHED: as many jobs were seen done as were asked for, or the user's own service
    said so. EXHAUSTED: no attempt moves anything any more.
    """

    AT_REST = "at_rest"
    FINISHED = "finished"
    EXHAUSTED = "exhausted"
    BUDGET_SPENT = "budget_spent"
    CANCELED = "canceled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """What `run_task` asks for.

    seed: the noise of slice k is drawn from (seed, k). episode: id under which the pool keeps the task's contexts; in
    modes that replay, those of attempt k lie under `episode` followed by a dot and k, each attempt's slices counted
    from 0. guidance: of the first guided_slices slices; needs mode CONTEXT or EXCEPTION.
    task: name of a task description under config/tasks, which says what a job is and how the robot can tell that one
    is done; empty when nobody wrote one. jobs: how many are to be done; 0 when the user does not know.
    """

    instruction: str
    mode: Mode
    step_budget: int
    seed: int
    episode: str = ""
    guidance: Guidance | None = None
    guided_slices: int = 0
    task: str = ""
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Where a running task stands.

    Counts so far: steps executed, slices begun, exceptions met, returns to the start pose, jobs seen done.
    """

    phase: Phase
    step: int
    slice: int
    exceptions: int = 0
    replays: int = 0
    jobs: int = 0


class EventKind(Enum):
    """What happened in a task. SLICE: one was inferred. EXCEPTION: the monitor stopped it. RECOVERED: it may go on.

    REPLAY: nothing happens any more, or a job is done, so the next attempt begins. RETURNED: back at the start pose.
    JOB: a job was seen done. ENDED: the task.
    """

    SLICE = "slice"
    EXCEPTION = "exception"
    RECOVERED = "recovered"
    REPLAY = "replay"
    RETURNED = "returned"
    JOB = "job"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One line of a task's timeline.

    seconds: since the task began. step: steps executed until then. attempt: number of the attempt, from 0; each begins
    at the start pose. slice: number of the newest slice within the attempt, -1 before the first. episode: under which
    the pool keeps the attempt's contexts. context_id, reuse: of the slice that was inferred.
    """

    kind: EventKind
    seconds: float
    step: int
    attempt: int
    slice: int
    message: str
    episode: str = ""
    context_id: str = ""
    reuse: ReuseReport | None = None


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a task went. seconds: whole task; policy_seconds: the part spent waiting for inference.

    replays: returns to the start pose. job_steps: the step count at which each job was seen done, as far as the robot
    itself can tell; empty where nobody looks.
    """

    outcome: Outcome
    message: str
    steps: int
    inferences: int
    exceptions: int
    replays: int
    seconds: float
    policy_seconds: float
    job_steps: tuple[int, ...] = ()
