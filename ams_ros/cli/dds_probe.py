"""The other end of `ams doctor`'s reachability check: a process that publishes one word until it is stopped."""

from __future__ import annotations

import sys
from contextlib import suppress

from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from ams_ros.cli.interrupts import Interrupts
from ams_ros.cli.ros_session import RosSession

QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SECONDS = 15.0


def main() -> None:
    """Run as `python -m ams_ros.cli.dds_probe TOPIC WORD`."""
    topic, word = sys.argv[1:]
    with Interrupts() as interrupts, RosSession(interrupts.check) as session, suppress(KeyboardInterrupt):
        session.node.create_publisher(String, topic, QOS).publish(String(data=word))
        session.spin(SECONDS)


if __name__ == "__main__":
    main()
