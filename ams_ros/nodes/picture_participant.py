"""A DDS participant of its own for pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

_TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"


class PictureParticipant:
    """A node in the same process that only publishes, and not through shared memory.

    Fast DDS sends through one area of shared memory for each participant. What is under way to a listener that is
    killed stays in it. Small messages find room nevertheless, but pictures may not, and then all listeners lose them
    for good. By UDP nothing is left behind.
    """

    def __init__(self, node: Node) -> None:
        """Join the domain beside `node`."""
        self._context = Context()
        with _without_shared_memory():
            rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
            self.node = rclpy.create_node(
                f"{node.get_name()}_pictures",
                namespace=node.get_namespace(),
                context=self._context,
                # Among them may be the name of the node it belongs to.
                use_global_arguments=False,
                enable_rosout=False,
                start_parameter_services=False,
            )

    def close(self) -> None:
        """Leave the domain."""
        self.node.destroy_node()
        self._context.try_shutdown()


@contextmanager
def _without_shared_memory() -> Iterator[None]:
    """Participants made meanwhile use UDP alone, unless the user has chosen otherwise; other middlewares ignore it."""
    if _TRANSPORTS in os.environ:
        yield
        return
    os.environ[_TRANSPORTS] = "UDPv4"
    try:
        yield
    finally:
        del os.environ[_TRANSPORTS]
