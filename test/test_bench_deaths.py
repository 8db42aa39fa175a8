"""What `ams bench deaths` makes of its times, and what it refuses."""

from __future__ import annotations

import math

import pytest

from ams_ros.benchmark.deaths.figures import Death, death_figures, overall
from ams_ros.benchmark.deaths.request import DeathsBenchRequest
from ams_ros.errors import ConfigurationError


def test_a_stop_later_than_250_ms_counts_against_the_goal_and_a_motion_that_ended_by_itself_has_no_cancel():
    deaths = [Death(0.02, 0.1, "failed"), Death(math.nan, 0.3, "failed")]
    figures = death_figures(deaths)
    assert (figures["kills"], figures["canceled"]) == (2, 1)
    assert figures["canceled_ms_max"] == pytest.approx(20.0)
    assert figures["rest_ms_max"] == pytest.approx(300.0)
    assert figures["within_250_ms"] == 0.5
    assert figures["outcomes"] == {"failed": 2}


def test_only_deaths_after_which_somebody_can_stop_the_arm_are_judged():
    quick, slow = death_figures([Death(0.02, 0.1, "")]), death_figures([Death(0.02, 0.4, "")])
    nothing = death_figures([Death(math.nan, 1.5, "the task went on")], stops=False)
    assert nothing["rest_ms_max"] is None
    rows = {"monitor": quick, "supervisor": quick, "both": slow, "pool": nothing}
    assert overall(rows) == {"rest_ms_max": pytest.approx(100.0), "within_250_ms": 1.0}
    assert overall({**rows, "inference": slow})["within_250_ms"] == 0.0
    assert overall({"both": slow}) == {}


@pytest.mark.parametrize(("fields", "words"), [({"cases": ("robot",)}, "robot.*monitor"), ({"kills": 0}, "0.*1000")])
def test_what_cannot_be_measured_is_refused(fields, words):
    with pytest.raises(ConfigurationError, match=words):
        DeathsBenchRequest(**fields)
