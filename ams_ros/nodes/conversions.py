"""Between ROS messages and the records of ams_ros.types."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import WrenchStamped
from sensor_msgs.msg import Image, JointState

from ams_ros.context.records import check_identifier
from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.msg import ActionSlice as ActionSliceMessage
from ams_ros.msg import Guidance as GuidanceMessage
from ams_ros.msg import ReuseReport as ReuseReportMessage
from ams_ros.msg import StageTime as StageTimeMessage
from ams_ros.srv import InferSlice
from ams_ros.types import (
    ActionSlice,
    CameraImage,
    Float64Array,
    Guidance,
    GuidanceVariant,
    Inference,
    JointSample,
    ReuseReport,
    SliceRequest,
    StageTime,
    WrenchSample,
)

_NANOSECONDS = 1_000_000_000
_CHANNEL_ORDER = {"rgb8": slice(None), "bgr8": slice(None, None, -1)}
_NAME_LISTS = ("vision_exact", "vision_approximate", "tiers")


def seconds_of(stamp: Time | Duration) -> float:
    """A stamp or duration in seconds; float64 holds wall time to less than a microsecond."""
    return float(stamp.sec) + float(stamp.nanosec) / _NANOSECONDS


def to_time(seconds: float) -> Time:
    """A stamp of that many seconds; before 0 there is none."""
    sec, nanosec = divmod(max(round(seconds * _NANOSECONDS), 0), _NANOSECONDS)
    return Time(sec=sec, nanosec=nanosec)


def to_duration(seconds: float) -> Duration:
    """A duration of that many seconds, which may be negative."""
    sec, nanosec = divmod(round(seconds * _NANOSECONDS), _NANOSECONDS)
    return Duration(sec=sec, nanosec=nanosec)


def image_of(message: Image, camera: str) -> CameraImage:
    """The picture of an rgb8 or bgr8 message; raises ConfigurationError for another encoding or a wrong size."""
    if message.encoding not in _CHANNEL_ORDER:
        raise ConfigurationError(f"encoding of camera {camera}", message.encoding, ", ".join(_CHANNEL_ORDER))
    height, width, step = message.height, message.width, message.step
    if step < 3 * width or len(message.data) != height * step:
        found = f"{len(message.data)} bytes, step {step}"
        raise ConfigurationError(f"picture of camera {camera}", found, f"data for {width} x {height} pixels")
    pixels = np.frombuffer(message.data, np.uint8).reshape(height, step)[:, : 3 * width].reshape(height, width, 3)
    ordered = np.ascontiguousarray(pixels[:, :, _CHANNEL_ORDER[message.encoding]])
    return CameraImage(camera, seconds_of(message.header.stamp), ordered)


def joints_of(message: JointState, names: Sequence[str]) -> JointSample:
    """The named joints of a message, in the order asked for; further joints in it are ignored.

    Raises RobotError naming the joints that are missing and those that are there.
    """
    missing = [name for name in names if name not in message.name]
    if missing:
        raise RobotError(
            f"the joint states lack {', '.join(missing)}; they name {', '.join(message.name) or 'no joint at all'}"
        )
    order = [message.name.index(name) for name in names]

    def picked(values: Sequence[float]) -> Float64Array | None:
        return np.asarray(values, dtype=np.float64)[order] if len(values) == len(message.name) else None

    position = picked(message.position)
    if position is None:
        raise RobotError(f"the joint states name {len(message.name)} joints and hold {len(message.position)} positions")
    return JointSample(
        seconds_of(message.header.stamp), tuple(names), position, picked(message.velocity), picked(message.effort)
    )


def wrench_of(message: WrenchStamped) -> WrenchSample:
    """The wrench of a message."""
    force, torque = message.wrench.force, message.wrench.torque
    return WrenchSample(
        seconds_of(message.header.stamp),
        message.header.frame_id,
        np.array([force.x, force.y, force.z]),
        np.array([torque.x, torque.y, torque.z]),
    )


def slice_message(action_slice: ActionSlice, joint_names: Sequence[str], stamp: float) -> ActionSliceMessage:
    """A slice as a message; stamp: of the observation it was inferred from, s."""
    message = ActionSliceMessage(
        context_id=action_slice.context_id,
        joint_names=list(joint_names),
        positions=action_slice.joints.ravel().tolist(),
        gripper=action_slice.gripper.tolist(),
        period=to_duration(action_slice.period),
        execute=action_slice.execute,
        stop=action_slice.stop,
    )
    message.header.stamp = to_time(stamp)
    return message


def stage_messages(inference: Inference) -> list[StageTimeMessage]:
    """The stage times of an inference as messages."""
    return [StageTimeMessage(stage=each.stage, seconds=each.seconds) for each in inference.stages]


def reuse_message(report: ReuseReport) -> ReuseReportMessage:
    """What the pool did for an inference, as a message of the same fields."""
    fields = {each.name: getattr(report, each.name) for each in dataclasses.fields(report)}
    return ReuseReportMessage(**{key: list(value) if key in _NAME_LISTS else value for key, value in fields.items()})


def reuse_of(message: ReuseReportMessage) -> ReuseReport:
    """The record of that message."""
    fields = {each.name: getattr(message, each.name) for each in dataclasses.fields(ReuseReport)}
    return ReuseReport(**{key: tuple(value) if key in _NAME_LISTS else value for key, value in fields.items()})


def guidance_message(guidance: Guidance | None) -> GuidanceMessage:
    """A guidance as a message; without a reference for none."""
    if guidance is None:
        return GuidanceMessage()
    return GuidanceMessage(
        reference=guidance.reference,
        start_time=guidance.start_time,
        variant=guidance.variant.value,
        steps=guidance.steps,
        rank=guidance.rank,
    )


def guidance_of(message: GuidanceMessage) -> Guidance | None:
    """The guidance asked for, None without a reference; raises ConfigurationError for one that cannot be followed."""
    if not message.reference:
        return None
    check_identifier("guidance reference", message.reference)
    try:
        variant = GuidanceVariant(message.variant or GuidanceVariant.LATENT.value)
    except ValueError:
        allowed = ", ".join(each.value for each in GuidanceVariant)
        raise ConfigurationError("guidance variant", message.variant, allowed) from None
    return Guidance(message.reference, message.start_time, variant, message.steps, message.rank)


def slice_request_of(message: InferSlice.Request) -> SliceRequest:
    """What a client asks of one inference; raises ConfigurationError for an episode or guidance that cannot be."""
    if message.episode:
        check_identifier("episode", message.episode)
    return SliceRequest(
        instruction=message.instruction,
        seed=message.seed,
        episode=message.episode,
        index=message.index,
        bypass=message.bypass_pool,
        guidance=guidance_of(message.guidance),
    )


def inference_of(
    message: ActionSliceMessage,
    stages: Sequence[StageTimeMessage],
    reuse: ReuseReportMessage,
    joint_names: Sequence[str],
) -> Inference:
    """The inference the messages tell of; its joints must be `joint_names`, in that order.

    Raises ConfigurationError for other joints, ValueError for a slice whose parts do not fit together.
    """
    if list(message.joint_names) != list(joint_names):
        raise ConfigurationError("joints of the slice", list(message.joint_names), ", ".join(joint_names))
    positions = np.array(message.positions, dtype=np.float64)
    if len(positions) % len(joint_names):
        raise ValueError(f"action slice: {len(positions)} positions for {len(joint_names)} joints")
    action_slice = ActionSlice(
        joints=positions.reshape(-1, len(joint_names)),
        gripper=np.array(message.gripper, dtype=np.float64),
        period=seconds_of(message.period),
        execute=message.execute,
        context_id=message.context_id,
        stop=message.stop,
    )
    times = tuple(StageTime(stage.stage, stage.seconds) for stage in stages)
    return Inference(action_slice, times, reuse_of(reuse))
