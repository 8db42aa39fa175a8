"""Running one node as a process."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from ams_ros.errors import AmsError
from ams_ros.nodes.lifecycle import AmsNode

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_node(make_node: Callable[[], AmsNode]) -> int:
    """Run a node until SIGINT, SIGTERM or a shutdown transition; returns the exit code.

    On a signal the node is deactivated, cleaned up and shut down while the executor still spins, so that a running
    task can be stopped and told. 0 after an orderly end, 1 when the node could not be made or not be cleaned up.
    """
    # Blocked before any thread exists, so that all inherit it and the signal waits for the one thread that takes it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = make_node()
    except AmsError as error:
        print(f"error: {error}", file=sys.stderr)
        rclpy.shutdown()
        return 1
    threading.Thread(target=_end_on_signal, args=(node,), name="signals", daemon=True).start()
    executor = EventsExecutor()
    executor.add_node(node)
    while rclpy.ok() and not node.finalized.done():
        # Not spin(): it never returns from, nor runs, anything in these versions of rclpy.
        executor.spin_until_future_complete(node.finalized, timeout_sec=60.0)
    # The answer to a shutdown request leaves through the transition thread after the state changed.
    executor.spin_until_future_complete(Future(), timeout_sec=0.1)
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown()
    return 0 if node.finalized.result() else 1


def _end_on_signal(node: AmsNode) -> None:
    received = signal.Signals(signal.sigwait(_ENDING_SIGNALS))
    node.end(f"interrupted by {received.name}")
