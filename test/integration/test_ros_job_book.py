"""How attempts went, told to a pool that is a process of its own (R4)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from ams_ros.srv import ListContexts
from disk_fixtures import new_context
from pool_client import PoolClient
from ros_probe import wait_until

from ams_ros.nodes.ros_job_book import RosJobBook
from ams_ros.robot.stop_request import StopRequest

pytestmark = pytest.mark.integration

AWAY, BACK = "does not answer", "answers: how attempts went"


@pytest.fixture(scope="module")
def node(start_shared_node, probe):
    started = start_shared_node("context_pool", {"store": "", "host_bytes": 4 * 2**20})
    probe.bring_up(started.name)
    return started


@pytest.fixture
def pool(node, probe):
    client = PoolClient(probe, node.name)
    yield client
    client.close()


@contextmanager
def working(book: RosJobBook) -> Iterator[None]:
    """Its thread runs meanwhile, and has ended when the block has."""
    stop = StopRequest()
    thread = threading.Thread(target=book.work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.request("the test is over")
        thread.join(10.0)
        assert not thread.is_alive()


def outcomes(pool, episode):
    return {each.context_id: each.outcome for each in pool.call(ListContexts, "list", reference=episode).contexts}


def test_r4_every_context_of_an_attempt_is_marked_those_that_come_later_too(probe, node, pool):
    pool.keep([new_context(f"good-{k}", seed=k, index=k, episode="good") for k in range(2)])
    pool.keep([new_context("bad-0", seed=5, episode="bad")])
    book = RosJobBook(probe.node, node.name, 2.0)
    with working(book):
        book.succeeded("good")
        book.failed("bad")
        book.failed("nobody-knows-it-yet")
        wait_until(lambda: outcomes(pool, "bad") == {"bad-0": "failed"}, "the second attempt is marked")
    pool.keep(
        [new_context("good-2", seed=7, index=2, episode="good"), new_context("late", episode="nobody-knows-it-yet")]
    )
    assert outcomes(pool, "good") == dict.fromkeys(("good-0", "good-1", "good-2"), "succeeded")
    assert outcomes(pool, "nobody-knows-it-yet") == {"late": "failed"}


def test_a_pool_that_hangs_holds_nobody_up_is_told_once_and_is_told_of_what_waited(probe, node, pool, capfd):
    pool.keep([new_context(f"held-{k}", seed=20 + k, episode=f"held-{k}") for k in range(3)])
    book = RosJobBook(probe.node, node.name, 0.2)
    told = ""
    with working(book):
        with node.frozen():
            for k in range(3):
                book.succeeded(f"held-{k}")  # returns, although nobody can answer

            def noticed():
                nonlocal told
                told += capfd.readouterr().err
                return AWAY in told

            wait_until(noticed, "the absence is told")
        wait_until(lambda: outcomes(pool, "held-2") == {"held-2": "succeeded"}, "what waited is told")
    told += capfd.readouterr().err
    assert [told.count(words) for words in (AWAY, BACK)] == [1, 1]
    assert outcomes(pool, "held-0") == {"held-0": "succeeded"}


def test_without_any_pool_nothing_raises_nothing_waits_and_it_is_told_once(probe, capfd):
    book, told = RosJobBook(probe.node, "/nobody/pool", 0.2), ""
    with working(book):
        for k in range(200):
            (book.succeeded if k % 2 else book.failed)(f"attempt-{k}")

        def noticed():
            nonlocal told
            told += capfd.readouterr().err
            return AWAY in told

        wait_until(noticed, "the absence is told")
    told += capfd.readouterr().err
    assert told.count(AWAY) == 1
