"""The exception monitor with a stopwatch: it keeps how long every sample took, and when cancels were answered."""

from __future__ import annotations

import json
import sys
import time
from array import array
from collections.abc import Sequence
from typing import Any

from std_srvs.srv import Trigger

from ams_ros.exception.guard import ExceptionGuard
from ams_ros.nodes.exception_monitor import ExceptionMonitor
from ams_ros.nodes.process import run_node
from ams_ros.nodes.sample_meter import SampleMeter
from ams_ros.types import StopStage


class _KeepingMeter(SampleMeter):
    """Keeps all there is to know about the samples of one sort."""

    def __init__(self, now: float, guard: ExceptionGuard) -> None:
        super().__init__(now)
        self._guard, self._numbered = guard, guard.numbered
        self.count = 0
        self.seconds = array("d")
        """Of those that led to no stop: what a stop takes is part of the reaction, not of the rules."""

    def add(self, seconds: float) -> None:
        """See SampleMeter."""
        super().add(seconds)
        self.count += 1
        if self._guard.numbered == self._numbered:
            self.seconds.append(seconds)
        self._numbered = self._guard.numbered


class MeasuredMonitor(ExceptionMonitor):
    """The monitor as it is shipped, and `~/measured` (std_srvs/Trigger), which tells in JSON what was kept.

    joints, wrenches: samples given to the rules since activation. rule_us: of each since the last call. answered: when
    cancels were answered since the last call, s on the steady clock.
    """

    def __init__(self) -> None:
        """Wait to be configured."""
        super().__init__()
        self._answers: list[float] = []

    def _listen(self, joint_states: str, wrench: str, arm_action: str) -> None:
        super()._listen(joint_states, wrench, arm_action)
        now = time.monotonic()
        self._joint_meter = self._kept_joints = _KeepingMeter(now, self._guard)
        self._wrench_meter = self._kept_wrenches = _KeepingMeter(now, self._guard)
        self.create_service(Trigger, "~/measured", self._measured)

    def _answered(self, stage: StopStage, accepted: bool, message: str) -> None:
        if stage is StopStage.CANCEL and accepted:
            self._answers.append(time.monotonic())
        super()._answered(stage, accepted, message)

    def _measured(self, request: Any, response: Any) -> Any:
        joints, wrenches = self._kept_joints, self._kept_wrenches
        found = {
            "joints": joints.count,
            "wrenches": wrenches.count,
            "rule_us": [round(1e6 * each, 1) for kept in (joints, wrenches) for each in kept.seconds],
            "answered": self._answers,
        }
        response.success, response.message = True, json.dumps(found)
        self._answers = []
        del joints.seconds[:], wrenches.seconds[:]
        return response


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to end."""
    return run_node(MeasuredMonitor)


if __name__ == "__main__":
    sys.exit(main())
