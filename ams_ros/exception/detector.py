"""The detector: feeds the rules with what the sensors say and tells the first reason to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ams_ros.errors import AmsError, ConfigurationError
from ams_ros.exception.needs import missing
from ams_ros.exception.plan import MotionPlan
from ams_ros.exception.reference import Reference
from ams_ros.exception.refusal import REPEATED, Refusal, RefusalRule
from ams_ros.exception.rule import Rule, Violation, WatchedRobot
from ams_ros.exception.rule_set import RULES
from ams_ros.exception.rules.condition import ConditionRule
from ams_ros.exception.rules.driver_state import DriverState
from ams_ros.exception.sample_intake import SampleIntake, Values
from ams_ros.exception.state import RobotState
from ams_ros.exception.threshold_file import RuleSetting, RuleSettings, checked_name
from ams_ros.types import JointSample, WrenchSample


class RuleFailure(AmsError):
    """A rule raised instead of judging: from now on nobody knows what it would have seen."""

    def __init__(self, rule: str, error: Exception) -> None:
        """rule: its name. error: what it raised."""
        super().__init__(f"rule {rule} failed: {type(error).__name__}: {error}")
        self.rule, self.error = rule, error


class Detector:
    """All rules that run on one robot, asked in the order of the rule set with every sample.

    Every rule sees every sample, whatever the others found and whether or not something moves, so that filters and
    debounces stay true; of several violations the first one counts. Nothing is under execution and the arm is at rest:
    only rules with `always` are listened to. All methods belong to one thread; those that ask rules raise RuleFailure
    when one raises. Stamps are s on the robot's clock, arrivals and `now` s on the steady clock.
    """

    def __init__(self, robot: WatchedRobot, rules: RuleSettings) -> None:
        """rules: which run, with which thresholds. Raises ConfigurationError for a list that does not fit the arm."""
        self._robot = robot
        self._settings = dict(rules)
        dof = len(robot.profile.joints)
        self.state = RobotState(dof)
        self._begin, self._ended = RobotState(dof), RobotState(dof)
        self._unjudged = -1
        self._intake = SampleIntake(robot, self.state)
        self._reference = Reference(self.state)
        self._rest = robot.driver.rest
        self._still = 0
        self._moving = False
        self._driver_report = ""
        lacking = {name: missing(rule.needs, robot.driver) for name, rule in RULES.items()}
        self._lacking = {name: reason for name, reason in lacking.items() if reason}
        self._made = {name: self._make(name) for name in RULES if name not in self._lacking}
        self._arrange()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that run, in the order they are asked."""
        return tuple(rule for name, rule in self._made.items() if self._settings[name].enabled)

    @property
    def off(self) -> dict[str, str]:
        """What does not run, and why not: rules, and as rule.condition the conditions of a rule that runs."""
        found = dict(self._lacking)
        for name, rule in self._made.items():
            if not self._settings[name].enabled:
                found[name] = "switched off"
            elif isinstance(rule, ConditionRule):
                found |= {f"{name}.{condition}": reason for condition, reason in rule.off.items()}
        return found

    @property
    def degraded(self) -> dict[str, str]:
        """Rules that run with less than they could use, and what they do without."""
        found = {rule.name: getattr(rule, "degraded", "") for rule in self.rules}
        return {name: reason for name, reason in found.items() if reason}

    @property
    def settings(self) -> RuleSettings:
        """What the rules run with at present."""
        return self._settings

    @property
    def moving(self) -> bool:
        """Whether a joint was faster than the driver's rest velocity in one of the last few samples."""
        return self._moving

    def joints(  # noqa: PLR0917 - a joint state's fields in a row, as keywords take time on the stop path
        self, names: Sequence[str], position: Values, velocity: Values, effort: Values, stamp: float, arrival: float
    ) -> Violation | None:
        """A joint sample arrived; the arrays are (n,) in the order of `names`, empty for what is not measured."""
        refusal = self._intake.joints(names, position, velocity, effort, stamp, arrival)
        if refusal is not None:
            return self._refuse(refusal)
        self._see_motion()
        ended = self._reference.follow()
        found = self._ask(self._on_joints, self.state)
        if ended:
            late = self._judge_sub_slice()
            found = found or late
            self._put_aside_sub_slice()
        return found

    def wrench(
        self, frame: str, force: Sequence[float], torque: Sequence[float], stamp: float, arrival: float
    ) -> Violation | None:
        """A wrench sample arrived: force (3,) N and torque (3,) N m in `frame`."""
        refusal = self._intake.wrench(frame, force, torque, stamp, arrival)
        if refusal is not None:
            return self._refuse(refusal)
        return self._ask(self._on_wrench, self.state)

    def joint_sample(self, sample: JointSample, arrival: float) -> Violation | None:
        """As `joints`, from a record."""
        velocity = () if sample.velocity is None else sample.velocity
        effort = () if sample.effort is None else sample.effort
        return self.joints(sample.names, sample.position, velocity, effort, sample.stamp, arrival)

    def wrench_sample(self, sample: WrenchSample, arrival: float) -> Violation | None:
        """As `wrench`, from a record."""
        return self.wrench(sample.frame, sample.force.tolist(), sample.torque.tolist(), sample.stamp, arrival)

    def tick(self, now: float) -> Violation | None:
        """Time passed, with or without samples; call it at 20 Hz or more.

        A sub-slice that has ended is judged here, on the state at its end, so that no sample waits for it (row E3).
        """
        found = self._ask(self._on_tick, self.state, now)
        late = self._judge_sub_slice()
        return found or late

    def begin(self, plan: MotionPlan | None, stamp: float) -> None:
        """A goal came under execution at `stamp`; plan: None when it was not announced.

        Raises ValueError for a plan of another arm.
        """
        if plan is not None and plan.joints.shape[1] != len(self.state.position):
            raise ValueError(f"motion plan: {plan.joints.shape[1]} joints, expected {len(self.state.position)}")
        self._reference.begin(plan, stamp)
        self._begin.copy_from(self.state)
        self._unjudged = -1
        self._tell_begin()

    def end(self, stamp: float) -> Violation | None:
        """Nothing is under execution any more since `stamp`; the last sub-slice is judged now at the latest."""
        found = self._judge_sub_slice()
        if self._reference.last_is_due(stamp):
            self._put_aside_sub_slice()
            late = self._judge_sub_slice()
            found = found or late
        self._reference.end()
        self._tell_begin()
        return found

    def set_caution(self, caution: float) -> None:
        """Factor on every limit, above 0 and at most 1. Raises ConfigurationError for another."""
        if not 0.0 < caution <= 1.0:
            raise ConfigurationError("caution", caution, "above 0 and at most 1")
        self.state.caution = caution

    def set_enabled(self, rule: str, enabled: bool) -> None:
        """Switch one rule on or off. Raises ConfigurationError for an unknown one and one this robot cannot run."""
        self.change(rule, RuleSetting(enabled, self._settings[checked_name("rules", rule, tuple(RULES))].thresholds))

    def change(self, rule: str, setting: RuleSetting) -> None:
        """Run one rule with other thresholds from now on; it starts anew, without its past.

        Raises ConfigurationError for an unknown rule, thresholds that do not fit, and one this robot cannot run.
        """
        checked_name("rules", rule, tuple(RULES))
        if rule not in self._made:
            if setting.enabled:
                reason = self._lacking[rule]
                raise ConfigurationError(f"rules.{rule}.enabled", setting.enabled, f"false, as it {reason}")
        else:
            before, self._settings[rule] = self._settings[rule], setting
            try:
                made = self._make(rule)
            except ConfigurationError:
                self._settings[rule] = before
                raise
            self._made[rule] = made
            self._arrange()
            _guarded(made, lambda: made.begin(self.state))
            self.report_driver(self._driver_report)
        self._settings[rule] = setting

    def report_driver(self, message: str) -> None:
        """The driver or its controller says it is in error, or is gone; an empty message says it is well again."""
        self._driver_report = message
        for rule in self._made.values():
            if isinstance(rule, DriverState):
                rule.report(message)

    def reset(self) -> None:
        """A stop was released or the robot restarted: forget the past of samples and rules."""
        self._intake.reset()
        self._still, self._moving = 0, False
        for rule in self._made.values():
            _guarded(rule, rule.reset)

    def margins(self) -> dict[str, float]:
        """Of every rule that runs: its last value divided by its limit."""
        return {rule.name: rule.margin for rule in self.rules}

    def _make(self, name: str) -> Rule:
        return RULES[name](self._settings[name].thresholds, self._robot)

    def _arrange(self) -> None:
        """Look up once what is called with every sample; rules that do not look at something are not asked about it."""
        rules = self.rules
        self._on_joints = _hooks(rules, Rule.joints, "joints")
        self._on_wrench = _hooks(rules, Rule.wrench, "wrench")
        self._on_tick = _hooks(rules, Rule.tick, "tick")
        self._on_sub_slice = _hooks(rules, Rule.sub_slice, "sub_slice")
        self._on_refusal = tuple((rule, rule.refused) for rule in rules if isinstance(rule, RefusalRule))

    def _ask(self, hooks: _Hooks, *arguments: Any) -> Violation | None:
        everyone = self.state.executing or self._moving
        first = None
        rule: Rule | None = None
        try:
            for rule, look in hooks:
                found = look(*arguments)
                if found is not None and first is None and (everyone or rule.always):
                    first = found
        except Exception as error:
            raise RuleFailure(rule.name if rule is not None else "none", error) from error
        return first

    def _refuse(self, refusal: Refusal) -> Violation | None:
        return None if refusal is REPEATED else self._ask(self._on_refusal, self.state, refusal)

    def _put_aside_sub_slice(self) -> None:
        self._unjudged = self.state.sub_slice
        self._ended.copy_from(self.state)
        self._reference.next_sub_slice()

    def _judge_sub_slice(self) -> Violation | None:
        if self._unjudged < 0:
            return None
        index, self._unjudged = self._unjudged, -1
        found = self._ask(self._on_sub_slice, self._ended, index, self._begin)
        # What has ended is where the next one begins.
        self._begin, self._ended = self._ended, self._begin
        return found

    def _tell_begin(self) -> None:
        for rule in self.rules:
            _guarded(rule, lambda rule=rule: rule.begin(self.state))  # type: ignore[misc]

    def _see_motion(self) -> None:
        speeds = self.state.velocity.tolist()
        limit = self._rest.velocity
        if max(speeds) > limit or min(speeds) < -limit:
            self._still, self._moving = 0, True
        elif self._moving:
            self._still += 1
            self._moving = self._still < self._rest.samples


_Hooks = tuple[tuple[Rule, Callable[..., Violation | None]], ...]


def _hooks(rules: Sequence[Rule], base: Callable[..., Violation | None], name: str) -> _Hooks:
    return tuple((rule, getattr(rule, name)) for rule in rules if getattr(type(rule), name) is not base)


def _guarded(rule: Rule, call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        raise RuleFailure(rule.name, error) from error
