"""The observation of the present moment, put together from cameras and joint states."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from ams_ros.errors import ConfigurationError, InferenceError, RobotError
from ams_ros.nodes.conversions import image_of, joints_of
from ams_ros.nodes.latest import Latest
from ams_ros.robot.stop_request import StopRequest
from ams_ros.types import Observation

_POLL_SECONDS = 0.002


class ObservationFeed:
    """Latest pictures and joints, none of them older than the moment they are asked for.

    Whoever asks for a slice has just let a motion end. A picture from before that moment may show the arm elsewhere,
    and the policy would act on it; so every picture and the joints must be stamped at or after the request. With a
    camera of 10 Hz that is a wait of 0.05 s on average. Stamps and requests are compared on the node's ROS clock, so
    the clocks of robot, cameras and this machine must agree, as they must for any ROS robot.
    """

    def __init__(
        self, cameras: Mapping[str, Latest], joints: Latest, joint_names: tuple[str, ...], max_age: float, wait: float
    ) -> None:
        """joint_names: arm joints and, last, the gripper joint. max_age, wait: seconds of wall time."""
        self._cameras, self._joints, self._joint_names = cameras, joints, joint_names
        self._sources = (*cameras.values(), joints)
        self._max_age, self._wait = max_age, wait

    def observe(self, instruction: str, asked: float, stop: StopRequest) -> Observation:
        """Wait for pictures and joints stamped `asked` (ROS time, s) or later, and return the newest of each.

        Raises InferenceError naming who is silent and for how long, or who lags behind; also when `stop` is requested.
        """
        deadline = time.monotonic() + self._wait
        while behind := self._behind(asked):
            if stop.wait(_POLL_SECONDS):
                raise InferenceError(f"no observation: {stop.reason}")
            if time.monotonic() > deadline and all(source.message for source in self._sources):
                raise InferenceError(
                    f"no picture of the present within {self._wait} s: {behind}; "
                    "its rate may be too low (raise observation_wait) or its clock may differ from this machine's"
                )
        try:
            sample = joints_of(self._joints.message, self._joint_names)
            images = {name: image_of(latest.message, name) for name, latest in self._cameras.items()}
        except (RobotError, ConfigurationError) as error:
            raise InferenceError(str(error)) from error
        return Observation(
            stamp=sample.stamp,
            instruction=instruction,
            joints=np.array(sample.position[:-1]),
            gripper=float(sample.position[-1]),
            images=images,
        )

    def _behind(self, asked: float) -> str:
        """Who has not delivered since `asked`, empty when all have; raises InferenceError when somebody is silent."""
        silent = [text for source in self._sources if (text := source.silence(self._max_age)) is not None]
        if silent:
            raise InferenceError("; ".join(silent))
        late = [source for source in self._sources if source.stamp < asked]
        return ", ".join(f"{source.topic} is {asked - source.stamp:.2f} s behind" for source in late)
