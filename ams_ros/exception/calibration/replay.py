"""Playing a run to the rules, to find out with which limits each of them would have stopped it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.exception.calibration.run import Arrived, Begun, Run, RunEvent
from ams_ros.exception.detector import Detector
from ams_ros.exception.rule import Rule, Violation, WatchedRobot, WrenchRule
from ams_ros.exception.settings import limit_of, thresholds
from ams_ros.exception.threshold_file import RuleSetting, RuleSettings
from ams_ros.types import JointSample


@dataclass(frozen=True, slots=True)
class RunScore:
    """What became of one run.

    critical: by rule and threshold the largest limit with which the rule would have stopped the run; with that limit or
    a larger one it lets the run pass. alarms: rules without learned thresholds that would have stopped it.
    """

    name: str
    critical: Mapping[tuple[str, str], float]
    alarms: frozenset[str]


class Replay:
    """Plays runs to the very detector of the exception monitor, each to one of its own."""

    def __init__(self, robot: WatchedRobot, rules: RuleSettings) -> None:
        """rules: which run; what calibration may learn is out of reach, so that it hides no other rule's alarm."""
        self._robot = robot
        self._rules = {name: _out_of_reach(setting) for name, setting in rules.items()}
        detector = Detector(robot, self._rules)
        self.off = detector.off
        """What this robot cannot be asked, and why."""
        self.learnable = tuple((rule.name, name) for rule in detector.rules for name in rule.compared())
        """Rule and name of every threshold that can be learned for this robot."""

    def score(self, run: Run) -> RunScore:
        """Play a run. Raises ConfigurationError for one that is not of this robot or whose clock was set back."""
        detector = Detector(self._robot, self._rules)
        traces = [_Trace(rule) for rule in detector.rules if rule.compared()]
        alarms: set[str] = set()
        for event in run.events:
            try:
                found = feed(detector, event)
            except ValueError as error:
                raise ConfigurationError(run.name, str(error), f"a run of {self._robot.profile.name}") from error
            if found is not None:
                alarms.add(found.rule)
            if isinstance(event, Arrived):
                for trace in traces:
                    trace.take(event, detector)
        critical = {key: value for trace in traces for key, value in trace.critical(run.name).items()}
        return RunScore(run.name, critical, frozenset(alarms))


def alarms(robot: WatchedRobot, rules: RuleSettings, run: Run) -> frozenset[str]:
    """The rules that stop a run with these settings; of several at one sample the first."""
    detector = Detector(robot, rules)
    found = [feed(detector, event) for event in run.events]
    return frozenset(each.rule for each in found if each is not None)


def feed(detector: Detector, event: RunEvent) -> Violation | None:
    """Hand one event of a run to a detector. Raises ValueError for a plan of another arm."""
    if isinstance(event, Begun):
        detector.begin(event.plan, event.stamp)
        return None
    if not isinstance(event, Arrived):
        return detector.end(event.stamp)
    late = detector.tick(event.arrival)
    if isinstance(event.sample, JointSample):
        found = detector.joint_sample(event.sample, event.arrival)
    else:
        found = detector.wrench_sample(event.sample, event.arrival)
    return found or late


class _Trace:
    """What one rule compared with its limits, sample by sample."""

    def __init__(self, rule: Rule) -> None:
        self._rule, self._wrench = rule, isinstance(rule, WrenchRule)
        self._width = {name: len(values) for name, values in rule.compared().items()}
        self._values = {name: array("d") for name in self._width}
        self._stamps, self._heard = array("d"), bytearray()

    def take(self, event: Arrived, detector: Detector) -> None:
        """Note the newest sample, if it is one this rule looks at and the detector took it."""
        state = detector.state
        if isinstance(event.sample, JointSample) == self._wrench or state.stamp != event.sample.stamp:
            return
        self._stamps.append(state.stamp)
        self._heard.append(state.executing or detector.moving)
        for name, values in self._rule.compared().items():
            self._values[name].extend(values)

    def critical(self, run: str) -> dict[tuple[str, str], float]:
        """The largest limit, by rule and threshold, that would have stopped the run."""
        stamps, heard = np.array(self._stamps), np.frombuffer(bytes(self._heard), dtype=np.bool_)
        if (np.diff(stamps) < 0.0).any():
            raise ConfigurationError(run, "stamps that go back", "a run during which no clock was set back")
        debounce = self._rule.debounce
        if debounce is None or not len(stamps):
            return {}
        return {
            (self._rule.name, name): debounce.critical(stamps, np.array(values).reshape(-1, self._width[name]), heard)
            for name, values in self._values.items()
        }


def _out_of_reach(setting: RuleSetting) -> RuleSetting:
    learned = {each.name: limit_of(each).maximum for each in thresholds(setting.thresholds) if limit_of(each).learned}
    return replace(setting, thresholds=replace(setting.thresholds, **learned)) if learned else setting
