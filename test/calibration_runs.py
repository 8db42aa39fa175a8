"""Runs of an arm at its start pose whose wrist is shaken."""

from __future__ import annotations

import numpy as np
from watched_arm import NAMES, PERIOD, PROFILE

from ams_ros.exception.calibration.run import Arrived, Begun, Ended, Run, RunEvent
from ams_ros.exception.plan import MotionPlan
from ams_ros.exception.sub_slices import cut_into_sub_slices
from ams_ros.types import JointSample, WrenchSample

REST = 20
"""Samples before and after the goal."""


def shaken(name: str, forces: np.ndarray, plan: MotionPlan | None = None) -> Run:
    """At rest, then with these forces (n, 3) N at the wrist while a goal runs, a hundred samples a second."""
    quiet = np.zeros((REST, 3))
    events: list[RunEvent] = []
    rows = np.vstack((quiet, forces, quiet))
    rng = np.random.default_rng(len(forces))
    for number, row in enumerate(rows, start=1):
        stamp = 5.0 + PERIOD * number
        if number == REST + 1:
            events.append(Begun(plan, stamp - PERIOD))
        if number == REST + len(forces) + 1:
            events.append(Ended(stamp - PERIOD))
        events.append(Arrived(joints(stamp, rng.normal(0.0, 1e-4, len(PROFILE.joints))), stamp))
        events.append(Arrived(WrenchSample(stamp, "elsewhere", row, np.zeros(3)), stamp))
    return Run(name, tuple(events))


def joints(stamp: float, off: np.ndarray) -> JointSample:
    """The start pose, `off` (dof,) rad by the encoders' noise, as a driver delivers it."""
    zeros = np.zeros(len(NAMES))
    return JointSample(stamp, tuple(NAMES), np.array([*(PROFILE.start + off), 0.03]), zeros, zeros)


def noise(seed: int, samples: int = 30, size: float = 2.0) -> np.ndarray:
    """Forces (samples, 3) N."""
    return np.random.default_rng(seed).normal(0.0, size, (samples, 3))


def standing(slice_number: int, goal: str) -> MotionPlan:
    """A plan that stays at the start pose."""
    rows = np.tile(PROFILE.start, (6, 1))
    ends = cut_into_sub_slices(rows, PROFILE.start, 0.05)
    return MotionPlan(goal, "c", slice_number, 0, rows, np.nan, np.nan, 0.05, ends)
