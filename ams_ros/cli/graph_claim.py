"""The claim of one starter on one graph: a domain and a namespace on this machine."""

from __future__ import annotations

import os
import socket
import struct
from types import TracebackType

from ams_ros.errors import RobotError


class GraphClaim:
    """Held while a graph runs. The kernel drops it with the process, so no stale lock can be left behind."""

    def __init__(self, namespace: str) -> None:
        """Claim `namespace` in the ROS domain of this process; raises RobotError when another starter holds it."""
        domain = os.environ.get("ROS_DOMAIN_ID") or "0"
        # Linux only: a leading zero byte names a socket without a file.
        address = f"\0ams_ros/graph/{domain}/{namespace.strip('/')}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(address)
        except OSError:
            self._socket.close()
            raise RobotError(
                f"a graph already runs in ROS domain {domain} under {namespace} (process {_holder(address)}): "
                "stop it, or start this one with another ROS_DOMAIN_ID"
            ) from None
        self._socket.listen(1)

    def __enter__(self) -> GraphClaim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def _holder(address: str) -> str:
    """Process id of whoever listens at the address; "unknown" when it just went away."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.settimeout(1.0)
            probe.connect(address)
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return "unknown"
    return str(struct.unpack("3i", credentials)[0])
