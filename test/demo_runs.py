"""Runs for the tests of the demo's film and page: recorded by what records the real ones, in a world of arithmetic."""

from __future__ import annotations

from dataclasses import replace

from replay_world import CUBES, ReplayWorld
from task_world import stopped

from ams_ros.cli import demo_record
from ams_ros.cli.demo_record import DemoRecord, Injection, RunLog, RunRecord
from ams_ros.cli.task_report import Score, TaskReport
from ams_ros.types import EventKind, Mode, StopStage

EXCEPTION = stopped(1, stage=StopStage.CANCEL, detection_seconds=0.0014, acknowledge_seconds=0.003, rest_seconds=0.076)
PUSH = Injection("push", "hand", 40.0, "N", 0.4, 8, 0.7)


def report_of(result, mode: Mode, placed: int) -> TaskReport:
    """The report of a task that was run in the world of arithmetic, whose simulator found `placed` of 3 cubes."""
    return TaskReport(
        task="cubes",
        instruction=CUBES,
        mode=mode.value,
        seed=7,
        objects=3,
        success=placed == 3,
        placed=placed,
        steps=result.steps,
        inferences=result.inferences,
        exceptions=result.exceptions,
        replays=result.replays,
        seconds=result.seconds,
        policy_seconds=result.policy_seconds,
        outcome=result.outcome.value,
        message=result.message,
        jobs=3 if mode.replayed else 0,
        job_steps=tuple(result.job_steps) if mode.replayed else None,
    )


def recorded(world: ReplayWorld, mode: Mode, placed: int, monkeypatch, injection: Injection | None = None) -> RunRecord:
    """Run the world and have a RunLog hear of it, on the world's clock."""
    log = RunLog()
    monkeypatch.setattr(demo_record.time, "monotonic", lambda: world.clock.time)
    log.begun(CUBES, Score(0, 3, False))
    began = world.clock.time
    tell, say = world.events.append, world.progress.append
    world.loop._on_event = lambda event: (tell(event), log.happened(event), _monitor(log, event))
    world.loop._on_progress = lambda status: (say(status), log.moved_on(status))
    result = world.run(mode=mode, jobs=3 if mode.replayed else 0, budget=200)
    log.scored(Score(placed, 3, placed == 3))
    if injection is not None:
        injection = replace(injection, seconds=began + injection.seconds)
    return log.record(report_of(result, mode, placed), injection)


def _monitor(log: RunLog, event) -> None:
    if event.kind is EventKind.EXCEPTION:
        log.excepted(EXCEPTION)


def demo_record_of(monkeypatch, *, placed: int = 3) -> DemoRecord:
    """Direct inference that stops after one cube; then three attempts, the first of which is pushed."""
    direct = recorded(ReplayWorld(3), Mode.DIRECT, 1, monkeypatch)
    world = ReplayWorld(3, 3, 3)
    world.robot.events[1] = EXCEPTION
    ams = recorded(world, Mode.AMS, placed, monkeypatch, PUSH)
    return DemoRecord(direct, ams, 0, b"an mp4", {"Policy": "cubes"})
