"""The first thing that runs in a node's process: tie its life to the starter's, then become the node.

Without this, a starter that is killed outright leaves its nodes behind, and the next graph meets them.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def main() -> None:
    """Run as `python -m ams_ros.cli.start_node STARTER_PID EXECUTABLE [ROS ARGUMENTS]`."""
    starter, executable = int(sys.argv[1]), sys.argv[2]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != starter:
        sys.exit("the process that started this node is gone")
    sys.argv = [executable, *sys.argv[3:]]
    sys.exit(importlib.import_module(f"ams_ros.nodes.{executable}").main())


if __name__ == "__main__":
    main()
