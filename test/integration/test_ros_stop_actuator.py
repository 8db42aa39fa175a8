"""What reaches the arm's controller and the driver when a monitor stops the arm without following the ladder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from action_msgs.srv import CancelGoal
from ros_probe import Probe, wait_until
from std_srvs.srv import Empty

from ams_ros.nodes.ros_stop_actuator import RosStopActuator
from ams_ros.robot.driver import ServiceCall, ServiceKind, StopStep
from ams_ros.robot.driver_file import load_driver
from ams_ros.types import StopStage

pytestmark = pytest.mark.integration

CANCEL = StopStep(StopStage.CANCEL, 0.1)
HOLD = StopStep(StopStage.HOLD, 0.1)
STOP_MOVE = StopStep(StopStage.DRIVER_STOP, 0.1, ServiceCall("/stopped_unseen/stop_move", ServiceKind.EMPTY))


@pytest.mark.parametrize(
    ("ladder", "reached"),
    [((STOP_MOVE,), "stop_move"), ((HOLD, STOP_MOVE), "stop_move"), ((CANCEL, HOLD, STOP_MOVE), "cancel")],
    ids=["no cancel", "hold first", "cancel first"],
)
def test_a_monitor_that_fails_stops_by_the_first_rung_and_cancels_only_where_the_ladder_does_e7(
    probe: Probe, ladder: tuple[StopStep, ...], reached: str
) -> None:
    driver = replace(load_driver("jaka_s5"), arm_action="/stopped_unseen/arm", stop=ladder)
    heard: list[str] = []

    def hear(what: str, response: Any) -> Any:
        heard.append(what)
        return response

    def say(stage: StopStage, accepted: bool, message: str) -> None:
        heard.append(f"answered {stage.value}: {accepted}")

    node = probe.node
    made = [
        node.create_service(CancelGoal, "/stopped_unseen/arm/_action/cancel_goal", lambda _, r: hear("cancel", r)),
        node.create_service(Empty, "/stopped_unseen/stop_move", lambda _, r: hear("stop_move", r)),
    ]
    try:
        actuator = RosStopActuator(node, driver, ("joint_1",), say, lambda: False)
        mine = [each for each in node.clients if each.srv_name.endswith(("stop_move", "cancel_goal"))]
        wait_until(lambda: all(each.service_is_ready() for each in mine), "the services appear")
        actuator.stop_unseen()
        stage = "cancel" if reached == "cancel" else "driver_stop"
        wait_until(lambda: len(heard) > 1, "the request is answered")
        assert heard == [reached, f"answered {stage}: True"]
    finally:
        for client in [each for each in node.clients if "unseen" in each.srv_name]:
            node.destroy_client(client)
        for service in made:
            node.destroy_service(service)


def test_requests_that_nobody_answers_do_not_pile_up_however_often_a_stop_is_tried(probe: Probe) -> None:
    driver = replace(load_driver("jaka_s5"), arm_action="/nobody/arm", stop=(CANCEL,))
    refused: list[str] = []
    actuator = RosStopActuator(
        probe.node, driver, ("joint_1",), lambda *answer: refused.append(answer[2]), lambda: True
    )
    client = next(each for each in probe.node.clients if each.srv_name == "/nobody/arm/_action/cancel_goal")
    try:
        for _ in range(5):
            actuator.cancel_all()
        assert refused == ["service /nobody/arm/_action/cancel_goal is not there"] * 5
        assert len(client._pending_requests) == 1
    finally:
        for made in [each for each in probe.node.clients if "nobody" in each.srv_name]:
            probe.node.destroy_client(made)
