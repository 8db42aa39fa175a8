"""A node for test_lifecycle.py that fails where it is told to: in a verb, or in a thread while it is active."""

from __future__ import annotations

import sys

from std_srvs.srv import Trigger

from ams_ros.errors import ConfigurationError
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.nodes.parameters import Setting
from ams_ros.nodes.process import run_node
from ams_ros.robot.stop_request import StopRequest


class FailingNode(AmsNode):
    SETTINGS = (
        Setting("fail_in", "", "what raises: setup, activate, deactivate, teardown or callback", live=True),
        Setting("thread_dies", False, "whether the thread raises once ~/probe was called", live=True),
        Setting("rate", 10.0, "a number with a range", 1.0, 100.0),
        Setting("fixed", 1, "a number that can be given at start only", read_only=True),
    )

    def __init__(self) -> None:
        super().__init__("failing_node")
        self._called = False

    def _setup(self) -> None:
        self.create_service(Trigger, "~/probe", self._probe)
        self._fail_in("setup")

    def _activate(self) -> None:
        self._called = False
        self.start_thread("worker", self._work)
        self._fail_in("activate")

    def _deactivate(self, reason: str) -> None:
        self.get_logger().info(f"deactivating because {reason}")
        self._fail_in("deactivate")

    def _teardown(self) -> None:
        self._fail_in("teardown")

    def _fail_in(self, verb: str) -> None:
        if self.setting("fail_in") == verb:
            raise ConfigurationError("fail_in", verb, "anything else")

    def _probe(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._fail_in("callback")
        self._called = response.success = True
        return response

    def _work(self, stop: StopRequest) -> None:
        while not stop.wait(0.01):
            if self._called and self.setting("thread_dies"):
                raise ValueError("the worker broke")


if __name__ == "__main__":
    sys.exit(run_node(FailingNode))
