"""Running one node as a process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable

import rclpy
from rclpy.executors import Executor
from rclpy.experimental import EventsExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from ams_ros.errors import AmsError
from ams_ros.nodes.lifecycle import AmsNode


def run_node(make_node: Callable[[], AmsNode]) -> int:
    """Run a node until SIGINT, SIGTERM or a shutdown transition; returns the exit code.

    On a signal the node is deactivated, cleaned up and shut down while the executor still spins, so that a running
    task can be stopped and told. 0 after an orderly end, 1 when the node could not be made or not be cleaned up.
    """
    signals = _signals_as_bytes()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = make_node()
    except AmsError as error:
        print(f"error: {error}", file=sys.stderr)
        rclpy.shutdown()
        return 1
    threading.Thread(target=_end_on_signal, args=(node, signals), name="signals", daemon=True).start()
    executor = EventsExecutor()
    executor.add_node(node)
    while rclpy.ok() and not node.finalized.done():
        _spin(executor, node)
    # The answer to a shutdown request leaves through the transition thread after the state changed.
    executor.spin_until_future_complete(Future(), timeout_sec=0.1)
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown()
    return 0 if node.finalized.result() else 1


def _spin(executor: Executor, node: AmsNode) -> None:
    try:
        # Not spin(): it never returns from, nor runs, anything in these versions of rclpy.
        executor.spin_until_future_complete(node.finalized, timeout_sec=60.0)
    except Exception as error:  # raised by a callback, which a node must survive no less than a dying thread
        node.get_logger().error("".join(traceback.format_exception(error)).rstrip())
        node.fail(f"a callback failed: {type(error).__name__}: {error}")


def _signals_as_bytes() -> int:
    """Turn SIGINT and SIGTERM into bytes that can be read from the file descriptor returned.

    The main thread sits in the executor and would run a Python handler only at the next event; the byte is written at
    once, by whichever thread the system picks, those of numerical libraries included.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return reader


def _end_on_signal(node: AmsNode, signals: int) -> None:
    while received := os.read(signals, 1):
        node.end(f"interrupted by {signal.Signals(received[0]).name}")
