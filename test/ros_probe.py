"""What integration tests touch a running graph with: node processes, and a probe that talks to them over real DDS."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters
from rclpy.experimental import EventsExecutor
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.task import Future

from ams_ros.nodes.goal_client import GoalClient

ROOT = Path(__file__).resolve().parent.parent
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SENSOR = qos_profile_sensor_data


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    """Poll until `condition()` holds; fails naming `what`."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"within {timeout} s this did not happen: {what}"
        time.sleep(0.005)


class Messages:
    """Everything received on one topic so far."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.all: list[Any] = []

    def wait_for(self, condition: Callable[[Any], bool], what: str, timeout: float = 10.0) -> Any:
        """The first message, received already or yet to come, that fulfils `condition`."""
        found: list[Any] = []

        def seen() -> bool:
            found[:] = [message for message in list(self.all) if condition(message)][:1]
            return bool(found)

        wait_until(seen, f"{self.topic}: {what}; {len(self.all)} messages came", timeout)
        return found[0]


class Probe:
    """A ROS node that spins in its own thread; every wait is bounded and fails with a sentence."""

    def __init__(self, name: str = "probe") -> None:
        self._context = rclpy.Context()
        self._context.init()
        self.node = rclpy.create_node(name, context=self._context)
        self._executor = EventsExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._closed = Future()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self._clients: dict[str, Any] = {}
        self._actions: dict[str, GoalClient] = {}

    def _spin(self) -> None:
        while not self._closed.done():
            self._executor.spin_until_future_complete(self._closed, timeout_sec=1.0)

    def close(self) -> None:
        self._closed.set_result(None)
        self._thread.join(5.0)
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def wait(self, future: Future, what: str, timeout: float = 10.0) -> Any:
        """The result of a future of this node."""
        wait_until(future.done, what, timeout)
        return future.result()

    def client(self, kind: Any, name: str, timeout: float = 10.0) -> Any:
        """A client whose service is there and knows it."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
            self._meet(name, self._clients[name].service_is_ready, timeout)
        wait_until(self._clients[name].service_is_ready, f"service {name} appears", timeout)
        return self._clients[name]

    def meet(self, name: str, timeout: float = 10.0) -> None:
        """Return when a node that serves `name`, after one before it was killed, knows the clients made here."""
        self._meet(name, lambda: True, timeout)

    def _meet(self, name: str, ready: Callable[[], bool], timeout: float) -> None:
        """Return when the node that serves `name` has discovered every client made here so far.

        A server that has not discovered its client loses the answer, which happens to a first call on a busy machine.
        Endpoints are discovered in the order they were made, so once a younger client gets an answer, all do.
        """
        wait_until(ready, f"{name} appears", timeout)
        parameters = f"{name.rpartition('/')[0]}/get_parameters"
        if self.node.count_services(parameters) == 0:
            return  # named unlike its node, as controllers are
        self._ask_until_answered(GetParameters, parameters, max(timeout, 10.0))

    def meet_again(self, node: str, timeout: float = 60.0) -> None:
        """Return when a node that was killed and started anew answers and has discovered every client made here.

        For some time DDS shows the services of the dead one, so that their being there says nothing.
        """
        self._ask_until_answered(GetState, f"{node}/get_state", timeout)

    def _ask_until_answered(self, kind: Any, name: str, timeout: float) -> None:
        young = self.node.create_client(kind, name)
        answered = threading.Event()

        def asked() -> bool:
            young.call_async(kind.Request()).add_done_callback(lambda _: answered.set())
            return answered.wait(0.5)

        wait_until(asked, f"{name} answers", timeout)
        self.node.destroy_client(young)

    def call(self, kind: Any, name: str, timeout: float = 10.0, **fields: Any) -> Any:
        """Call a service with a request made of `fields`."""
        client = self.client(kind, name, timeout)
        return self.wait(client.call_async(kind.Request(**fields)), f"service {name} answers", timeout)

    def change(self, node: str, transition: str, timeout: float = 60.0) -> bool:
        """Ask a lifecycle node for a transition (configure, activate, ...); whether it was made."""
        request = Transition(label=transition)
        return bool(self.call(ChangeState, f"{node}/change_state", timeout, transition=request).success)

    def state(self, node: str) -> str:
        """The lifecycle state of a node."""
        return str(self.call(GetState, f"{node}/get_state").current_state.label)

    def status(self, node: str) -> Messages:
        """The messages of `<node>/status` (diagnostic_msgs/DiagnosticStatus), the last one included."""
        return self.listen(DiagnosticStatus, f"{node}/status", LATCHED)

    def bring_up(self, node: str) -> None:
        """Configure and activate."""
        status = self.status(node)
        for transition in ("configure", "activate"):
            assert self.change(node, transition), f"{node} refused to {transition}: {[m.message for m in status.all]}"

    def set_parameters(self, node: str, **values: Any) -> list[str]:
        """Set parameters; returns the reasons of those refused. A dot in a name is written as two underscores."""
        parameters = [Parameter(k.replace("__", "."), value=v).to_parameter_msg() for k, v in values.items()]
        results = self.call(SetParameters, f"{node}/set_parameters", parameters=parameters).results
        return [result.reason for result in results if not result.successful]

    def parameters(self, node: str, *names: str) -> dict[str, Any]:
        """The present values of parameters, by name."""
        values = self.call(GetParameters, f"{node}/get_parameters", names=list(names)).values
        return {name: parameter_value_to_python(value) for name, value in zip(names, values, strict=True)}

    def parameter_names(self, node: str) -> list[str]:
        """The names of all parameters of a node."""
        return list(self.call(ListParameters, f"{node}/list_parameters").result.names)

    @contextmanager
    def reconfigured(self, node: str, **values: Any) -> Iterator[None]:
        """Run the block with an active node configured with other parameters; afterwards it is as it was before."""
        before = self.parameters(node, *(name.replace("__", ".") for name in values))
        self.reconfigure(node, **values)
        try:
            yield
        finally:
            self.reconfigure(node, **{name.replace(".", "__"): value for name, value in before.items()})

    def reconfigure(self, node: str, **values: Any) -> None:
        """Take a node to unconfigured, set parameters, and bring it up again."""
        steps = {"active": ("deactivate", "cleanup"), "inactive": ("cleanup",)}
        for transition in steps.get(self.state(node), ()):
            assert self.change(node, transition), f"{node} refused to {transition}"
        # A request sent to the server that is just going away would be lost.
        for name, action in self._actions.items():
            if name.startswith(f"{node}/"):
                wait_until(lambda action=action: not action.server_is_ready(), f"{name} disappears")
        assert self.set_parameters(node, **values) == []
        self.bring_up(node)

    def listen(self, kind: Any, topic: str, qos: QoSProfile | int = 10) -> Messages:
        """Collect the messages of a topic from now on."""
        messages = Messages(topic)
        self.node.create_subscription(kind, topic, messages.all.append, qos)
        return messages

    def send_goal(self, kind: Any, name: str, goal: Any, feedback: Callable[[Any], None] | None = None) -> Any:
        """Send a goal; returns the goal handle (look at .accepted) once the server has answered."""
        return self.wait(self.send_goal_async(kind, name, goal, feedback), f"action {name} answers the goal")

    def send_goal_async(self, kind: Any, name: str, goal: Any, feedback: Callable[[Any], None] | None = None) -> Future:
        """Send a goal without waiting for its acceptance."""
        return self.action(kind, name).send_goal_async(goal, feedback_callback=feedback)

    def action(self, kind: Any, name: str) -> GoalClient:
        """A client of an action whose server is there and knows it."""
        if name not in self._actions:
            self._actions[name] = GoalClient(self.node, kind, name)
            self._meet(name, self._actions[name].server_is_ready, 10.0)
        wait_until(self._actions[name].server_is_ready, f"action {name} appears")
        return self._actions[name]

    def result(self, goal_handle: Any, timeout: float = 30.0) -> Any:
        """The result response of an accepted goal (.status, .result)."""
        return self.wait(goal_handle.get_result_async(), "the goal ends", timeout)

    def cancel(self, goal_handle: Any, timeout: float = 10.0) -> Any:
        """Cancel a goal; returns the server's CancelGoal response."""
        return self.wait(goal_handle.cancel_goal_async(), "the cancel request is answered", timeout)


class NodeProcess:
    """One node under test in a process of its own: module of ams_ros.nodes, or a file beside this one."""

    def __init__(self, module: str, parameters: dict[str, Any] | Path, namespace: str, folder: Path) -> None:
        self.name = f"{namespace.rstrip('/')}/{module}"
        self._log = folder / f"{module}.log"
        parameters_file = parameters if isinstance(parameters, Path) else folder / f"{module}.yaml"
        if isinstance(parameters, dict):
            parameters_file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
        beside = Path(__file__).parent / f"{module}.py"
        program = [str(beside)] if beside.exists() else ["-m", f"ams_ros.nodes.{module}"]
        command = [sys.executable, *program, "--ros-args", "-r", f"__ns:={namespace}"]
        if parameters:
            command += ["--params-file", str(parameters_file)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    def output(self) -> str:
        """What it has printed and logged so far."""
        return self._log.read_text(errors="replace")

    def wait_ready(self, probe: Probe, timeout: float = 120.0) -> None:
        """Return when the node's services are there; fails with its output when it dies first."""
        client = probe.node.create_client(GetParameters, f"{self.name}/get_parameters")

        def ready() -> bool:
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.output()}"
            return bool(client.service_is_ready())

        wait_until(ready, f"{self.name} starts", timeout)

    def stop(self, timeout: float = 30.0) -> int:
        """End it as a user does, by SIGINT; returns the exit code. Kills it when it does not obey, and fails."""
        if self.process.poll() is None:
            # A test may have left it frozen.
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
        return self.wait_end(timeout)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Run the block while the process neither computes nor answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def wait_end(self, timeout: float = 15.0) -> int:
        """Wait for it to end by itself; returns the exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout} s:\n{self.output()}") from None
        finally:
            self.process.kill()
            self.process.wait()
