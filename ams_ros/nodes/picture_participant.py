"""A DDS participant of its own for pictures."""

from __future__ import annotations

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions


class PictureParticipant:
    """A node in the same process that only publishes, apart from all small messages of the node it belongs to.

    Fast DDS sends through one area of shared memory for each participant. What is under way to a listener that was
    killed stays in it; where small messages and pictures mix, it ends up in pieces, of which none takes a picture any
    more, and all listeners lose their pictures for good.
    """

    def __init__(self, node: Node) -> None:
        """Join the domain beside `node`."""
        self._context = Context()
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
