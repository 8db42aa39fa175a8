"""Nodes tell that they are alive, and others notice when they are not."""

from __future__ import annotations

import math
import os
import queue
import select
from collections.abc import Callable
from pathlib import Path

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from ams_ros.msg import Heartbeat
from ams_ros.nodes.lifecycle import AmsNode
from ams_ros.robot.stop_request import StopRequest

_BEAT_SECONDS = 0.1
_LOOK_SECONDS = 0.2
"""How late a new process may be looked at, and the end of our own activity be noticed."""

_START_TIME = 19
"""Place of the start time in /proc/<pid>/stat, counted behind the command's name, which may hold anything."""

# The newest beat is all that counts, and a lost one is followed by the next.
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)

_Life = tuple[str, int, int]
"""Machine, process number, start time: what tells one life of a node from another."""


class HeartbeatPublisher:
    """Publishes ~/heartbeat from construction to the node's teardown.

    The timer runs on the executor's thread, so that a node whose executor is stuck falls silent as a dead one does.
    """

    def __init__(self, node: AmsNode) -> None:
        """To be made in the node's _setup."""
        self._node = node
        pid = os.getpid()
        name = node.get_fully_qualified_name()
        self._message = Heartbeat(node=name, machine=_boot_id(), pid=pid, started=_start_time(pid))
        self._publisher = node.create_publisher(Heartbeat, "~/heartbeat", 1)
        node.create_timer(_BEAT_SECONDS, self.beat, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def beat(self) -> None:
        """Tell it now: for a change of state that others should not learn a tenth of a second late."""
        self._message.header = Header(stamp=self._node.get_clock().now().to_msg())
        self._message.active = self._node.state_label == "active"
        self._publisher.publish(self._message)


class ProcessWatch:
    """Watches another node by its heartbeats, until the teardown (made in _setup) or deactivation (in _activate).

    Where the other process is visible from here, its end is noticed at once through a descriptor of that very process.
    Everywhere else, and for a process that hangs, silence tells. Silence counts in ticks of a timer of our own
    executor, so that a standstill of this process is not taken for one of the other.
    """

    def __init__(self, node: AmsNode, other: str, died: Callable[[str], None], limit: float = 1.0) -> None:
        """other: its name, absolute or in the namespace of `node`. limit: s of silence that count as death.

        died: called on the executor's thread with a sentence, once for each death.
        """
        self._node, self._other, self._died = node, other, died
        self._patience = math.ceil(limit / _BEAT_SECONDS)
        self._silent_ticks = 0
        self._life: _Life | None = None
        self._ended = self._alive = self._active = False
        self._opened: queue.SimpleQueue[tuple[_Life, int | None]] = queue.SimpleQueue()
        node.create_subscription(Heartbeat, f"{other}/heartbeat", self._hear, _NEWEST)
        node.create_timer(_BEAT_SECONDS, self._count, clock=Clock(clock_type=ClockType.STEADY_TIME))
        node.start_thread(f"watch of {other}", self._watch)

    @property
    def alive(self) -> bool:
        """Whether it was heard and has not died since."""
        return self._alive

    @property
    def active(self) -> bool:
        """Whether it is alive and said with its last beat that it is in its active state."""
        return self._alive and self._active

    # On the executor's thread.

    def _hear(self, beat: Heartbeat) -> None:
        life = (beat.machine, beat.pid, beat.started)
        if life != self._life:
            self._life, self._ended = life, False
            self._opened.put((life, _open_process(life)))
        if self._ended:
            return  # this beat was under way when its process ended
        self._silent_ticks = 0
        self._alive, self._active = True, bool(beat.active)

    def _count(self) -> None:
        self._silent_ticks += 1
        if self._silent_ticks > self._patience:
            self._tell(f"node {self._other} is silent for more than {self._patience * _BEAT_SECONDS:.1f} s")

    def _end(self, life: _Life) -> None:
        if life == self._life:
            self._ended = True
            self._tell(f"the process of node {self._other} (pid {life[1]}) ended")

    def _tell(self, text: str) -> None:
        if self._alive:
            self._alive = self._active = False
            self._died(text)

    # In a thread of its own: the executor cannot wait for a process.

    def _watch(self, stop: StopRequest) -> None:
        life: _Life | None = None
        process: int | None = None
        try:
            while not stop.requested:
                # All of them: two processes by one name beat in turn, each of them a new life to us.
                while not self._opened.empty():
                    _close(process)
                    life, process = self._opened.get()
                if process is None:
                    stop.wait(_LOOK_SECONDS)
                elif _ends_within(process, _LOOK_SECONDS):
                    self._node.executor.create_task(self._end, life)
                    _close(process)
                    process = None
        finally:
            _close(process)
            while not self._opened.empty():
                _close(self._opened.get()[1])


def _open_process(life: _Life) -> int | None:
    """A descriptor of that process; None when it runs elsewhere, or is not visible under its number here."""
    machine, pid, started = life
    if machine != _boot_id() or pid < 1:
        return None
    try:
        process = os.pidfd_open(pid)
    except OSError:  # gone already, in another container, or a kernel that knows no such descriptors: silence will tell
        return None
    # Compared while we hold the descriptor: a number that went to another process shows another start.
    if _start_time(pid) != started:
        os.close(process)
        return None
    return process


def _ends_within(process: int, seconds: float) -> bool:
    poll = select.poll()  # select.select knows no descriptors above 1023
    poll.register(process, select.POLLIN)
    return bool(poll.poll(round(seconds * 1000)))


def _close(process: int | None) -> None:
    if process is not None:
        os.close(process)


def _boot_id() -> str:
    """What tells this machine, since its last start, from every other."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start_time(pid: int) -> int:
    """When a process began, in clock ticks since the machine's start; 0 when there is none of that number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[_START_TIME])
