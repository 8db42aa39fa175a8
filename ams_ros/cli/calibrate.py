"""`ams calibrate`: learn the thresholds of the exception monitor from runs that went well."""
# ruff: noqa: PLC0415 - a verb imports what it needs when it runs, so that `ams --help` answers at once

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ams_ros.cli.output import console, writable_file
from ams_ros.errors import ConfigurationError

if TYPE_CHECKING:
    from ams_ros.exception.calibration.calibration import Calibration
    from ams_ros.exception.calibration.replay import Replay, RunScore
    from ams_ros.exception.calibration.run import Run
    from ams_ros.exception.rule import WatchedRobot
    from ams_ros.exception.threshold_file import RuleSettings
    from ams_ros.replay.calibration import RestNoise

_SIMULATED = "simulated_widowx"


@dataclass(frozen=True, slots=True)
class Source:
    """Where good runs come from, exactly one of: recordings, a running graph, the simulation in this process."""

    bags: tuple[Path, ...]
    live: bool
    simulated: int | None
    tasks: int | None
    seconds: float
    keep: Path | None
    seed: int
    policy: str

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        ways = (bool(self.bags), self.live, self.simulated is not None)
        if sum(ways) != 1:
            raise ConfigurationError("runs to learn from", sum(ways), "one of --bag FILE, --live and --simulated RUNS")
        if self.simulated is not None and not 1 <= self.simulated <= 100_000:
            raise ConfigurationError("--simulated", self.simulated, "1 to 100000")
        if not self.live and (self.tasks is not None or self.keep is not None):
            raise ConfigurationError("--live", False, "--live with --tasks and --keep")
        if self.tasks is not None and self.tasks < 1:
            raise ConfigurationError("--tasks", self.tasks, "at least 1")
        if not 1.0 <= self.seconds <= 86_400.0:
            raise ConfigurationError("--seconds", self.seconds, "1 to 86400")


def calibrate(
    *,
    out: Annotated[Path, typer.Option(metavar="FILE.yaml", help="Write the learned thresholds.")],
    bag: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A recording of good runs, in MCAP; may be repeated.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Record good runs on a running graph.")] = False,
    simulated: Annotated[
        int | None, typer.Option(metavar="RUNS", help="Run tasks of the simulated robot; those that succeed count.")
    ] = None,
    failures: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A recording of runs that failed; may be repeated.")
    ] = None,
    driver: Annotated[str, typer.Option(help="Which robot, by its file in config/drivers.")] = _SIMULATED,
    false_alarms: Annotated[float, typer.Option(help="Good runs a rule may stop, as a share, at most.")] = 0.01,
    held_out: Annotated[float, typer.Option(help="Share of the good runs kept back to judge by.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Draws the runs held out; of the first simulated run.")] = 710_000,
    tasks: Annotated[int | None, typer.Option(help="With --live: end after so many tasks.")] = None,
    seconds: Annotated[float, typer.Option(help="With --live: end after so long at the latest.")] = 600.0,
    keep: Annotated[Path | None, typer.Option(metavar="FILE.mcap", help="With --live: keep the recording.")] = None,
    policy: Annotated[str, typer.Option(help="With --simulated: name or folder of the checkpoint.")] = "cubes",
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out.")] = False,
) -> None:
    """Learn thresholds from runs that went well, and count false alarms on runs they were not learned from.

    Nothing else is changed: give the file to the exception monitor as its parameter `thresholds`. The thresholds of the
    replay signal, learned from the arm at rest in the same runs, are printed: they are the supervisor's parameters.
    """
    from ams_ros.cli.calibrate_view import show, show_signal
    from ams_ros.exception.calibration.calibration import calibrate as learn
    from ams_ros.exception.calibration.calibration import split
    from ams_ros.exception.calibration.overlay_file import check_overlay, write_overlay
    from ams_ros.exception.calibration.replay import Replay
    from ams_ros.exception.threshold_file import load_rule_settings
    from ams_ros.replay.calibration import RestNoise
    from ams_ros.robot.driver_file import load_driver

    source = Source(tuple(bag or ()), live, simulated, tasks, seconds, keep, seed, policy)
    profile = load_driver(driver)
    if simulated is not None and driver != _SIMULATED:
        raise ConfigurationError("--driver", driver, f"{_SIMULATED} with --simulated")
    if not 0.0 < false_alarms <= 0.5:
        raise ConfigurationError("--false-alarms", false_alarms, "above 0 and at most 0.5")
    if not 0.0 <= held_out <= 0.9:
        raise ConfigurationError("--held-out", held_out, "0 to 0.9")
    check_overlay(out, force=force)
    writable_file("--out", out, (".yaml", ".yml"))
    robot, rules = _watched(driver), load_rule_settings(profile)
    replay = Replay(robot, rules)
    noise = RestNoise(robot.profile, profile.rest.velocity)
    good = _scores(replay, _good(source, robot, rules), noise)
    bad = _scores(replay, _recorded(failures or (), robot))
    chosen, kept_back = split(good, held_out, seed)
    found = learn(chosen, kept_back, bad, rules, false_alarms)
    show(found, replay.off, false_alarms)
    show_signal(noise.learned())
    made = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC by ams calibrate, {_told(found, false_alarms)}"
    write_overlay(out, found, profile, made, force=force)
    console().print(f"Thresholds: {out}", markup=False)


def _scores(replay: Replay, runs: Iterable[Run], noise: RestNoise | None = None) -> list[RunScore]:
    found = []
    for run in runs:
        if noise is not None:
            noise.take(run)
        found.append(replay.score(run))
        stopped = f", stopped by {', '.join(sorted(found[-1].alarms))}" if found[-1].alarms else ""
        console().print(f"{run.name}: {len(run.events)} samples and goals{stopped}", markup=False)
    return found


def _good(source: Source, robot: WatchedRobot, rules: RuleSettings) -> Iterator[Run]:
    if source.live:
        from ams_ros.cli.live_recording import recorded_live

        with recorded_live(robot.driver, source.tasks, source.seconds, source.keep) as recording:
            yield from _recorded((recording,), robot)
    elif source.simulated is not None:
        from ams_ros.benchmark.good_runs import good_runs

        yield from good_runs(robot, rules, source.policy, source.simulated, source.seed)
    else:
        yield from _recorded(source.bags, robot)


def _recorded(recordings: Iterable[Path], robot: WatchedRobot) -> Iterator[Run]:
    from ams_ros.exception.calibration.recording import read_runs

    for recording in recordings:
        yield from read_runs(recording, robot.driver, robot.profile)


def _watched(driver: str) -> WatchedRobot:
    from ams_ros.exception.rule import WatchedRobot
    from ams_ros.robot.driver_file import load_driver
    from ams_ros.robot.dynamics import ArmDynamics
    from ams_ros.robot.profile import load_profile

    known = load_driver(driver)
    profile = load_profile(known.robot)
    return WatchedRobot(profile, known, ArmDynamics(profile))


def _told(found: Calibration, rate: float) -> str:
    return f"{found.runs} good runs, false alarms of each rule at most {rate:g} per good run"
