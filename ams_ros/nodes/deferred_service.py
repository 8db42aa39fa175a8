"""Services that answer later.

The EventsExecutor of rclpy before 7.1.11 cannot run a coroutine as a service callback, and a plain callback would hold
the executor until its answer is ready. Here the request is taken on the executor, and any thread sends the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.logging import get_logger
from rclpy.service import Service

Reply = Callable[[Any], None]
"""Sends the response of one request; to be called once, from any thread."""

Accept = Callable[[Any, Any, Reply], None]
"""Takes (request, empty response, reply) on the executor's thread and must return at once."""


def defer_replies(service: Service, accept: Accept) -> None:
    """Make `service` hand every request to `accept`, which answers whenever it likes."""
    send: Callable[[Any, Any], None] = service.send_response

    # Only send_response is given the header that names the client, so the callback passes its arguments on to there.
    def callback(request: Any, response: Any) -> tuple[Any, Any]:
        return request, response

    def send_response(pair: tuple[Any, Any], header: Any) -> None:
        def reply(response: Any) -> None:
            try:
                send(response, header)
            except (InvalidHandle, _rclpy.RCLError) as error:
                get_logger(service.srv_name).warning(
                    f"an answer could not be sent, its client or service is gone: {error}"
                )

        accept(pair[0], pair[1], reply)

    service.callback = callback
    service.send_response = send_response


def not_called(request: Any, response: Any) -> Any:
    """Stands where rclpy wants a callback until `defer_replies` puts its own there."""
    raise AssertionError("replaced by defer_replies before the executor sees the service")
