"""The one lifecycle discipline of all AMS nodes.

A node subclasses AmsNode, lists its parameters in SETTINGS and fills four verbs:

    _setup()             configure: validate parameters, load what is needed, create publishers, services, clients
    _activate()          begin to work
    _deactivate(reason)  stop working; whoever was waiting for the node is told `reason`
    _teardown()          let go of what _setup made, ROS entities and threads excepted: the base removes those

All four run in the transition thread, one at a time, while the executor keeps spinning: they may load a file for
seconds or wait for an answer of another node. _deactivate and _teardown must bear being called after an _activate or
_setup that broke off in the middle. Raise an AmsError to refuse a transition; its text reaches the log and `~/status`
(diagnostic_msgs/DiagnosticStatus, latched), and the node stays where it was, ready for another try.

`ams_ros.nodes.process.run_node(NodeClass)` runs one as a process. A service whose answer takes time uses
`deferred_service.defer_replies`. The execute callback of an action server is a coroutine that awaits a future of
`handoff.Handoff`, which a thread completes.
"""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from lifecycle_msgs.msg import State
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future

from ams_ros.errors import AmsError
from ams_ros.nodes.deferred_service import Reply, defer_replies
from ams_ros.nodes.parameters import Setting, declare
from ams_ros.nodes.supervised_thread import SupervisedThread
from ams_ros.robot.stop_request import StopRequest

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

_SUCCESS = TransitionCallbackReturn.SUCCESS
_FAILURE = TransitionCallbackReturn.FAILURE
_ERROR = TransitionCallbackReturn.ERROR


class AmsNode(LifecycleNode):
    """A lifecycle node whose transitions are owned here; see the module's text."""

    SETTINGS: tuple[Setting, ...] = ()

    def __init__(self, name: str) -> None:
        """Declare the parameters and wait for transitions; raises ConfigurationError for a wrong start value."""
        super().__init__(name)
        settings = self._settings()
        declare(self, settings)
        self.status_values: dict[str, str] = {}
        """What ~/status says beside the message and the state; set in _setup, emptied in _teardown."""
        self._concern, self._told_state = "", "unconfigured"
        self._tell_lock = threading.Lock()
        self.finalized = Future()
        """Done when the node has come to its end; the result says whether everything was undone on the way."""
        self._status = self.create_publisher(DiagnosticStatus, "~/status", LATCHED)
        self._stop = StopRequest()
        self._failing = False
        self._clean = True
        self._begun_setup = self._begun_activity = False
        self._setup_threads: list[SupervisedThread] = []
        self._activity_threads: list[SupervisedThread] = []
        defer_replies(self._service_change_state, self._queue_change)
        self._permanent: set[Any] = set()
        self._fixed = {setting.name for setting in settings if not setting.live}
        self.add_on_set_parameters_callback(self._refuse_late)
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run_jobs, name="transitions", daemon=True).start()
        self._tell(DiagnosticStatus.OK, "unconfigured", "started")

    # What a node fills.

    def _settings(self) -> tuple[Setting, ...]:
        """What to declare; a node whose parameters depend on one of them declares that one here, and then looks."""
        return self.SETTINGS

    def _setup(self) -> None:
        """Configure."""

    def _activate(self) -> None:
        """Begin to work."""

    def _deactivate(self, reason: str) -> None:
        """Stop working, for `reason`."""

    def _teardown(self) -> None:
        """Undo _setup."""

    # What a node calls.

    def setting(self, name: str) -> Any:
        """The present value of a parameter of SETTINGS."""
        return self.get_parameter(name).value

    def start_thread(self, name: str, loop: Callable[[StopRequest], None]) -> SupervisedThread:
        """Run `loop(stop)` until _deactivate is done (when called by _activate) or _teardown (when by _setup).

        The thread is told to stop after the node's own verb ran. If it ends on its own, the node fails.
        """
        thread = SupervisedThread(name, loop, self.fail)
        (self._activity_threads if self._begun_activity else self._setup_threads).append(thread)
        return thread

    def request_stop(self, reason: str) -> None:
        """Note why the running activity ends; the first reason stays and is the one _deactivate gets."""
        self._stop.request(reason)

    def fail(self, reason: str) -> None:
        """Take the node through error to unconfigured, for `reason`; from any thread, returns at once."""
        self.request_stop(reason)
        self.get_logger().error(reason)
        self._jobs.put(self._enter_error)

    def set_concern(self, concern: str) -> None:
        """Say on ~/status, as a warning, what is wrong without being in the way of work; empty: it is over.

        Every later status repeats it until it is over. From any thread.
        """
        self._concern = concern
        self._tell(DiagnosticStatus.OK, None, "" if concern else "all is well again")

    def end(self, reason: str) -> None:
        """Take the node to finalized from wherever it is; from any thread, returns at once."""
        self.request_stop(reason)
        self._jobs.put(lambda: self._end(reason))

    def on_executor(self, call: Callable[[], None]) -> None:
        """Run `call` on the executor's thread, between two callbacks, and return when it is done.

        For the four verbs; never from the executor's own thread, which would wait for itself.
        """
        done = threading.Event()

        def run() -> None:
            try:
                call()
            finally:
                done.set()

        self.executor.create_task(run)
        if not done.wait(5.0):
            raise AmsError("the executor did not get to it within 5 s: a callback holds it")

    @property
    def state_label(self) -> str:
        """unconfigured, inactive, active, finalized, or a transition state such as configuring."""
        return str(self._state_machine.current_state[1])

    def _refuse_late(self, parameters: list[Parameter]) -> SetParametersResult:
        """Refuse what would have no effect, instead of taking it silently."""
        late = (
            [parameter.name for parameter in parameters if parameter.name in self._fixed] if self._begun_setup else []
        )
        reason = f"{', '.join(late)}: read at configure; clean {self.get_name()} up first" if late else ""
        return SetParametersResult(successful=not late, reason=reason)

    # Transitions, called by rclpy in the transition thread.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run _setup; on any error undo it and stay unconfigured."""
        self._failing = False
        self._stop = StopRequest()
        # Taken now rather than at construction, because rclpy makes entities of its own, such as one for /clock.
        self._permanent = self._entities()
        self._begun_setup = True
        try:
            self._setup()
            super().on_configure(state)
        except Exception as error:  # rclpy would swallow it
            self._refuse("configure", "unconfigured", error)
            self._attempt(self._end_setup)
            return _FAILURE
        self._tell(DiagnosticStatus.OK, "inactive", "configured")
        return _SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run _activate; on any error undo it and stay inactive."""
        self._stop = StopRequest()
        self._begun_activity = True
        try:
            super().on_activate(state)
            self._activate()
        except Exception as error:
            self._refuse("activate", "inactive", error)
            self.request_stop(f"activation failed: {error}")
            self._attempt(self._end_activity)
            super().on_deactivate(state)
            return _FAILURE
        self._tell(DiagnosticStatus.OK, "active", "activated")
        return _SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run _deactivate with the first reason given."""
        self.request_stop("the node was deactivated")
        done = self._attempt(self._end_activity)
        super().on_deactivate(state)
        if self._failing or not done:
            return _ERROR
        self._tell(DiagnosticStatus.OK, "inactive", self._stop.reason)
        return _SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run _teardown and remove every entity made since configure."""
        done = self._attempt(self._end_setup)
        if self._failing or not done:
            return _ERROR
        self._tell(DiagnosticStatus.OK, "unconfigured", "cleaned up")
        return _SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and clean up from any state."""
        self.request_stop("the node was shut down")
        done = self._attempt(self._end_activity)
        super().on_deactivate(state)
        done = self._attempt(self._end_setup) and done
        self._tell(DiagnosticStatus.OK if done else DiagnosticStatus.ERROR, "finalized", self._stop.reason)
        return _SUCCESS if done else _ERROR

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Undo everything; the node is unconfigured afterwards and can be configured again."""
        undone = self._attempt(self._end_activity)
        undone = self._attempt(self._end_setup) and undone
        self._clean = undone
        label = "unconfigured" if undone else "finalized"
        self._tell(DiagnosticStatus.ERROR, label, self._stop.reason or "a transition failed")
        return _SUCCESS if undone else _FAILURE

    # Undoing.

    def _end_activity(self) -> None:
        if not self._begun_activity:
            return
        self._begun_activity = False
        reason = self._stop.reason
        threads, self._activity_threads = self._activity_threads, []
        self._all([lambda: self._deactivate(reason), *(lambda t=t: t.stop(reason) for t in threads)])

    def _end_setup(self) -> None:
        if not self._begun_setup:
            return
        self._begun_setup = False
        self._concern = ""
        threads, self._setup_threads = self._setup_threads, []
        stops = [lambda t=t: t.stop("the node is cleaned up") for t in threads]
        self._all([self._teardown, *stops, self._destroy_entities])

    def _all(self, steps: list[Callable[[], None]]) -> None:
        """Run every step even when one raises, then raise the first error."""
        first: Exception | None = None
        for step in steps:
            try:
                step()
            except Exception as error:
                self._log(error)
                first = first or error
        if first is not None:
            raise first

    def _attempt(self, undo: Callable[[], None]) -> bool:
        try:
            undo()
        except Exception as error:  # already logged by _all
            self.request_stop(f"{type(error).__name__}: {error}")
            return False
        return True

    def _entities(self) -> set[Any]:
        return {*self.publishers, *self.subscriptions, *self.services, *self.clients, *self.timers, *self.waitables}

    def _destroy_entities(self) -> None:
        """Remove what was created since configure: never under a callback."""

        def destroy() -> None:
            for kind, remove in {
                "publishers": self._destroy_publisher,
                "subscriptions": self.destroy_subscription,
                "services": self.destroy_service,
                "clients": self.destroy_client,
                "timers": self.destroy_timer,
                "waitables": lambda waitable: waitable.destroy(),
            }.items():
                for entity in [each for each in getattr(self, kind) if each not in self._permanent]:
                    remove(entity)

        self.on_executor(destroy)

    def _destroy_publisher(self, publisher: Any) -> None:
        managed = isinstance(publisher, LifecyclePublisher)
        (self.destroy_lifecycle_publisher if managed else self.destroy_publisher)(publisher)

    # The transition thread.

    def _run_jobs(self) -> None:
        while not self.finalized.done():
            job = self._jobs.get()
            try:
                job()
            except Exception as error:  # nobody else is left to hear it
                self._log(error)
            if self._state_machine.current_state[0] == State.PRIMARY_STATE_FINALIZED:
                self.finalized.set_result(self._clean)

    def _queue_change(self, request: Any, response: Any, reply: Reply) -> None:
        def change() -> None:
            response.success = self._change(request.transition.id, request.transition.label)
            reply(response)

        self._jobs.put(change)

    def _change(self, wanted: int, label: str) -> bool:
        """Run one requested transition; an impossible one is refused here, because rclpy would end the process."""
        triggers = {
            "configure": self.trigger_configure,
            "activate": self.trigger_activate,
            "deactivate": self.trigger_deactivate,
            "cleanup": self.trigger_cleanup,
            "shutdown": self.trigger_shutdown,
        }
        possible = {each[0]: each[1] for each in self._state_machine.available_transitions if each[1] in triggers}
        name = label or possible.get(wanted, "")
        if name not in possible.values():
            asked = label or f"with id {wanted}"
            allowed = ", ".join(possible.values()) or "none"
            self.get_logger().warning(f"transition {asked} is not possible in state {self.state_label}: {allowed} are")
            return False
        return bool(triggers[name]() == _SUCCESS)

    def _enter_error(self) -> None:
        self._failing = True
        try:
            if self.state_label == "active":
                self.trigger_deactivate()
            elif self.state_label == "inactive":
                self.trigger_cleanup()
        finally:
            self._failing = False

    def _end(self, reason: str) -> None:
        self.get_logger().info(f"stopping: {reason}")
        if self.state_label == "active":
            self.trigger_deactivate()
        if self.state_label == "inactive":
            self.trigger_cleanup()
        if self.state_label == "unconfigured":
            self.trigger_shutdown()

    # Telling.

    def _refuse(self, transition: str, stays: str, error: Exception) -> None:
        self._log(error)
        text = str(error) if isinstance(error, AmsError) else f"{type(error).__name__}: {error}"
        self._tell(DiagnosticStatus.ERROR, stays, f"{transition} failed: {text}")

    def _log(self, error: Exception) -> None:
        known = isinstance(error, AmsError)
        self.get_logger().error(str(error) if known else "".join(traceback.format_exception(error)).rstrip())

    def _tell(self, level: bytes, state: str | None, message: str) -> None:
        """state: None repeats the last one told, because in a transition the present one is neither here nor there."""
        # In one go, or a status made before a concern came up could be published after it.
        with self._tell_lock:
            self._told_state = state = state or self._told_state
            if self._concern and level == DiagnosticStatus.OK:
                level, message = DiagnosticStatus.WARN, "; ".join(filter(None, (message, self._concern)))
            values = {"state": state, **self.status_values}
            self._status.publish(
                DiagnosticStatus(
                    level=level,
                    name=self.get_fully_qualified_name(),
                    message=message,
                    values=[KeyValue(key=key, value=value) for key, value in values.items()],
                )
            )
