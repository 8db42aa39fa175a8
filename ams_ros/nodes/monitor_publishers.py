"""What the exception monitor tells of itself: its state, its diagnostics, and how near each rule is to its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Float64, Header

from ams_ros.exception.detector import Detector
from ams_ros.exception.guard import ExceptionGuard, GuardState
from ams_ros.msg import MonitorState as MonitorStateMessage
from ams_ros.nodes.exception_conversions import state_message
from ams_ros.nodes.lifecycle import LATCHED, AmsNode
from ams_ros.nodes.sample_meter import Reading

_LEVELS = {GuardState.WATCHING: DiagnosticStatus.OK, GuardState.RECOVERING: DiagnosticStatus.WARN}


class StatePublisher:
    """Publishes ~/state whenever it changes, latched."""

    def __init__(self, node: AmsNode) -> None:
        """To be made in the node's _setup."""
        self._node = node
        self._publisher = node.create_publisher(MonitorStateMessage, "~/state", LATCHED)
        self._told: tuple[str, bool, int, str] | None = None

    def tell(self, guard: ExceptionGuard) -> None:
        """Publish what is new; cheap when nothing is."""
        number = guard.exception.number if guard.exception is not None else 0
        present = (guard.state.value, guard.shadow, number, guard.message)
        if present == self._told:
            return
        self._told = present
        state, shadow, number, message = present
        stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(state_message(state, shadow=shadow, number=number, message=message, stamp=stamp))


class MarginPublishers:
    """Publishes ~/margin/<rule> for plots, as long as somebody listens."""

    def __init__(self, node: AmsNode, detector: Detector) -> None:
        """To be made in the node's _setup."""
        names = detector.margins()
        self._publishers = {name: node.create_publisher(Float64, f"~/margin/{name}", 10) for name in names}

    def tell(self, detector: Detector) -> None:
        """Publish the margins that somebody listens to."""
        wanted = [each for each in self._publishers.items() if each[1].get_subscription_count()]
        if not wanted:
            return
        margins = detector.margins()
        for name, publisher in wanted:
            publisher.publish(Float64(data=float(margins.get(name, 0.0))))


@dataclass(frozen=True, slots=True)
class Present:
    """What the diagnostics tell that neither guard nor detector know.

    concern: what is wrong without being in the way of work; empty for nothing. scheduling, and how each node that is
    needed is: in words.
    """

    joints: Reading
    wrench: Reading
    scheduling: str
    needed: Mapping[str, str]
    concern: str


class DiagnosticsPublisher:
    """Publishes /diagnostics."""

    def __init__(self, node: AmsNode, hardware: str) -> None:
        """To be made in the node's _setup. hardware: name of the driver."""
        self._node, self._hardware = node, hardware
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)

    def tell(self, guard: ExceptionGuard, detector: Detector, present: Present) -> None:
        """Publish how things are."""
        header = Header(stamp=self._node.get_clock().now().to_msg())
        parts = (self._stop(guard, present), self._rules(detector), self._timing(present))
        self._publisher.publish(DiagnosticArray(header=header, status=list(parts)))

    def _stop(self, guard: ExceptionGuard, present: Present) -> DiagnosticStatus:
        level = _LEVELS.get(guard.state, DiagnosticStatus.ERROR)
        if level == DiagnosticStatus.OK and (present.concern or guard.shadow):
            level = DiagnosticStatus.WARN
        shadow = "shadow mode: exceptions are told and nothing is stopped" if guard.shadow else ""
        message = "; ".join(filter(None, (guard.message, shadow, present.concern))) or guard.state.value
        values = {"state": guard.state.value, "shadow": str(guard.shadow).lower()}
        values |= {f"needed node {name}": how for name, how in present.needed.items()}
        if guard.exception is not None:
            force = guard.exception
            values |= {
                "exception": str(force.number),
                "kind": force.kind.name.lower(),
                "severity": force.severity.value,
                "rule": force.rule,
                "why": force.message,
                "stopped": str(force.stopped).lower(),
            }
        return self._status("stop", level, message, values)

    def _rules(self, detector: Detector) -> DiagnosticStatus:
        margins, off = detector.margins(), detector.off
        values = {name: f"margin {margin:.3f}" for name, margin in margins.items() if name not in off}
        values |= {name: f"off: {why}" for name, why in off.items()}
        message = f"{len(values) - len(off)} rules watch, {len(off)} are off"
        silenced = [name for name in off if name in detector.settings and not detector.settings[name].enabled]
        if silenced:
            message += f"; switched off: {', '.join(silenced)}"
        level = DiagnosticStatus.WARN if silenced else DiagnosticStatus.OK
        return self._status("rules", level, message, values)

    def _timing(self, present: Present) -> DiagnosticStatus:
        values = {"scheduling": present.scheduling}
        for name, reading in (("joint states", present.joints), ("wrenches", present.wrench)):
            values[f"{name}, Hz"] = f"{reading.rate:.1f}"
            times = (reading.median, reading.p99, reading.longest)
            values[f"{name}, rule time p50 / p99 / longest, ms"] = " / ".join(f"{1e3 * each:.3f}" for each in times)
        return self._status("timing", DiagnosticStatus.OK, f"scheduling {present.scheduling}", values)

    def _status(self, part: str, level: bytes, message: str, values: Mapping[str, str]) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=level,
            name=f"{self._node.get_fully_qualified_name()}: {part}",
            hardware_id=self._hardware,
            message=message,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
