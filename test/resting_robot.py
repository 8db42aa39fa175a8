"""A robot at rest as the inference node sees it: black pictures and joints that never move, from the probe."""

from __future__ import annotations

import threading

import numpy as np
from ros_probe import SENSOR, Probe
from sensor_msgs.msg import Image, JointState

from ams_ros.robot.profile import load_profile

PROFILE = load_profile("widowx_250s")
JOINTS = (*PROFILE.joint_names, PROFILE.gripper.joint)


class Robot:
    """Publishes pictures and joint states from the probe until told otherwise; leaving ends it."""

    def __init__(self, probe: Probe, cameras: tuple[str, ...] = ("front", "wrist"), joints: tuple[str, ...] = JOINTS):
        self._probe, self.joints, self.encoding = probe, joints, "rgb8"
        self.brightness = {name: 0 for name in cameras}
        self._publishers = {
            name: probe.node.create_publisher(Image, f"/camera/{name}/image_raw", SENSOR) for name in cameras
        }
        self.cameras = set(cameras)
        self._joint_publisher = probe.node.create_publisher(JointState, "/joint_states", SENSOR)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Robot:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            stamp = self._probe.node.get_clock().now().to_msg()
            state = JointState(name=list(self.joints), position=[0.02] * len(self.joints))
            state.header.stamp = stamp
            self._joint_publisher.publish(state)
            for name in sorted(self.cameras):
                pixels = np.full((128, 128, 3), self.brightness[name], dtype=np.uint8).tobytes()
                image = Image(height=128, width=128, encoding=self.encoding, step=384, data=pixels)
                image.header.stamp = stamp
                self._publishers[name].publish(image)
