"""Requests that one thread answers in turn: each is answered or refused, exactly once."""

from __future__ import annotations

import threading

import pytest

from ams_ros.nodes.work_lane import Job, WorkLane
from ams_ros.robot.stop_request import StopRequest


class Client:
    """Notes what became of the requests it made."""

    def __init__(self) -> None:
        self.answers: list[str] = []

    def job(self, name: str) -> Job:
        return Job(lambda _: self.answers.append(name), lambda reason: self.answers.append(f"{name} refused: {reason}"))


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def lane():
    lane = WorkLane(2, "busy")
    lane.open()
    return lane


def run(lane: WorkLane, jobs: int, client: Client) -> None:
    """Run the loop until so many answers are there."""
    stop = StopRequest()
    thread = threading.Thread(target=lane.work, args=(stop,))
    thread.start()
    while len(client.answers) < jobs:
        assert thread.is_alive()
    stop.request("enough")
    thread.join()


def test_jobs_run_in_the_order_they_came(lane, client):
    lane.take(client.job("first"), "closed")
    lane.take(client.job("second"), "closed")
    run(lane, 2, client)
    assert client.answers == ["first", "second"]


def test_one_more_than_may_wait_is_refused_at_once(lane, client):
    for name in ("a", "b", "c"):
        lane.take(client.job(name), "closed")
    assert client.answers == ["c refused: busy"]


def test_a_lane_that_is_not_open_refuses_with_the_given_words(client):
    lane = WorkLane(2, "busy")
    lane.take(client.job("early"), "the node is inactive")
    assert client.answers == ["early refused: the node is inactive"]


def test_closing_refuses_what_waits_and_what_comes_and_opening_takes_again(lane, client):
    lane.take(client.job("waiting"), "closed")
    lane.close("the node stops")
    lane.take(client.job("late"), "closed")
    assert client.answers == ["waiting refused: the node stops", "late refused: closed"]
    lane.open()
    lane.take(client.job("new"), "closed")
    run(lane, 3, client)
    assert client.answers[-1] == "new"


def test_a_job_that_raises_is_refused_and_ends_the_loop_so_that_the_node_hears_of_it(lane, client):
    def break_down(_: StopRequest) -> None:
        raise ValueError("the disk is on fire")

    lane.take(Job(break_down, client.answers.append), "closed")
    with pytest.raises(ValueError, match="on fire"):
        lane.work(StopRequest())
    assert client.answers == ["failed: ValueError: the disk is on fire"]
