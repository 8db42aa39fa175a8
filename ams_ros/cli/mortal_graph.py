"""A graph whose nodes may die and be started again one by one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from lifecycle_msgs.srv import GetState

from ams_ros.cli.graph import START_SECONDS, Graph
from ams_ros.errors import RobotError
from ams_ros.msg import Heartbeat


class MortalGraph(Graph):
    """A Graph that outlives those of its nodes that `kill` ended."""

    _mourned: frozenset[str] = frozenset()

    def watch(self) -> None:
        """Raise RobotError when a node has died that nobody killed."""
        self.dead = self.processes.first_dead()
        if self.dead is not None and self.dead.name not in self._mourned:
            raise self.dead.error()
        self._check()

    def check_interrupts(self) -> None:
        """A `watch` that takes no time: raise what Ctrl-C raises, and look at no process."""
        self._check()

    def kill(self, names: Sequence[str]) -> float:
        """End these processes as the kernel would; returns when, s on the steady clock."""
        self.processes.first_dead()  # notes the shared memory that they leave behind
        self._mourned |= {*names}
        identifiers = [self.processes.identifiers[name] for name in names]
        began = time.monotonic()
        for identifier in identifiers:
            os.kill(identifier, signal.SIGKILL)
        return began

    def revive(self, name: str) -> None:
        """Start a killed node again and bring it to active; raises RobotError when it does not come up."""
        if not self.session.until(lambda: not self.processes.alive(name), START_SECONDS):
            raise RobotError(f"{name} did not end")
        node = next(each for each in self._nodes if each.name == name)
        self.processes.start(name, node.executable, self._ros_arguments(node))
        self._mourned -= {name}
        self._meet(name)
        for transition in ("configure", "activate"):
            self._bring(node, transition)

    def _meet(self, name: str) -> None:
        """DDS shows the services of the dead one for some time, so only an answer tells that the new one is there."""
        client = self.session.node.create_client(GetState, f"{self.namespace}/{name}/get_state")
        deadline = time.monotonic() + START_SECONDS
        while not self.session.wait(client.call_async(GetState.Request()), 0.5):
            if time.monotonic() > deadline:
                raise RobotError(f"{name} did not come back within {START_SECONDS:g} s: {self.processes.log(name)}")
        self.session.node.destroy_client(client)

    def wait_beating(self, name: str, beats: Sequence[Heartbeat]) -> None:
        """Return when the node that now runs under that name has told that it is active.

        beats: heard so far, and added to. A node's heartbeat is the last thing it makes, so all else is known then.
        """
        pid = self.processes.identifiers[name]
        if not self.session.until(lambda: any(b.pid == pid and b.active for b in beats[-3:]), START_SECONDS):
            raise RobotError(f"{name} was not heard within {START_SECONDS:g} s: {self.processes.log(name)}")
