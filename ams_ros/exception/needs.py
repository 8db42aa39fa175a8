"""What a robot behind its driver lacks of what its checks need."""

from __future__ import annotations

from collections.abc import Iterable

from ams_ros.exception.rule import Need
from ams_ros.robot.driver import DriverProfile


def missing(needs: Iterable[Need], driver: DriverProfile) -> str:
    """Why something with these needs cannot run with this driver, as a clause for diagnostics; empty when it can."""
    has = {
        Need.VELOCITY: driver.velocity,
        Need.EFFORT: driver.effort,
        Need.WRENCH: driver.wrench is not None,
        Need.GRIPPER: driver.gripper_measured,
        Need.DYNAMICS: driver.physical_inertia,
    }
    wanted = frozenset(needs)
    lacking = [need.value for need in Need if need in wanted and not has[need]]
    return f"needs {' and '.join(lacking)}, which {driver.name} does not have" if lacking else ""
