"""A node that only lets its heart beat, for tests of those who listen."""

from __future__ import annotations

import sys

from ams_ros.nodes.heartbeat import HeartbeatPublisher
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.process import run_node


class BeatingNode(AmsNode):
    """Beats from configure to cleanup."""

    def __init__(self) -> None:
        super().__init__("beating_node")

    def _setup(self) -> None:
        HeartbeatPublisher(self)


if __name__ == "__main__":
    sys.exit(run_node(BeatingNode))
