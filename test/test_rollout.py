"""Episodes in one process, with and without a context pool."""

import pytest

from ams_ros.benchmark.local_reuse import LocalReuse
from ams_ros.benchmark.request import EvaluationRequest
from ams_ros.benchmark.rollout import Rollout
from ams_ros.policy.pi0 import load_policy


@pytest.fixture(scope="module")
def policy():
    return load_policy("cubes")


def request(mode):
    return EvaluationRequest("cubes", mode, objects=1, episodes=1, seed=3, cap=24, workers=1)


def test_an_episode_with_an_empty_pool_runs_as_without_one_however_often(policy):
    direct = Rollout(request("direct"), policy).run(3)
    context = Rollout(request("context"), policy)
    assert context.run(3) == direct
    assert context.run(3) == direct


def test_episodes_that_share_a_pool_leave_their_contexts_in_it_slice_by_slice(policy):
    with LocalReuse(policy, host_bytes=2**24) as reuse:
        rollout = Rollout(request("context"), policy, reuse)
        ends = [rollout.run(3), rollout.run(3)]
        stored = [each.record for each in reuse.pool.listing("", None, 0, 100).contexts]
        hits = reuse.pool.stats().hits
    assert ends[0] == ends[1]
    episodes = sorted({record.episode for record in stored})
    assert len(episodes) == 2
    for episode in episodes:
        assert sorted(record.index for record in stored if record.episode == episode) == [0, 1, 2]
    assert hits == 0  # the second episode found everything on its own device
