"""What the processes of a running graph cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class NodeLoad:
    """cpu: share of one core, 1.0 is a whole one. resident: bytes."""

    cpu: float
    resident: int


def load_of(processes: Mapping[str, int], during: Callable[[], None]) -> tuple[float, dict[str, NodeLoad]]:
    """Seconds that `during` took, and what each process (name to id) used of a core meanwhile."""
    watched = {name: psutil.Process(identifier) for name, identifier in processes.items()}
    before = {name: _busy(process) for name, process in watched.items()}
    began = time.monotonic()
    during()
    seconds = time.monotonic() - began
    return seconds, {
        name: NodeLoad((_busy(process) - before[name]) / seconds, process.memory_info().rss)
        for name, process in watched.items()
    }


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
