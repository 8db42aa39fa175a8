"""Which faults are there, and which of them are on at a moment."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.faults.fault import Fault, checked, random_direction

_TICK = 1e-9
"""Moments closer than this (s) are the same moment; the clock is a sum of time steps."""


@dataclass(slots=True)
class _Entry:
    fault: Fault
    begin: float
    end: float
    begun: bool = False


class FaultSchedule:
    """At most one fault of each name; a new one takes the place of the old one."""

    def __init__(self, profile: RobotProfile) -> None:
        """Nothing goes wrong."""
        self._profile = profile
        self._entries: dict[str, _Entry] = {}
        self._ending: list[Fault] = []
        self._added = 0

    def add(self, fault: Fault, now: float) -> None:
        """Let it begin `fault.onset` s after `now` (s of simulation time). Raises ConfigurationError."""
        fault = checked(fault, self._profile)
        if fault.name == "push" and fault.direction is None:
            fault = replace(fault, direction=random_direction(self._added))
        self._added += 1
        self._end(fault.name)
        begin = now + fault.onset
        end = begin + fault.duration if fault.duration > 0.0 else math.inf
        # Replaced whole, because other threads look into it.
        self._entries = {**self._entries, fault.name: _Entry(fault, begin, end)}

    def end_all(self) -> None:
        """End those that are on, drop those to come."""
        for name in tuple(self._entries):
            self._end(name)

    def _end(self, name: str) -> None:
        entry = self._entries.get(name)
        if entry is not None:
            self._entries = {each: kept for each, kept in self._entries.items() if each != name}
            if entry.begun:
                self._ending.append(entry.fault)

    @property
    def empty(self) -> bool:
        """Whether `turn` has nothing to do now or later."""
        return not (self._entries or self._ending)

    def on(self, name: str, now: float) -> Fault | None:
        """The fault of that name, if it is on at `now`. May be asked from any thread."""
        entry = self._entries.get(name)
        return entry.fault if entry is not None and entry.begin - _TICK <= now < entry.end - _TICK else None

    def turn(self, now: float) -> tuple[list[Fault], list[Fault]]:
        """The faults that ended and those that began since the last call, as of `now`."""
        for name, entry in tuple(self._entries.items()):
            if now >= entry.end - _TICK:
                self._end(name)
        ended, self._ending = self._ending, []
        begun = [entry for entry in self._entries.values() if not entry.begun and now >= entry.begin - _TICK]
        for entry in begun:
            entry.begun = True
        return ended, [entry.fault for entry in begun]
