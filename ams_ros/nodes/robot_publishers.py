"""What the simulated robot publishes, each only while somebody listens."""

from __future__ import annotations

from collections.abc import Callable

from geometry_msgs.msg import WrenchStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState

from ams_ros.nodes.conversions import to_time
from ams_ros.nodes.pace import Pace
from ams_ros.nodes.robot_messages import ImageBuffer, JointStateBuffer, WrenchBuffer, camera_info
from ams_ros.simulation.faults.sensor_tap import SensorTap
from ams_ros.simulation.plant import Plant
from ams_ros.types import JointSample

_CAMERA_QOS = QoSProfile(depth=2)
_STATE_QOS = QoSProfile(depth=10)


class JointStatePublisher:
    """Arm joints and the left finger as sensor_msgs/JointState."""

    def __init__(self, node: Node, topic: str, tap: SensorTap, pace: Pace) -> None:
        """Create the topic; `publish` belongs to the plant's thread."""
        self._publisher = node.create_publisher(JointState, topic, _STATE_QOS)
        self._tap, self._pace = tap, pace
        self._buffer = JointStateBuffer(tap.joint_names)
        self._sent: JointSample | None = None

    def publish(self) -> None:
        """Send the present state."""
        if not self._publisher.get_subscription_count():
            return
        sample = self._tap.joints()
        if sample is None:
            return
        if sample is not self._sent:
            # A sample sent again keeps its stamp, and what a moment's stamp is varies by the clocks' resolution.
            self._sent = sample
            self._buffer.fill(sample, self._pace.stamp(sample.stamp))
        self._publisher.publish(self._buffer.message)


class WrenchPublisher:
    """The wrist sensor as geometry_msgs/WrenchStamped."""

    def __init__(self, node: Node, topic: str, tap: SensorTap, pace: Pace) -> None:
        """Create the topic; `publish` belongs to the plant's thread."""
        self._publisher = node.create_publisher(WrenchStamped, topic, _STATE_QOS)
        self._tap, self._pace = tap, pace
        self._buffer = WrenchBuffer()

    def publish(self) -> None:
        """Send the present wrench."""
        sample = self._tap.wrench() if self._publisher.get_subscription_count() else None
        if sample is not None:
            self._publisher.publish(self._buffer.fill(sample, self._pace.stamp(sample.stamp)))


class CameraPublisher:
    """One camera as sensor_msgs/Image and CameraInfo; drawn only while the picture has a subscriber."""

    def __init__(
        self,
        node: Node,
        topics: tuple[str, str],
        plant: Plant,
        pace: Pace,
        *,
        camera: str,
        size: tuple[int, int],
    ) -> None:
        """Create the topics of the picture and its calibration; size: width and height, px."""
        self._image = node.create_publisher(Image, topics[0], _CAMERA_QOS)
        self._info = node.create_publisher(CameraInfo, topics[1], _CAMERA_QOS)
        self._plant, self._pace, self._camera = plant, pace, camera
        self._size = size
        frame = f"{camera}_camera_optical_frame"
        self._buffer = ImageBuffer(frame, *size)
        self._calibration = camera_info(frame, *size, plant.camera_matrix(camera, *size))

    def publish(self) -> None:
        """Draw and send the present picture, with the calibration under the same stamp."""
        stamp = self._pace.stamp(self._plant.time)
        if self._info.get_subscription_count():
            self._calibration.header.stamp = to_time(stamp)
            self._info.publish(self._calibration)
        if self._image.get_subscription_count():
            self._image.publish(self._buffer.fill(self._plant.render(self._camera, *self._size), stamp))


def clock_publisher(node: Node, plant: Plant) -> Callable[[], None]:
    """Create /clock; the returned function sends the present simulation time."""
    publisher = node.create_publisher(Clock, "/clock", QoSProfile(depth=1))
    message = Clock()

    def publish() -> None:
        message.clock = to_time(plant.time)
        publisher.publish(message)

    return publish
