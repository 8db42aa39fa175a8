"""The control of `ams bench reaction`: hears the same samples and cancels at once, with no rules in between."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import rclpy
from action_msgs.srv import CancelGoal
from geometry_msgs.msg import WrenchStamped
from rclpy.experimental import EventsExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from sensor_msgs.msg import JointState

from ams_ros.nodes.promptness import Precedence, QuietCollection
from ams_ros.nodes.reaction_bench.offence import SPIKE
from ams_ros.nodes.reaction_bench.robot import BARE
from ams_ros.robot.driver_file import load_driver

_SENSOR = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
_PRIORITY = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the process is terminated: the monitor's executor, subscriptions, precedence and cancel request."""
    rclpy.init()
    node = rclpy.create_node("bare_reaction")
    driver = load_driver("simulated_widowx")
    client = node.create_client(CancelGoal, f"{BARE}{driver.arm_action}/_action/cancel_goal")
    request = CancelGoal.Request()

    def wrench(message: WrenchStamped) -> None:
        if message.wrench.force.z > SPIKE / 2:
            client.call_async(request)

    assert driver.wrench is not None
    node.create_subscription(JointState, BARE + driver.joint_states.topic, lambda _: None, _SENSOR)
    node.create_subscription(WrenchStamped, BARE + driver.wrench.topic, wrench, _SENSOR)
    executor = EventsExecutor()
    executor.add_node(node)
    Precedence().take(_PRIORITY)
    QuietCollection().begin()
    while rclpy.ok():
        executor.spin_until_future_complete(Future(), timeout_sec=60.0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
