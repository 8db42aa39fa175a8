"""What an evaluation reports: counts, confidence and the JSON keys that users rely on."""

import json

import pytest

from ams_ros.benchmark.confidence import wilson_interval
from ams_ros.benchmark.report import Episode, EvaluationReport


def episode(seed, steps_to_success):
    success = steps_to_success is not None
    return Episode(seed, success, int(success), 200, steps_to_success, 25, "at_rest", "")


def report(*steps_to_success, cap=1500):
    episodes = tuple(episode(seed, steps) for seed, steps in enumerate(steps_to_success))
    return EvaluationReport("cubes", "direct", 1, 0, cap, episodes)


def test_the_interval_is_wilsons():
    # 19 of 20: Wilson's interval by hand, z = 1.959964.
    low, high = wilson_interval(19, 20)
    z, p, n = 1.959964, 0.95, 20
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-6)


def test_no_success_in_fifty_still_leaves_room_for_some():
    low, high = wilson_interval(0, 50)
    assert low == 0.0
    assert 0.0 < high < 0.1


def test_the_median_counts_successes_only_and_the_mean_counts_a_failure_as_the_cap():
    found = report(80, 100, None, cap=300)
    assert found.steps_median_successful == 90
    assert found.steps_mean_capped == pytest.approx((80 + 100 + 300) / 3)


def test_without_a_success_there_is_no_median():
    assert report(None, None).steps_median_successful is None


def test_the_json_form_has_the_promised_keys():
    found = json.loads(report(80, None).to_json())
    assert list(found) == [
        "task", "mode", "objects", "episodes", "seed", "success", "success_rate", "ci95",
        "steps_median_successful", "steps_mean_capped", "cap", "steps_mean_short_cap", "short_cap", "per_episode",
    ]  # fmt: skip
    assert (found["success"], found["success_rate"], len(found["per_episode"])) == (1, 0.5, 2)
