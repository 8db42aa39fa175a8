"""A running graph: the nodes of the list as processes, brought to `active` and down again in order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import ListParameters
from rclpy.qos import DurabilityPolicy, QoSProfile

from ams_ros.cli.graph_claim import GraphClaim
from ams_ros.cli.graph_processes import DeadNode, GraphProcesses
from ams_ros.cli.lifecycle import change_state, state_of
from ams_ros.cli.ros_session import RosSession, nothing
from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.nodes.graph import GraphNode, load_graph, overlay_of

START_SECONDS = 60.0
"""A node's process must offer its lifecycle services within this time; imports on a cold disk are the slow part."""
TRANSITION_SECONDS = 120.0
"""Longest transition: loading a policy of the published size."""
STATUS_QOS = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
STOP_SECONDS = 3.0
"""A node that does not deactivate or clean up within this time is terminated."""


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """How a graph is started.

    namespace: of all nodes; None takes the one of the node list.
    speed: of simulated time against real time; 0 means as fast as the machine allows. Needs use_sim_time unless 1.
    policy: name or folder of the checkpoint; None takes the configured one.
    robot: whose file under config/overlays is read on top of the parameters; None: those of the parameters alone.
    settings: ("node.parameter", value as YAML) pairs that go before the parameters file.
    """

    namespace: str | None = None
    speed: float | None = None
    use_sim_time: bool = False
    policy: str | None = None
    robot: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    log_level: str = "info"

    def parameters(self, node: str) -> dict[str, str]:
        """Parameter overrides of one node, as YAML text by name."""
        chosen = {"use_sim_time": "true"} if self.use_sim_time else {}
        if node == "simulated_robot" and self.speed is not None:
            chosen["speed"] = repr(self.speed)
        if node == "inference" and self.policy is not None:
            chosen["policy"] = self.policy
        prefix = f"{node}."
        return chosen | {key[len(prefix) :]: value for key, value in self.settings if key.startswith(prefix)}


def listed_namespace(given: str | None) -> str:
    """The namespace that was given, or that of the node list."""
    return given or load_graph()[0].namespace


_DECLARED_LATE = "rules."
"""How the parameters begin that the exception monitor declares when it knows its robot."""


class Graph:
    """Start with `with Graph(...) as graph`; leaving stops every node, however the block ended.

    tell: is given a line for every step worth a person's eye.
    check: called often while waiting; what it raises (Ctrl-C) stops the graph.
    """

    def __init__(self, options: GraphOptions, tell: Callable[[str], None], check: Callable[[], None] = nothing) -> None:
        """Read the node list; raises ConfigurationError for a setting of a node that is not in it."""
        self.options, self._tell, self._check = options, tell, check
        self._nodes = load_graph()
        self._overlay = None if options.robot is None else overlay_of(options.robot)
        self.namespace = listed_namespace(options.namespace)
        names = [node.name for node in self._nodes]
        for key, value in options.settings:
            if key.partition(".")[0] not in names or not key.partition(".")[2]:
                raise ConfigurationError("--set", f"{key}={value}", f"NODE.PARAMETER=VALUE, NODE one of {names}")
        stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
        base = Path(os.environ.get("ROS_LOG_DIR") or Path(os.environ.get("ROS_HOME") or "~/.ros").expanduser() / "log")
        self.log_folder = base / f"ams_{stamp}_{os.getpid()}"
        self._claim: GraphClaim | None = None
        self.processes = GraphProcesses(self.log_folder)
        self.dead: DeadNode | None = None
        self._session: RosSession | None = None
        self._complaints: dict[str, str] = {}

    def __enter__(self) -> Graph:
        self._claim = GraphClaim(self.namespace)
        try:
            self._session = RosSession(self.watch)
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def session(self) -> RosSession:
        """The session that watches the nodes while it waits."""
        assert self._session is not None, "the graph is not running"
        return self._session

    def watch(self) -> None:
        """Raise RobotError when a node has died, and whatever `check` raises."""
        self.dead = self.processes.first_dead()
        if self.dead is not None:
            raise self.dead.error()
        self._check()

    def states(self) -> dict[str, str]:
        """Lifecycle state by node name."""
        return {node.name: state_of(self.session, self._full_name(node)) for node in self._nodes}

    def _full_name(self, node: GraphNode) -> str:
        return f"{self.namespace}/{node.name}"

    def _start(self) -> None:
        for node in self._nodes:
            self.processes.start(node.name, node.executable, self._ros_arguments(node))
            self._tell(f"{node.name}: started, process {self.processes.identifiers[node.name]}")
            self._listen(node)
        for node in self._nodes:
            self._wait_for(node)
        self._refuse_double()
        self._refuse_unknown_settings(late=False)
        self._bring_all("configure", "configured")
        self._refuse_unknown_settings(late=True)
        self._bring_all("activate", "active")

    def _ros_arguments(self, node: GraphNode) -> tuple[str, ...]:
        arguments = ["--ros-args", "-r", f"__ns:={self.namespace}", "-r", f"__node:={node.name}"]
        arguments += ["--log-level", self.options.log_level, "--params-file", str(node.parameters)]
        if self._overlay is not None:
            arguments += ["--params-file", str(self._overlay)]
        for name, value in self.options.parameters(node.name).items():
            arguments += ["-p", f"{name}:={value}"]
        return tuple(arguments)

    def _wait_for(self, node: GraphNode) -> None:
        if not self.session.offered(ChangeState, f"{self._full_name(node)}/change_state", START_SECONDS):
            raise RobotError(
                f"node {node.name} runs but did not appear in ROS within {START_SECONDS:g} s: "
                f"see {self.processes.log(node.name)}; `ams doctor` checks whether processes here can reach each other"
            )

    def _refuse_double(self) -> None:
        seen = self.session.node.get_node_names_and_namespaces()
        for node in self._nodes:
            if seen.count((node.name, self.namespace)) > 1:
                raise RobotError(
                    f"another {self._full_name(node)} is in ROS domain {os.environ.get('ROS_DOMAIN_ID') or '0'}, "
                    "started by launch or on another machine: stop it, or use another ROS_DOMAIN_ID"
                )

    def _bring_all(self, transition: str, reached: str) -> None:
        for node in self._nodes:
            self._bring(node, transition)
            self._tell(f"{node.name}: {reached}")

    def _bring(self, node: GraphNode, transition: str) -> None:
        if change_state(self.session, self._full_name(node), transition, TRANSITION_SECONDS):
            return
        # The node tells why on a topic of its own, which may arrive after the answer.
        self.session.until(lambda: node.name in self._complaints, 2.0)
        reason = self._complaints.get(node.name, f"could not {transition} and gave no reason")
        raise RobotError(f"node {node.name}: {reason} (log: {self.processes.log(node.name)})")

    def _listen(self, node: GraphNode) -> None:
        def told(status: DiagnosticStatus) -> None:
            if status.level == DiagnosticStatus.ERROR:
                self._complaints[node.name] = status.message
                self._tell(f"{node.name}: {status.message}")

        self.session.node.create_subscription(DiagnosticStatus, f"{self._full_name(node)}/status", told, STATUS_QOS)

    def _refuse_unknown_settings(self, *, late: bool) -> None:
        """late: those that a node declares when it is configured, and the others otherwise."""
        for key, value in self.options.settings:
            node, _, parameter = key.partition(".")
            if parameter.startswith(_DECLARED_LATE) is not late:
                continue
            service = f"{self.namespace}/{node}/list_parameters"
            response = self.session.call(ListParameters, service, ListParameters.Request(), 5.0, "is the node busy?")
            if parameter not in response.result.names:
                known = ", ".join(sorted(name for name in response.result.names if not name.startswith("qos_")))
                raise ConfigurationError("--set", f"{key}={value}", f"parameters of {node}: {known}")

    def stop(self) -> None:
        """Deactivate and clean up in reverse order, then end the processes; bounded, and safe to call twice."""
        if self._session is not None:
            self._session.watch = nothing
            for node in reversed(self._nodes):
                self._take_down(node)
            self._session.close()
            self._session = None
        for name in self.processes.stop():
            self._tell(f"{name}: did not end when asked, killed")
        if self._claim is not None:
            self._claim.__exit__(None, None, None)
            self._claim = None

    def _take_down(self, node: GraphNode) -> None:
        if node.name not in self.processes.identifiers or not self.processes.alive(node.name):
            return
        if not self.session.offered(GetState, f"{self._full_name(node)}/get_state", 0.0):
            return  # it has not come so far that there were anything to undo
        steps = {"active": ("deactivate", "cleanup"), "inactive": ("cleanup",)}
        try:
            for transition in steps.get(state_of(self.session, self._full_name(node), STOP_SECONDS), ()):
                change_state(self.session, self._full_name(node), transition, STOP_SECONDS)
        except RobotError as error:
            self._tell(f"{node.name}: {error}")
