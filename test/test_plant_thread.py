"""The thread that owns the plant: its jobs, its beats, its relation to other clocks, its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ams_ros.errors import ConfigurationError, RobotError
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.control_loop import ControlLoop, arm_settings, gripper_settings
from ams_ros.simulation.plant import Plant

pytest.importorskip("rclpy")  # the room of the nodes; these two modules of it happen not to need ROS

from ams_ros.nodes.pace import Pace
from ams_ros.nodes.plant_thread import Beat, PlantThread
from ams_ros.nodes.supervised_thread import SupervisedThread

PROFILE = load_profile("widowx_250s")


def build() -> ControlLoop:
    return ControlLoop(Plant(PROFILE), arm_settings(PROFILE), gripper_settings(PROFILE))


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[PlantThread, list[str]]]]:
    started: list[SupervisedThread] = []

    def start(make: Callable[[], ControlLoop] = build, speed: float = 0.0) -> tuple[PlantThread, list[str]]:
        thread, deaths = PlantThread(make, Pace(speed, simulated_time=True)), []
        started.append(SupervisedThread("plant", thread.run, deaths.append))
        return thread, deaths

    yield start
    for thread in started:
        thread.stop("the test is over")


def wait_for(event: threading.Event) -> None:
    assert event.wait(10.0)


def test_time_stands_still_until_resumed_and_after_a_pause(start):
    thread, _ = start()
    thread.wait_built(30.0)
    hundred = threading.Event()
    beats: list[float] = []

    def beat() -> None:
        beats.append(thread.time)
        if len(beats) == 100:
            hundred.set()

    thread.call(lambda _: thread.set_beats([Beat(100.0, beat)]))
    assert thread.call(lambda loop: loop.plant.time) == 0.0
    thread.call(thread.resume)
    wait_for(hundred)
    thread.call(thread.pause)
    paused = thread.call(lambda loop: loop.plant.time)
    assert thread.call(lambda loop: loop.plant.time) == paused
    assert beats[:100] == pytest.approx([0.01 * k for k in range(100)])


@pytest.mark.parametrize("rate", [500.0, 200.0, 30.0, 0.5])
def test_a_beat_keeps_its_rate_also_when_it_is_no_whole_number_of_steps(start, rate):
    thread, _ = start()
    thread.wait_built(30.0)
    ten = threading.Event()
    beats: list[float] = []

    def beat() -> None:
        beats.append(thread.time)
        if len(beats) == 10:
            ten.set()

    thread.call(lambda _: thread.set_beats([Beat(rate, beat), Beat(100.0, lambda: None)]))
    thread.call(thread.resume)
    wait_for(ten)
    for index, at in enumerate(beats[:10]):
        assert index / rate - 1e-6 <= at <= index / rate + 0.002 + 1e-6


def test_a_thinned_beat_is_left_out_where_wall_time_has_hardly_passed_since_the_last():
    done: list[float] = []
    beat = Beat(100.0, lambda: done.append(beat.due), thinned=True)
    for wall in (0.0, 0.001, 0.002, 0.0051, 0.0052, 0.02):
        beat.act(wall)
    assert done == pytest.approx([0.01, 0.04, 0.06])
    assert beat.due == pytest.approx(0.06)


def test_a_call_returns_what_its_job_returns_or_raises_what_it_raises_and_the_thread_lives_on(start):
    thread, deaths = start()

    def refuse(_: ControlLoop) -> None:
        raise ConfigurationError("objects", 30, "1..7")

    with pytest.raises(ConfigurationError, match="objects"):
        thread.call(refuse)
    assert thread.call(lambda loop: loop.plant.cameras) == ("front", "wrist", "overview")
    assert deaths == []


def test_a_bug_in_a_job_ends_the_thread_which_is_told_and_later_calls_fail_at_once(start):
    thread, deaths = start()

    def fail(_: ControlLoop) -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        thread.call(fail)
    begun = time.monotonic()
    while not deaths:
        assert time.monotonic() - begun < 10.0
    assert "a bug" in deaths[0]
    with pytest.raises(RobotError, match="ended"):
        thread.call(lambda loop: loop.plant.time)


def test_a_plant_that_cannot_be_built_is_told_to_whoever_waits_and_is_no_death(start):
    def make() -> ControlLoop:
        raise ConfigurationError("deadband", 5.0, "0..0.1 rad")

    thread, deaths = start(make)
    with pytest.raises(ConfigurationError, match="deadband"):
        thread.wait_built(10.0)
    assert deaths == []


def test_without_simulated_time_only_speed_one_gives_true_stamps():
    with pytest.raises(ConfigurationError, match="use_sim_time"):
        Pace(2.0, simulated_time=False)
    with pytest.raises(ConfigurationError, match="use_sim_time"):
        Pace(0.0, simulated_time=False)


@pytest.mark.parametrize("simulated", [False, True])
def test_stamps_turn_back_into_the_simulation_time_they_came_from(simulated):
    pace = Pace(1.0, simulated_time=simulated)
    pace.restart(12.0)
    assert pace.simulation_time(pace.stamp(12.5)) == pytest.approx(12.5, abs=1e-3)
    if simulated:
        assert pace.stamp(12.5) == 12.5
    else:
        assert pace.stamp(12.0) == pytest.approx(time.time(), abs=5.0)


def test_a_simulation_that_falls_far_behind_gives_the_lost_time_up_and_says_how_much():
    pace = Pace(1.0, simulated_time=True)
    pace.restart(0.0)
    pace.wait(-2.0, StopRequest())
    assert pace.take_lost() == pytest.approx(2.0, abs=0.5)
    assert pace.take_lost() == 0.0
    pace.wait(-2.0, StopRequest())
    assert pace.take_lost() == 0.0
