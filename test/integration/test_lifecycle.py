"""Transitions of every node: all ways up and down, failures, and the way back from them."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from ams_ros.srv import InferSlice
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import DescribeParameters
from ros_probe import ROOT, wait_until
from std_srvs.srv import Trigger

pytestmark = pytest.mark.integration

NODES = ["simulated_robot", "exception_monitor", "inference", "replay_supervisor"]


@pytest.fixture(scope="module")
def parameters(random_checkpoint):
    return {"inference": {"policy": str(random_checkpoint)}}


@pytest.fixture(scope="module")
def failing(start_shared_node):
    return start_shared_node("failing_node")


@pytest.fixture
def anew(failing, probe):
    """The failing node, unconfigured and willing."""

    def make(**values):
        steps = {"active": ("deactivate", "cleanup"), "inactive": ("cleanup",)}
        for transition in steps.get(probe.state(failing.name), ()):
            assert probe.change(failing.name, transition)
        assert probe.set_parameters(failing.name, **{"fail_in": "", "thread_dies": False, **values}) == []
        return failing

    yield make
    assert probe.set_parameters(failing.name, fail_in="", thread_dies=False) == []


@pytest.mark.parametrize("module", NODES)
def test_a_node_describes_its_parameters_refuses_wrong_ones_and_goes_all_the_way_up_and_down_again(
    start_node, probe, parameters, module
):
    node = start_node(module, parameters.get(module))
    describes_every_parameter(probe, node)
    refuses_a_wrong_robot_policy_or_task(probe, node, module)
    goes_all_the_way(probe, node)
    if module == "inference":
        offers_its_service_between_configure_and_cleanup(probe, node)
    assert node.stop() == 0
    assert "Traceback" not in node.output()


def describes_every_parameter(probe, node):
    names = probe.parameter_names(node.name)
    own = [name for name in names if not name.startswith(("qos_overrides", "start_type_description", "use_sim_time"))]
    answer = probe.call(DescribeParameters, f"{node.name}/describe_parameters", names=own)
    assert own
    assert [each.name for each in answer.descriptors if not each.description] == []


def refuses_a_wrong_robot_policy_or_task(probe, node, module):
    watches = {"exception_monitor": "driver", "replay_supervisor": "driver"}
    name = {"simulated_robot": "task", **watches}.get(module, "robot")
    right = probe.parameters(node.name, name)[name]
    status = probe.status(node.name)
    assert probe.set_parameters(node.name, **{name: "no_such_thing"}) == []
    assert not probe.change(node.name, "configure")
    message = status.wait_for(lambda m: "configure failed" in m.message, "the failure is told").message
    assert all(word in message for word in ("no_such_thing", right))
    assert probe.state(node.name) == "unconfigured"
    assert probe.set_parameters(node.name, **{name: right}) == []


def goes_all_the_way(probe, node):
    way = [
        ("activate", False, "unconfigured"),
        ("configure", True, "inactive"),
        ("configure", False, "inactive"),
        ("activate", True, "active"),
        ("cleanup", False, "active"),
        ("deactivate", True, "inactive"),
        ("activate", True, "active"),
        ("deactivate", True, "inactive"),
        ("cleanup", True, "unconfigured"),
        ("configure", True, "inactive"),
        ("activate", True, "active"),
    ]
    for transition, possible, state in way:
        assert probe.change(node.name, transition) is possible
        assert probe.state(node.name) == state


def offers_its_service_between_configure_and_cleanup(probe, node):
    client = probe.node.create_client(InferSlice, f"{node.name}/infer_slice")
    wait_until(client.service_is_ready, "the service is there while the node is active")
    assert probe.change(node.name, "deactivate")
    assert probe.change(node.name, "cleanup")
    wait_until(lambda: not client.service_is_ready(), "the service disappears")
    assert probe.change(node.name, "configure")
    wait_until(client.service_is_ready, "the service appears again")


@pytest.mark.parametrize(
    ("up_to", "ending"),
    [
        ((), signal.SIGTERM),
        (("configure",), signal.SIGINT),
        (("configure", "activate"), signal.SIGINT),
        (("configure", "activate"), signal.SIGTERM),
    ],
)
def test_a_signal_ends_a_node_cleanly_from_every_state(start_node, probe, up_to, ending):
    node = start_node("replay_supervisor")
    for transition in up_to:
        assert probe.change(node.name, transition)
    node.process.send_signal(ending)
    assert node.wait_end() == 0
    assert "Traceback" not in node.output()
    assert ending.name in node.output()


def test_a_shutdown_transition_is_answered_and_ends_the_process(start_node, probe):
    node = start_node("replay_supervisor")
    probe.bring_up(node.name)
    assert probe.change(node.name, "shutdown")
    assert node.wait_end() == 0


def test_a_transition_that_does_not_exist_is_refused_and_the_node_lives_on(failing, probe):
    request = Transition(id=99)
    assert not probe.call(ChangeState, f"{failing.name}/change_state", transition=request).success
    assert not probe.change(failing.name, "fly")
    assert probe.state(failing.name) == "unconfigured"


def test_a_failed_configure_leaves_nothing_behind_and_tells_why(anew, probe):
    node, status = anew(fail_in="setup"), probe.status("/ams/failing_node")
    assert not probe.change(node.name, "configure")
    told = status.wait_for(lambda m: "configure failed" in m.message, "the failure is told")
    assert (told.level, told.values[0].value) == (told.ERROR, "unconfigured")
    assert "fail_in: got 'setup'" in told.message
    client = probe.node.create_client(Trigger, f"{node.name}/probe")
    anew()
    probe.bring_up(node.name)
    wait_until(client.service_is_ready, "the service is there after the second configure")
    assert probe.call(Trigger, f"{node.name}/probe").success


def test_a_failed_activate_stays_inactive_with_its_thread_ended_and_can_be_tried_again(anew, probe):
    node = anew(fail_in="activate")
    assert probe.change(node.name, "configure")
    assert not probe.change(node.name, "activate")
    assert probe.state(node.name) == "inactive"
    assert "activation failed" in node.output()
    assert probe.set_parameters(node.name, fail_in="") == []
    assert probe.change(node.name, "activate")


@pytest.mark.parametrize("verb", ["deactivate", "teardown"])
def test_a_verb_that_cannot_undo_takes_the_node_through_error_to_unconfigured(anew, probe, verb):
    node, status = anew(), probe.status("/ams/failing_node")
    probe.bring_up(node.name)
    assert probe.set_parameters(node.name, fail_in=verb) == []
    transitions = {"deactivate": ["deactivate"], "teardown": ["deactivate", "cleanup"]}[verb]
    assert [probe.change(node.name, each) for each in transitions][-1] is False
    assert probe.state(node.name) == "unconfigured"
    status.wait_for(lambda m: m.level == m.ERROR and m.values[0].value == "unconfigured", "the error is told")
    anew()
    probe.bring_up(node.name)


def test_a_thread_that_dies_takes_the_node_to_unconfigured_with_the_reason(anew, probe):
    node, status = anew(thread_dies=True), probe.status("/ams/failing_node")
    probe.bring_up(node.name)
    assert probe.call(Trigger, f"{node.name}/probe").success
    told = status.wait_for(lambda m: "the worker broke" in m.message, "the death is told")
    assert told.level == told.ERROR
    assert told.values[0].value == "unconfigured"
    assert "deactivating because thread worker died: ValueError: the worker broke" in node.output()
    wait_until(lambda: probe.state(node.name) == "unconfigured", "the node is unconfigured")
    anew()
    probe.bring_up(node.name)


def test_a_callback_that_raises_takes_the_node_to_unconfigured_and_the_process_lives_on(anew, probe):
    node, status = anew(fail_in="callback"), probe.status("/ams/failing_node")
    probe.bring_up(node.name)
    client = probe.node.create_client(Trigger, f"{node.name}/probe")
    wait_until(client.service_is_ready, "the service appears")
    client.call_async(Trigger.Request())
    told = status.wait_for(lambda m: "a callback failed" in m.message, "the failure is told")
    assert "fail_in: got 'callback'" in told.message
    wait_until(lambda: probe.state(node.name) == "unconfigured", "the node is unconfigured")
    anew()
    probe.bring_up(node.name)


def test_a_parameter_out_of_range_or_read_only_is_refused_with_the_reason(failing, probe):
    assert "range" in probe.set_parameters(failing.name, rate=1000.0)[0]
    assert "read-only" in probe.set_parameters(failing.name, fixed=2)[0]
    assert probe.parameters(failing.name, "rate", "fixed") == {"rate": 10.0, "fixed": 1}


def test_a_parameter_that_is_read_at_configure_is_refused_afterwards_instead_of_taken_without_effect(anew, probe):
    node = anew()
    assert probe.set_parameters(node.name, rate=20.0) == []
    assert probe.change(node.name, "configure")
    assert "clean failing_node up first" in probe.set_parameters(node.name, rate=30.0)[0]
    assert probe.parameters(node.name, "rate") == {"rate": 20.0}
    assert probe.change(node.name, "cleanup")
    assert probe.set_parameters(node.name, rate=10.0) == []


@pytest.mark.parametrize(
    ("argument", "words"), [("rate:=1000.0", ["1000.0", "1.0 to 100.0"]), ("rate:=soon", ["soon"])]
)
def test_a_wrong_start_value_ends_the_process_with_a_sentence(domain, argument, words):
    command = [sys.executable, str(ROOT / "test" / "failing_node.py"), "--ros-args", "-p", argument]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in ("error:", "rate", *words))
