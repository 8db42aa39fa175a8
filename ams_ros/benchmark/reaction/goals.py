"""What the reaction is to reach."""

from __future__ import annotations

from ams_ros.benchmark.pool.goals import Goal

_WHERE = {"": "quiet machine", "loaded_": "inference on the other core"}

GOALS = {
    name: (
        Goal(f"{name}ratio_p99", f"reaction, 99th percentile, worst rate, {where}", 2.0, "x a bare hop and cancel"),
        Goal(f"{name}unchecked", f"samples not checked, all rates, {where}", 0.0, ""),
        Goal(f"{name}rule_us_p99", f"rules for one sample, 99th percentile, worst rate, {where}", 50.0, "us"),
        Goal(f"{name}cpu_percent", f"monitor at 250 Hz, {where}", 15.0, "% of a core"),
    )
    for name, where in _WHERE.items()
}
"""By the prefix of the keys: of the quiet pass and of the loaded one."""
