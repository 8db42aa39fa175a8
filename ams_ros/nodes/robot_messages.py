"""The simulated robot's messages: goals in, sensors out. Sensor messages are filled in place, as they go out often."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from control_msgs.action import FollowJointTrajectory
from geometry_msgs.msg import WrenchStamped
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from ams_ros.nodes.conversions import seconds_of, to_duration, to_time
from ams_ros.simulation.tolerances import JointTolerance, ToleranceRequest
from ams_ros.simulation.trajectory import Trajectory, Waypoint
from ams_ros.simulation.trajectory_controller import Feedback
from ams_ros.types import CameraImage, Float64Array, JointSample, WrenchSample


def trajectory_record(message: JointTrajectory, start: float) -> Trajectory:
    """A goal's trajectory; `start` is its header's stamp on the controller's clock, 0 for now."""
    return Trajectory(
        joint_names=tuple(message.joint_names),
        points=tuple(
            Waypoint(
                time=seconds_of(point.time_from_start),
                position=np.array(point.positions),
                velocity=np.array(point.velocities),
                acceleration=np.array(point.accelerations),
                effort=np.array(point.effort),
            )
            for point in message.points
        ),
        start=start,
    )


def tolerance_request(goal: FollowJointTrajectory.Goal) -> ToleranceRequest:
    """The tolerances of a goal."""

    def joints(messages: list[Any]) -> tuple[JointTolerance, ...]:
        return tuple(JointTolerance(each.name, each.position, each.velocity, each.acceleration) for each in messages)

    return ToleranceRequest(
        joints(goal.path_tolerance), joints(goal.goal_tolerance), seconds_of(goal.goal_time_tolerance)
    )


def feedback_message(feedback: Feedback, joint_names: tuple[str, ...], stamp: float) -> FollowJointTrajectory.Feedback:
    """Feedback of a running goal."""
    at = to_duration(feedback.time_from_start)

    def point(position: Float64Array, *more: Float64Array) -> JointTrajectoryPoint:
        values = [array("d", each.tobytes()) for each in (position, *more)]
        fields = dict(zip(("positions", "velocities", "accelerations"), values, strict=False))
        return JointTrajectoryPoint(time_from_start=at, **fields)

    speed = () if feedback.actual_velocity is None else (feedback.actual_velocity,)
    desired = feedback.desired
    return FollowJointTrajectory.Feedback(
        header=Header(stamp=to_time(stamp)),
        joint_names=list(joint_names),
        desired=point(desired.position, desired.velocity, desired.acceleration),
        actual=point(feedback.actual_position, *speed),
        error=point(feedback.error),
    )


class JointStateBuffer:
    """One JointState message, refilled for every sample."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Make room for `names`."""
        self.message = JointState(name=list(names))
        self._views: dict[str, Float64Array] = {}

    def fill(self, sample: JointSample, stamp: float) -> JointState:
        """The message with this sample; valid until the next call."""
        self.message.header.stamp = to_time(stamp)
        self._put("position", sample.position)
        self._put("velocity", sample.velocity)
        self._put("effort", sample.effort)
        return self.message

    def _put(self, field: str, values: Float64Array | None) -> None:
        if values is None:
            return
        if field not in self._views:
            setattr(self.message, field, array("d", bytes(8 * len(values))))
            # The message may have taken a copy; what it holds now is what will be sent.
            self._views[field] = np.frombuffer(getattr(self.message, field))
        self._views[field][:] = values


class WrenchBuffer:
    """One WrenchStamped message, refilled for every sample."""

    def __init__(self) -> None:
        """Start with zeros."""
        self.message = WrenchStamped()

    def fill(self, sample: WrenchSample, stamp: float) -> WrenchStamped:
        """The message with this sample; valid until the next call."""
        self.message.header.stamp = to_time(stamp)
        self.message.header.frame_id = sample.frame
        force, torque = self.message.wrench.force, self.message.wrench.torque
        force.x, force.y, force.z = map(float, sample.force)
        torque.x, torque.y, torque.z = map(float, sample.torque)
        return self.message


class ImageBuffer:
    """One rgb8 Image message of a fixed size, refilled for every picture."""

    def __init__(self, frame: str, width: int, height: int) -> None:
        """Make room for width x height pixels."""
        self.message = Image(width=width, height=height, encoding="rgb8", step=3 * width)
        self.message.header.frame_id = frame
        self.message.data = array("B", bytes(3 * width * height))
        self._view = np.frombuffer(self.message.data, np.uint8).reshape(height, width, 3)

    def fill(self, image: CameraImage, stamp: float) -> Image:
        """The message with this picture; valid until the next call."""
        self.message.header.stamp = to_time(stamp)
        self._view[:] = image.pixels
        return self.message


def camera_info(frame: str, width: int, height: int, matrix: Float64Array) -> CameraInfo:
    """The calibration of an undistorted camera; matrix: (3, 3) pixels."""
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    info.header.frame_id = frame
    info.k = matrix.ravel()
    info.r = np.eye(3).ravel()
    info.p = np.hstack((matrix, np.zeros((3, 1)))).ravel()
    return info
