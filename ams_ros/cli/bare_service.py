"""The control of `ams bench pool`: a node that answers the pool's query with the same bytes every time."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from rclpy.serialization import deserialize_message

from ams_ros.cli.interrupts import Interrupts
from ams_ros.cli.ros_session import RosSession
from ams_ros.srv import QueryContexts

SECONDS = 1200.0
"""Longest life, in case nobody ends it."""


def main() -> None:
    """Run as `python -m ams_ros.cli.bare_service SERVICE FILE`; the file holds the serialised response."""
    service, file = sys.argv[1:]
    answer = deserialize_message(Path(file).read_bytes(), QueryContexts.Response)

    def reply(request: Any, response: Any) -> Any:
        return answer

    with Interrupts() as interrupts, RosSession(interrupts.check) as session, suppress(KeyboardInterrupt):
        session.node.create_service(QueryContexts, service, reply)
        session.spin(SECONDS)


if __name__ == "__main__":
    main()
