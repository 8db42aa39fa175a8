"""How simulation time relates to the time everybody else lives in."""

from __future__ import annotations

import time

from ams_ros.errors import ConfigurationError
from ams_ros.robot.stop_request import StopRequest

_LATENESS = 0.5
"""A simulation later than this (s) gives up the lost time instead of hurrying after it."""


class Pace:
    """Lets simulation time pass no faster than wished, and turns it into stamps and back.

    Without simulated time a stamp is the system clock's, which only makes sense at speed 1; with simulated time it
    is the simulation's own and any speed will do.
    """

    def __init__(self, speed: float, *, simulated_time: bool) -> None:
        """Speed: simulated seconds per second, 0 for as fast as the machine allows.

        Raises ConfigurationError for a speed other than 1 with stamps from the system clock.
        """
        if speed != 1.0 and not simulated_time:
            raise ConfigurationError("speed", speed, "1.0, or any with use_sim_time true: stamps would lie")
        self._speed, self._simulated_time = speed, simulated_time
        self._lost = 0.0
        self.restart(0.0)

    def restart(self, simulation_time: float) -> None:
        """Say that simulation time `simulation_time` (s) is now."""
        self._simulation_start, self._start = simulation_time, time.monotonic()

    def wait(self, simulation_time: float, stop: StopRequest) -> None:
        """Return when it is time for `simulation_time`, at once when that is past or `stop` is requested."""
        if self._speed == 0.0:
            return
        due = self._start + (simulation_time - self._simulation_start) / self._speed
        early = due - time.monotonic()
        if early > 0.0:
            if not stop.requested:
                time.sleep(early)
        elif early < -_LATENESS:
            self._lost -= early
            self._start -= early

    def take_lost(self) -> float:
        """Seconds given up since the last call because the simulation could not keep up."""
        lost, self._lost = self._lost, 0.0
        return lost

    def stamp(self, simulation_time: float) -> float:
        """The stamp of something that happened at `simulation_time`, s."""
        if self._simulated_time:
            return simulation_time
        return simulation_time - self._simulation_start + self._start + (time.time() - time.monotonic())

    def simulation_time(self, stamp: float) -> float:
        """The simulation time that `stamp` means, s; may lie in the future."""
        if self._simulated_time:
            return stamp
        return stamp - (time.time() - time.monotonic()) - self._start + self._simulation_start
