"""What is done about each kind of exception (E5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recoverable_arm import an_exception

from ams_ros.errors import ConfigurationError
from ams_ros.recovery.atom_buffer import Mark
from ams_ros.recovery.handling import Handling, HandlingSettings, RestartAbility, decide
from ams_ros.types import ExceptionKind, Severity

ABLE, UNABLE = RestartAbility(True, "press reset"), RestartAbility(False, "press reset")
LIMITS = HandlingSettings()
SOFTWARE = (ExceptionKind.UNEXPECTED_ACTION, ExceptionKind.CONDITION)
HARDWARE = tuple(kind for kind in ExceptionKind if kind not in SOFTWARE)
NOT_CRITICAL = (Severity.MINOR, Severity.SERIOUS)
exceptions = st.builds(
    an_exception,
    kind=st.sampled_from(ExceptionKind),
    stamp=st.floats(-1e6, 1e6),
    severity=st.sampled_from(Severity),
    stopped=st.booleans(),
    acknowledge=st.booleans(),
)


def handling(exception, *history, restart=ABLE, settings=LIMITS):
    return decide(exception, history, restart, settings)


@pytest.mark.parametrize("severity", NOT_CRITICAL)
@pytest.mark.parametrize("kind", SOFTWARE)
def test_software_exceptions_clear_the_slice_only_e5(kind, severity):
    assert handling(an_exception(kind, severity=severity)) == Handling()


@pytest.mark.parametrize("severity", NOT_CRITICAL)
@pytest.mark.parametrize("kind", HARDWARE)
def test_hardware_exceptions_bring_the_robot_to_a_safe_state_first_e5(kind, severity):
    assert handling(an_exception(kind, severity=severity)).safe_state


@pytest.mark.parametrize("severity", NOT_CRITICAL)
def test_a_collision_restarts_the_robot_e5(severity):
    assert handling(an_exception(ExceptionKind.COLLISION, severity=severity)).restart


def test_a_collision_of_a_robot_that_cannot_restart_itself_is_a_persons_business_unless_it_was_minor():
    serious = handling(an_exception(ExceptionKind.COLLISION), restart=UNABLE)
    assert (serious.safe_state, serious.restart) == (False, False)
    assert "press reset" in serious.person
    minor = handling(an_exception(ExceptionKind.COLLISION, severity=Severity.MINOR), restart=UNABLE)
    assert minor == Handling(safe_state=True)


@given(exception=exceptions, history=st.lists(exceptions, max_size=30), able=st.booleans())
def test_torque_momentum_and_software_never_restart_whatever_came_before_e5(exception, history, able):
    decided = decide(exception, history, ABLE if able else UNABLE, LIMITS)
    if exception.kind not in (ExceptionKind.COLLISION, ExceptionKind.UNREACHABLE, ExceptionKind.CRASH):
        assert not decided.restart
        assert "restart" not in decided.person


@given(exception=exceptions, history=st.lists(exceptions, max_size=30), able=st.booleans())
def test_what_needs_a_person_moves_nothing_and_an_unproven_or_critical_stop_always_needs_one(exception, history, able):
    decided = decide(exception, history, ABLE if able else UNABLE, LIMITS)
    if decided.person:
        assert (decided.safe_state, decided.restart) == (False, False)
    if not exception.stopped or exception.acknowledge or exception.severity is Severity.CRITICAL:
        assert decided.person
    if decided.restart:
        assert able
        assert decided.safe_state


@pytest.mark.parametrize("kind", [ExceptionKind.UNREACHABLE, ExceptionKind.CRASH])
def test_others_restart_by_severity_and_count_within_the_window_e5(kind):
    first = an_exception(kind, stamp=0.0)
    assert not handling(first).restart
    soon, late = an_exception(kind, stamp=59.0), an_exception(kind, stamp=61.0)
    assert handling(soon, first).restart
    assert not handling(late, first).restart
    assert not handling(an_exception(kind, stamp=59.0, severity=Severity.MINOR), first).restart
    assert not handling(soon, an_exception(ExceptionKind.TORQUE)).restart
    assert "press reset" in handling(soon, first, restart=UNABLE).person


def test_a_second_hardware_exception_within_the_window_goes_further_back():
    first, second = an_exception(stamp=0.0), an_exception(ExceptionKind.TORQUE, stamp=5.0)
    assert handling(first).back_to is Mark.SLICE
    assert handling(second, first).back_to is Mark.GOOD
    assert handling(second, an_exception(ExceptionKind.CONDITION)).back_to is Mark.SLICE
    assert handling(an_exception(stamp=100.0), first).back_to is Mark.SLICE


def test_retries_are_bounded_within_the_window_and_within_the_task():
    within = [an_exception(ExceptionKind.CONDITION, stamp=float(n)) for n in range(LIMITS.per_window)]
    assert "exception 6 within 60 s and 5 are allowed" in handling(an_exception(stamp=6.0), *within).person
    assert handling(an_exception(stamp=6.0), *within[1:]).person == ""
    spread = [an_exception(ExceptionKind.CONDITION, stamp=100.0 * n) for n in range(LIMITS.per_task)]
    assert "exception 21 of the task and 20 are allowed" in handling(an_exception(stamp=1e4), *spread).person
    assert handling(an_exception(stamp=1e4), *spread[1:]).person == ""


def test_a_clock_that_jumped_back_makes_the_exceptions_before_count_not_vanish():
    past = [an_exception(ExceptionKind.CONDITION, stamp=1000.0 + n) for n in range(LIMITS.per_window)]
    assert handling(an_exception(stamp=0.0), *past).person


@pytest.mark.parametrize("key", ["window", "per_window", "per_task", "restart_after"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_counts_that_could_never_be_met_are_refused(key, value):
    with pytest.raises(ConfigurationError, match=rf"handling\.{key}"):
        HandlingSettings(**{key: value})
