"""Whether an exception in a task without a fault was right, by the simulator's truth."""

from __future__ import annotations

from ams_ros.benchmark.faults.effect import EMPTY
from ams_ros.benchmark.faults.trial import Alarm, SeenStop
from ams_ros.benchmark.faults.witness import Witness
from ams_ros.types import ExceptionKind

PRESSED = 5.0
"""N of contact from which on the arm was pressing against something."""

_BEFORE = 0.5
"""s before the stop in which it must have been so."""

_BY_CONTACT = frozenset({ExceptionKind.COLLISION, ExceptionKind.TORQUE, ExceptionKind.UNEXPECTED_ACTION})


def judged(stop: SeenStop, witness: Witness) -> Alarm:
    """The exception with the reason that makes it a true one, if there is any.

    Fingers that closed on nothing; or an arm that truly pressed against table, bowl or cube and did not get on.
    """
    exception = stop.exception
    before = [moment for moment in witness.moments if stop.begun - _BEFORE <= moment.time <= stop.begun]
    if exception.rule == "outcome" and before and before[-1].gap <= EMPTY * 2:
        return Alarm(stop, "the fingers closed on nothing")
    pressed = max((moment.contact for moment in before), default=0.0)
    if exception.kind in _BY_CONTACT and pressed >= PRESSED:
        return Alarm(stop, f"the arm pressed against something with up to {pressed:.0f} N")
    return Alarm(stop, "")
