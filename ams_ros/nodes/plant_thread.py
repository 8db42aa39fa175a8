"""The one thread that owns the simulated robot: physics, controllers, rendering."""

from __future__ import annotations

import concurrent.futures
import math
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from ams_ros.errors import AmsError, RobotError
from ams_ros.nodes.pace import Pace
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.control_loop import ControlLoop

T = TypeVar("T")

_HASTE = 2.2
"""A thinned beat happens at most this many times its rate in wall time; a little above 2 for the jitter at speed 2."""

_ROUNDING = 1e-6
"""Added to times (s) that are whole numbers of steps but for rounding."""

_PAUSED_POLL = 0.2
"""How often a paused simulation looks whether it is to end, s."""


@dataclass(slots=True)
class Beat:
    """Something done at `rate` (Hz of simulation time).

    thinned: left out where a fast simulation would do it at more than twice its rate in wall time; for topics, whose
    subscribers would drown. due: s since the last resume. done: wall time of the last time.
    """

    rate: float
    action: Callable[[], None]
    thinned: bool = False
    due: float = 0.0
    done: float = -math.inf

    def act(self, wall: float) -> None:
        """Do it, or leave it out, and say when it is due again."""
        self.due += 1.0 / self.rate
        if not self.thinned or wall - self.done > 1.0 / (_HASTE * self.rate):
            self.done = wall
            self.action()


class PlantThread:
    """Runs a control loop and its beats; other threads reach the plant by `post` and `call` only."""

    def __init__(self, build: Callable[[], ControlLoop], pace: Pace) -> None:
        """`build` is called in the thread, because what is made there may be used nowhere else."""
        self._build, self.pace = build, pace
        self._jobs: queue.SimpleQueue[Callable[[ControlLoop], None]] = queue.SimpleQueue()
        self._built: Future[ControlLoop] = Future()
        self._beats: list[Beat] = []
        self._step = 0
        self.running = False
        """Whether time passes; for jobs."""
        self._ended = False
        self.time = 0.0
        """Simulation time of the last step begun, s; may be read from any thread."""

    def run(self, stop: StopRequest) -> None:
        """The thread's body: paused at first, until `stop` is requested."""
        try:
            loop = self._build()
        except Exception as error:
            # Whoever waits in `wait_built` raises it; ending here would report it once more, as a death.
            self._built.set_exception(error)
            while not stop.wait(_PAUSED_POLL):
                pass
            return
        self._built.set_result(loop)
        try:
            while not stop.requested:
                self._serve(loop)
                if self.running:
                    self._advance(loop, stop)
        finally:
            self.running, self._ended = False, True
            loop.plant.close()

    def wait_built(self, timeout: float) -> ControlLoop:
        """Return when the plant stands; raises what its construction raised, RobotError after `timeout` seconds.

        The loop is the thread's; others may take from it what never changes, and otherwise use `post` and `call`.
        """
        try:
            return self._built.result(timeout)
        except concurrent.futures.TimeoutError:
            raise RobotError(f"the simulation was not built within {timeout} s") from None

    def post(self, job: Callable[[ControlLoop], None]) -> None:
        """Have `job(loop)` done before the next step. Jobs run in the order posted; one that raises ends the thread."""
        self._jobs.put(job)

    def call(self, job: Callable[[ControlLoop], T], timeout: float = 10.0) -> T:
        """Have `job(loop)` done and return its result, or raise what it raised; RobotError after `timeout` seconds."""
        answer: Future[T] = Future()

        def run(loop: ControlLoop) -> None:
            try:
                answer.set_result(job(loop))
            except Exception as error:
                answer.set_exception(error)
                if not isinstance(error, AmsError):
                    raise  # a bug: the thread cannot go on as if nothing had happened

        if self._ended:
            raise RobotError("the simulation has ended")
        self._jobs.put(run)
        try:
            return answer.result(timeout)
        except concurrent.futures.TimeoutError:
            raise RobotError(f"the simulation did not answer within {timeout} s") from None

    def set_beats(self, beats: list[Beat]) -> None:
        """Have these done, in the order given where they are due together. Before the first `resume` only."""
        self._beats = beats

    def resume(self, loop: ControlLoop) -> None:
        """Let time pass from now on; to be posted or called."""
        self._step = 0
        for beat in self._beats:
            beat.due = 0.0
        self.pace.restart(loop.plant.time)
        self.running = True

    def pause(self, loop: ControlLoop) -> None:
        """Let time stand still; to be posted or called."""
        self.running = False

    def _serve(self, loop: ControlLoop) -> None:
        try:
            while True:
                job = self._jobs.get_nowait() if self.running else self._jobs.get(timeout=_PAUSED_POLL)
                job(loop)
        except queue.Empty:
            return

    def _advance(self, loop: ControlLoop, stop: StopRequest) -> None:
        self.time = loop.plant.time
        timestep = loop.plant.timestep
        now = self._step * timestep + _ROUNDING
        for beat in self._beats:
            if beat.due <= now:
                beat.act(time.monotonic())
        due = min(beat.due for beat in self._beats)
        steps = max(1, math.ceil((due - now) / timestep))
        loop.plant.advance(steps * timestep)
        self._step += steps
        self.pace.wait(loop.plant.time, stop)
