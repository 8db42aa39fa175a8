"""No simulator truth reaches policy or AMS: it is under seal while anything but the scorer runs."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from typer.testing import CliRunner

from ams_ros.benchmark import rollout as rollouts
from ams_ros.benchmark.library import LIBRARY_SEEDS, make_library
from ams_ros.benchmark.report import Episode, Signals, Times
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.rollout import Rollout
from ams_ros.benchmark.scorer import Scorer
from ams_ros.benchmark.troubles import SCENARIOS, draw_troubles
from ams_ros.benchmark.truth import SealedPlant, TruthLeak
from ams_ros.benchmark.workplace import DRIVERS, Workplace, surroundings_of
from ams_ros.cli.main import app
from ams_ros.errors import ConfigurationError
from ams_ros.policy.pi0 import load_policy
from ams_ros.recovery.surroundings import load_surroundings
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.profile import load_profile
from ams_ros.robot.stop_request import StopRequest
from ams_ros.simulation.plant import Plant
from ams_ros.simulation.robot import SimulatedRobot
from ams_ros.simulation.tasks import find_task
from ams_ros.types import EventKind, Mode, Phase, TaskEvent, TaskStatus

PROFILE = load_profile("widowx_250s")


def request(mode: str = "direct", **changes: object) -> EvaluationRequest:
    values = {"objects": 1, "episodes": 1, "seed": 900_500, "cap": 24, "workers": 1, "library": 1, **changes}
    return EvaluationRequest("cubes", mode, **values)


@pytest.fixture(scope="module")
def policy():
    return load_policy("cubes")


@pytest.fixture(scope="module")
def workplace():
    place = Workplace("widowx_250s", "cubes")
    yield place
    place.close()


@pytest.fixture(scope="module")
def library(policy, workplace, tmp_path_factory):
    return make_library(request("ams"), policy, workplace, tmp_path_factory.mktemp("library")).files


def test_everything_that_calls_itself_truth_is_sealed():
    told = {name for name, member in vars(Plant).items() if (member.__doc__ or "").startswith("Truth")}
    assert told >= {"cube_poses", "cube_speeds"}
    plant = SealedPlant(PROFILE)
    for name in told:
        with pytest.raises(TruthLeak, match=name):
            getattr(plant, name)()
        with plant.seal.scoring():
            getattr(plant, name)()
    with pytest.raises(TruthLeak, match="layout"):
        _ = plant.layout
    plant.close()


def test_since_when_a_fault_works_is_sealed_on_the_robot_that_is_evaluated(workplace):
    for acts in (True, False):
        robot = workplace.body(acts=acts).robot
        assert SimulatedRobot.effective_since.__doc__.startswith("Truth")
        with pytest.raises(TruthLeak, match="effective_since"):
            robot.effective_since("push")


def test_a_task_cannot_be_scored_by_anybody_else(workplace):
    task = find_task("cubes")
    workplace.body(acts=False).robot.reset(task.sample(1, 2))
    with pytest.raises(TruthLeak):
        task.placed(workplace.plant)


@pytest.mark.parametrize("mode", [mode.value for mode in Mode])
def test_every_mode_runs_with_the_truth_sealed(mode, policy, workplace, library):
    episode = Rollout(request(mode), policy, library=library, workplace=workplace).run(900_500)
    assert episode.steps == 24
    assert episode.outcome == "budget_spent"
    assert not episode.success


def test_a_policy_that_peeks_ends_the_evaluation_rather_than_its_task(policy, workplace, monkeypatch):
    class Peeking(rollouts.SliceInference):
        def infer(self, observation, request):
            workplace.plant.cube_poses()
            return super().infer(observation, request)

    monkeypatch.setattr(rollouts, "SliceInference", Peeking)
    with pytest.raises(TruthLeak, match="cube_poses"):
        Rollout(request(), policy, workplace=workplace).run(900_500)


def test_an_episode_is_a_function_of_policy_library_task_and_seed(policy, workplace, library):
    first, again = (
        Rollout(request("ams"), policy, library=library, workplace=workplace).run(900_501) for _ in range(2)
    )
    assert first == again


def test_a_library_begins_the_tasks_of_modes_that_are_guided(policy, workplace, library):
    told: list[TaskEvent] = []
    for mode in ("context", "ams"):
        Rollout(request(mode), policy, library=library, workplace=workplace, on_event=told.append).run(900_502)
    guided = [event.reuse.guided_by for event in told if event.kind is EventKind.SLICE]
    assert [bool(name) for name in guided] == [True, True, False] * 2


def test_the_robots_own_evidence_marks_a_library_and_truth_only_counts(policy, workplace, tmp_path):
    made = make_library(request("ams", library=1), policy, workplace, tmp_path)
    assert len(made.files) == 1
    assert made.files[0].stat().st_size > 0
    assert made.false in (0, 1)


class TestScorer:
    def scorer(self, workplace, ends=False, **changes):
        workplace.body(acts=False).robot.reset(find_task("cubes").sample(7, 1))
        stop = StopRequest()
        return Scorer(request(**changes), workplace.plant, stop, ends=ends), stop

    def status(self, phase, step):
        return TaskStatus(phase, step, step // 8)

    def replay(self, step, message):
        return TaskEvent(EventKind.REPLAY, 1.0, step, 0, 1, message)

    def test_an_idle_slice_after_which_the_task_goes_on_is_a_false_negative(self, workplace):
        scorer, _ = self.scorer(workplace)
        for phase, step in ((Phase.INFERRING, 0), (Phase.EXECUTING, 0), (Phase.INFERRING, 8), (Phase.EXECUTING, 8)):
            scorer.status(self.status(phase, step))
        scorer.event(self.replay(16, "nothing has moved any more"))
        scorer.status(self.status(Phase.INFERRING, 16))
        signals = scorer.signals
        assert (signals.idle, signals.false_negatives, signals.raised) == (2, 1, 1)

    def test_a_signal_at_the_start_pose_is_no_false_positive_and_one_under_way_is(self, workplace):
        scorer, _ = self.scorer(workplace)
        scorer.event(self.replay(8, "the policy moves nothing any more"))
        assert scorer.signals.false_positives == 0
        away = PROFILE.start + np.array([0.3, 0.0, 0.0, 0.0, 0.0, 0.0])
        workplace.plant.command_arm(away)
        workplace.plant.advance(1.0)
        scorer.event(self.replay(16, "the policy moves nothing any more"))
        assert (scorer.signals.raised, scorer.signals.false_positives) == (2, 1)

    def test_an_attempt_that_was_cut_off_is_no_signal(self, workplace):
        scorer, _ = self.scorer(workplace)
        scorer.event(self.replay(300, "300 steps have brought nothing"))
        assert scorer.signals.raised == 0

    def test_a_task_that_nobody_ends_is_ended_once_everything_has_been_in_place_for_a_while(self, workplace):
        workplace.body(acts=False).robot.reset(find_task("cubes").sample(7, 1, 1))
        for ends in (True, False):
            stop = StopRequest()
            scorer = Scorer(request(), workplace.plant, stop, ends=ends)
            scorer.status(self.status(Phase.INFERRING, 40))
            assert not stop.requested
            scorer.status(self.status(Phase.INFERRING, 120))
            assert stop.requested is ends
            assert scorer.first_success == 40


def test_troubles_are_those_of_the_seed_and_one_follows_the_other():
    for scenario, kinds in SCENARIOS.items():
        drawn = [draw_troubles(scenario, seed, PROFILE, 75.0) for seed in (1, 1, 2)]
        assert [each.begin for each in drawn[0]] == [each.begin for each in drawn[1]]
        assert {each.kind for each in drawn[0]} <= set(kinds)
        if kinds:
            assert len(drawn[0]) >= 7
            assert [each.begin for each in drawn[0]] != [each.begin for each in drawn[2]]
        for before, after in zip(drawn[0], drawn[0][1:], strict=False):
            assert after.begin >= before.begin + before.seconds


def test_an_episode_survives_its_json_form():
    episode = Episode(
        3,
        True,
        2,
        200,
        190,
        25,
        "finished",
        "",
        2,
        (90, 190),
        (95, 190),
        2,
        2,
        0,
        Signals(1),
        Times(9.0, (4.0,), {"encode": 1.0}, 2.0),
    )
    again = Episode.from_dictionary(json.loads(json.dumps(asdict(episode))))
    assert (again, again.times) == (episode, episode.times)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("tidy",), "task"),
        (("cubes", "--mode", "magic"), "mode"),
        (("cubes", "--faults", "flood"), "faults"),
        (("cubes", "--robot", "arm"), "robot"),
        (("cubes", "--objects", "9"), "objects"),
        (("cubes", "--library", "-1"), "library"),
        (("cubes", "--seed", str(LIBRARY_SEEDS.start - 3)), "seed"),
        (("cubes", "--json", "/proc/none/report.json"), "--json"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_anything_runs(arguments, named):
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.key == named


def test_every_robot_that_can_be_evaluated_is_there():
    for name, driver in DRIVERS.items():
        assert load_profile(name).name == name
        assert load_driver(driver).name
        assert load_surroundings(surroundings_of(name, "cubes")).place("bowl")


def test_a_scene_without_a_bowl_has_no_bowl_around_the_arm():
    assert not load_surroundings(surroundings_of("widowx_250s", "cups")).places
    with pytest.raises(ConfigurationError, match="cups"):
        surroundings_of("jaka_s5", "cups")
