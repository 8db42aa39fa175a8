"""Timing of several things in turn, so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

import numpy as np

from ams_ros.types import Float64Array

Subject = Callable[[int], object]
"""Does the timed work of one round; is given the round's number, from 0."""


def interleave(
    subjects: Mapping[str, Subject], rounds: int, warm_up: int = 2, after: Subject | None = None
) -> dict[str, Float64Array]:
    """Seconds of every round by subject, (rounds,); the first `warm_up` rounds are run and not counted.

    after: undoes a round's work, untimed. Python's own collection of garbage waits until the end.
    """
    # Written in place: a list of a hundred thousand numbers would count as memory of what is measured.
    seconds = {name: np.zeros(rounds) for name in subjects}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(warm_up + rounds):
            for name, subject in subjects.items():
                began = time.perf_counter()
                subject(number)
                took = time.perf_counter() - began
                if number >= warm_up:
                    seconds[name][number - warm_up] = took
            if after is not None:
                after(number)
    finally:
        if collecting:
            gc.enable()
    return seconds


def ratio(subject: Float64Array, control: Float64Array) -> float:
    """How many times longer the subject took: the median over the rounds, each against the control of its own round."""
    return float(np.median(subject / control))


def percentile(seconds: Float64Array, percent: float, unit: float) -> float:
    """That percentile in units of `unit` seconds, such as 1e-6."""
    return float(np.percentile(seconds, percent) / unit)
