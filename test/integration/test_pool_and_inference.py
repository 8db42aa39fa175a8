"""Inference with a context pool beside it: real processes, a policy with random weights, a robot at rest."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from ams_ros.action import RunTask
from ams_ros.msg import Guidance
from ams_ros.srv import InferSlice, ListContexts, SetOutcome
from disk_fixtures import MODEL, new_context, record, same_record
from pool_client import PoolClient, keyed
from random_policy import INSTRUCTION
from resting_robot import Robot
from ros_probe import Probe, wait_until

from ams_ros.context.records import ContextOutcome, VectorKind
from ams_ros.context.store import SimilarQuery
from ams_ros.errors import ConfigurationError
from ams_ros.nodes.ros_context_store import RosContextStore
from ams_ros.robot.stop_request import StopRequest

pytestmark = pytest.mark.integration

MIB = 2**20
WARN = b"\x01"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return {"store": str(tmp_path_factory.mktemp("pool") / "store"), "host_bytes": 16 * MIB}


@pytest.fixture(scope="module")
def pool_node(start_shared_node, probe, settings):
    node = start_shared_node("context_pool", settings)
    probe.bring_up(node.name)
    return node


@pytest.fixture(scope="module")
def inference(start_shared_node, probe, pool_node, random_checkpoint):
    node = start_shared_node("inference", {"policy": str(random_checkpoint)})
    probe.bring_up(node.name)
    return node


@pytest.fixture
def pool(probe, pool_node):
    client = PoolClient(probe, pool_node.name)
    yield client
    client.close()


class Asker:
    """Asks one inference node for slices of a robot at rest."""

    def __init__(self, probe, node, robot):
        self._probe, self._node, self.robot = probe, node, robot

    def __call__(self, seed=1, **fields):
        reply = self.answer(seed, **fields)
        assert reply.success, reply.message
        return reply

    def answer(self, seed=1, **fields):
        service = f"{self._node.name}/infer_slice"
        return self._probe.call(InferSlice, service, instruction=INSTRUCTION, seed=seed, **fields)

    def until(self, wanted, **fields):
        # By the clock, not by the number of answers: one that names a silent camera comes at once.
        deadline = time.monotonic() + 30.0
        while time.monotonic() < deadline:
            reply = self.answer(**fields)
            if wanted(reply):
                return reply
        raise AssertionError(f"the answer stayed: {reply.success} {reply.message} {reply.reuse}")


@pytest.fixture
def ask(probe, inference):
    with Robot(probe) as robot:
        asker = Asker(probe, inference, robot)
        asker.until(lambda reply: reply.success and reply.reuse.pool == "connected")
        yield asker
    assert probe.state(inference.name) == "active", inference.output()


def stored(pool, reply):
    """The context of a slice, once it has arrived in the pool."""
    name = reply.slice.context_id
    found = []

    def arrived():
        found[:] = pool.whole(name).contexts
        return bool(found)

    wait_until(arrived, f"context {name} is in the pool")
    return pool.whole(name)


def latents_of(pool, reply):
    answer = stored(pool, reply)
    return pool.read(answer, next(each for each in answer.contexts[0].vectors if each.kind == "latents"))


def test_c1_what_inference_computed_is_in_the_pool_with_its_circumstances(ask, pool):
    reply = ask(seed=17, episode="first-task", index=4)
    assert reply.reuse.stored
    answer = stored(pool, reply)
    (context,) = answer.contexts
    assert (context.instruction, context.episode, context.index, context.seed) == (INSTRUCTION, "first-task", 4, 17)
    assert context.outcome == "unknown"
    kinds = sorted(each.kind for each in context.vectors)
    assert kinds == sorted([*["vision"] * 2, "prefix", "latents", "times", "output", "joints", "gripper"])
    told = next(each for each in context.vectors if each.kind == "joints")
    assert pool.read(answer, told).ravel().tolist() == pytest.approx(list(reply.slice.positions))


def test_c2_a_robot_at_rest_reuses_the_whole_prefix_and_the_report_says_so(ask):
    ask.robot.brightness["front"] = 40
    ask.until(lambda reply: reply.reuse.prefix == "")
    again = ask.until(lambda reply: reply.reuse.prefix == "exact")
    assert list(again.reuse.tiers) == ["process"]
    assert again.reuse.bytes_reused > 0
    ran = [stage.stage for stage in again.stages]
    assert "prefix" not in ran
    assert "encode" not in ran
    whole = ask(bypass_pool=True)
    assert list(whole.slice.positions) == pytest.approx(list(again.slice.positions), abs=1e-4)


def test_c2_one_camera_that_changed_leaves_the_other_ones_features_reused(ask):
    ask.robot.brightness.update(front=80, wrist=80)
    ask.until(lambda reply: reply.reuse.prefix == "")
    ask.until(lambda reply: reply.reuse.prefix == "exact")
    ask.robot.brightness["wrist"] = 81
    changed = ask.until(lambda reply: list(reply.reuse.vision_exact) == ["front"])
    assert changed.reuse.prefix == ""


def test_c7_another_process_of_the_same_policy_reuses_it_from_the_pool_and_one_of_another_calibration_does_not(
    ask, pool, probe, inference
):
    ask.robot.brightness.update(front=120, wrist=120)
    ask.until(lambda reply: reply.reuse.prefix == "")
    stored(pool, ask())
    # Configuring anew empties the tier on the device.
    probe.reconfigure(inference.name, calibration="")
    found = ask.until(lambda reply: reply.success and reply.reuse.pool == "connected")
    assert (found.reuse.prefix, list(found.reuse.tiers)) == ("exact", ["host"])
    with probe.reconfigured(inference.name, calibration="moved"):
        other = ask.until(lambda reply: reply.success and reply.reuse.pool == "connected")
        assert (other.reuse.prefix, list(other.reuse.vision_exact)) == ("", [])


def test_a_request_that_bypasses_the_pool_neither_reads_nor_leaves_a_trace(ask, pool):
    stored(pool, ask())
    before = pool.stats()
    reply = ask(bypass_pool=True, episode="unseen")
    assert (reply.reuse.pool, reply.reuse.prefix, reply.reuse.stored) == ("bypassed", "", False)
    assert [stage.stage for stage in reply.stages] == ["encode", "prefix", "denoise", "decode"]
    # Contexts arrive in order, so once a later one is there, this one would be.
    later = ask()
    stored(pool, later)
    assert pool.stats().contexts == before.contexts + 1
    assert not pool.whole(reply.slice.context_id).contexts


def test_guidance_starts_denoising_from_a_stored_latent_by_context_by_episode_and_by_similarity(ask, pool):
    first = ask(seed=3, episode="guide", index=0)
    second = ask(seed=4, episode="guide", index=1)
    assert len(latents_of(pool, second)) == second.reuse.steps + 1

    def guided(reference, **fields):
        guidance = Guidance(reference=reference, start_time=0.5, **fields)
        return ask(seed=99, episode="led", index=1, guidance=guidance).reuse

    by_context = guided(first.slice.context_id)
    assert (by_context.guided_by, by_context.start_time) == (first.slice.context_id, 0.5)
    assert by_context.steps == first.reuse.steps // 2
    assert guided("guide").guided_by == second.slice.context_id
    noise = guided("guide", variant="noise")
    assert (noise.start_time, noise.steps) == (1.0, first.reuse.steps)
    assert guided("guide", variant="renoised", steps=1).steps == 1

    nobody = guided("similar")
    assert nobody.guided_by == ""
    assert "succeeded" in nobody.message
    assert pool.call(SetOutcome, "set_outcome", reference="guide", outcome="succeeded").contexts == 2
    similar = guided("similar")
    assert similar.guided_by in (first.slice.context_id, second.slice.context_id)
    assert similar.similarity > 0.9
    assert similar.guided_episode == "guide"

    # R4: by the beginning of the nearest success, the same slice of it; beyond the last success from noise.
    success = guided("success")
    assert (success.guided_by, success.guided_episode) == (second.slice.context_id, "guide")
    exhausted = guided("success", rank=1)
    assert (exhausted.guided_by, exhausted.guided_episode, exhausted.start_time) == ("", "", 1.0)
    assert "rank 1" in exhausted.message


@pytest.mark.parametrize(
    ("guidance", "words"),
    [
        ({"reference": "nobody", "start_time": 0.5}, ["nobody"]),
        ({"reference": "similar", "start_time": 0.0}, ["start_time", "0.0", "above 0"]),
        ({"reference": "similar", "start_time": 0.5, "variant": "magic"}, ["variant", "magic", "latent"]),
        ({"reference": "a b", "start_time": 0.5}, ["guidance", "a b"]),
        ({"reference": "similar", "start_time": 0.5, "rank": 1}, ["guidance rank", "1", "success"]),
    ],
)
def test_guidance_that_cannot_be_followed_is_answered_with_what_is_wrong(ask, guidance, words):
    reply = ask.answer(guidance=Guidance(**guidance))
    assert not reply.success
    assert all(word in reply.message for word in words), reply.message


def test_a_frozen_pool_holds_inference_up_once_is_told_and_is_used_again_when_it_goes_on(
    ask, pool_node, probe, inference
):
    status = probe.status(inference.name)
    with pool_node.frozen():
        ask.robot.brightness["front"] = 160
        away = ask.until(lambda reply: reply.success and reply.reuse.pool == "absent")
        assert not away.reuse.stored
        told = status.wait_for(lambda m: m.level == WARN and "absent" in m.message, "the absence is told")
        assert "context_pool" in told.message
        assert [each.value for each in told.values if each.key == "state"] == ["active"]
    ask.until(lambda reply: reply.reuse.pool == "connected" and reply.reuse.stored)
    status.wait_for(lambda m: "all is well again" in m.message, "the return is told")


def test_inference_goes_on_when_the_pool_is_killed_and_uses_its_successor(ask, start_node, probe, inference, tmp_path):
    settings = {"store": str(tmp_path / "store"), "host_bytes": 16 * MIB}
    first = start_node("context_pool", settings, namespace="/frail")
    probe.bring_up(first.name)
    client = PoolClient(probe, first.name)
    with probe.reconfigured(inference.name, pool=first.name):
        status = probe.status(inference.name)
        ask.until(lambda reply: reply.success and reply.reuse.pool == "connected")
        stored(client, ask(episode="durable"))
        assert client.call(SetOutcome, "set_outcome", reference="durable", outcome="succeeded").success
        memory = client.whole("durable").memory
        with working(ask) as replies:
            first.process.kill()
            first.process.wait()
            gone = status.wait_for(lambda m: m.level == WARN and "absent" in m.message, "the absence is told")
            assert [each.value for each in gone.values if each.key == "state"] == ["active"]
            second = start_node("context_pool", settings, namespace="/frail")
            # Whoever met the dead node may send to it instead, for as long as DDS takes to notice that it is dead.
            with closing(Probe("newcomer")) as newcomer:
                newcomer.bring_up(second.name)
                wait_until(
                    lambda: replies[-1].reuse.pool == "connected" and replies[-1].reuse.stored, "it is used", 30.0
                )
                assert PoolClient(newcomer, second.name).whole("durable").contexts[0].outcome == "succeeded"
        assert all(reply.success for reply in replies), [reply.message for reply in replies if not reply.success]
        assert not (Path("/dev/shm") / memory).exists()
    client.close()


@contextmanager
def working(ask):
    """Ask for one slice after another while the block runs; yields the list of the answers so far."""
    enough, replies = threading.Event(), [ask.answer()]

    def work():
        while not enough.is_set():
            replies.append(ask.answer())

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield replies
    finally:
        enough.set()
        worker.join()


def test_without_a_pool_configured_every_slice_is_computed_whole(probe, inference, ask):
    with probe.reconfigured(inference.name, use_pool=False):
        reply = ask.until(lambda reply: reply.success)
        assert (reply.reuse.pool, reply.reuse.stored) == ("off", False)
        assert [stage.stage for stage in reply.stages] == ["encode", "prefix", "denoise", "decode"]


def test_a_task_in_mode_context_keeps_its_slices_under_its_episode(probe, pool, inference, start_node):
    robot = start_node("simulated_robot")
    supervisor = start_node("replay_supervisor", {"rest.slices": 1000})
    for node in (robot, supervisor):
        probe.bring_up(node.name)
    # The robots of earlier tests are gone; until this one is discovered, their cameras count as silent.
    asker = Asker(probe, inference, robot)
    asker.until(lambda reply: reply.success, bypass_pool=True)

    def run(**fields):
        goal = RunTask.Goal(**{"instruction": INSTRUCTION, "mode": "context", "step_budget": 16, "seed": 1, **fields})
        handle = probe.send_goal(RunTask, f"{supervisor.name}/run_task", goal)
        return probe.result(handle, 60.0).result

    named = run(episode="my-task")
    assert (named.outcome, named.episode, named.inferences) == ("budget_spent", "my-task", 2), named.message
    wait_until(lambda: pool.call(ListContexts, "list", reference="my-task").total == 2, "both slices are stored")
    listed = pool.call(ListContexts, "list", reference="my-task").contexts
    assert {each.index for each in listed} == {0, 1}
    made_up = run(guidance=Guidance(reference="my-task", start_time=0.5), guided_slices=1)
    assert made_up.outcome == "budget_spent", made_up.message
    assert made_up.episode not in ("", "my-task")
    wait_until(lambda: pool.call(ListContexts, "list", reference=made_up.episode).total == 2, "the second task is kept")
    origin = {
        each.index: each.guided_by for each in pool.call(ListContexts, "list", reference=made_up.episode).contexts
    }
    assert origin == {0: next(each.context_id for each in listed if each.index == 0), 1: ""}
    direct = run(mode="direct")
    assert (direct.outcome, direct.episode) == ("budget_spent", "")

    for fields, words in (
        ({"guidance": Guidance(reference="nobody", start_time=0.5), "guided_slices": 1}, ["nobody"]),
        ({"guidance": Guidance(reference="similar", start_time=2.0), "guided_slices": 1}, ["start_time", "2.0"]),
        ({"guidance": Guidance(reference="similar", start_time=0.5)}, ["guided_slices", "0", "at least 1"]),
        ({"mode": "direct", "guidance": Guidance(reference="similar", start_time=0.5)}, ["guidance", "context"]),
        ({"episode": "a b"}, ["episode", "a b"]),
    ):
        refused = run(**fields)
        assert refused.outcome == "failed"
        assert all(word in refused.message for word in words), refused.message


def test_the_store_of_inference_gives_what_the_pool_has(probe, pool, pool_node):
    """RosContextStore by itself: lookups, similarity, whole contexts, another model, and putting."""
    states = []
    store, stop = RosContextStore(probe.node, pool_node.name, 2.0, states.append), StopRequest()
    worker = threading.Thread(target=store.work, args=(stop,))
    worker.start()
    try:
        wait_until(lambda: store.state == "connected", "the pool is noticed")
        key = b"r" * 32
        context = keyed(new_context("ros-one", seed=1, episode="ros", index=2), key)
        assert not store.might_have(key)
        assert store.put(context)
        wait_until(lambda: store.might_have(key), "the board shows the key")
        found = store.fetch(MODEL, (key, b"z" * 32))
        assert list(found) == [key]
        assert np.array_equal(found[key].array, context.vectors[0].array)
        whole = store.context(MODEL, "ros", 2, tuple(VectorKind))
        assert same_record(whole.record, context.record)
        assert {each.kind for each in whole.vectors} == {each.kind for each in context.vectors}
        assert store.context(MODEL, "ros", 3, tuple(VectorKind)) is None
        other = type(MODEL)(**{**{name: getattr(MODEL, name) for name in MODEL.__slots__}, "robot": "another"})
        assert store.fetch(other, (key,)) == {}
        with pytest.raises(ConfigurationError, match="another"):
            store.context(other, "ros-one", 0, ())
        query = SimilarQuery(MODEL, record("ros-one").instruction, record("ros-one").embedding, (), 1)
        (match,) = store.similar(query)
        assert (match.context_id, match.outcome) == ("ros-one", ContextOutcome.UNKNOWN)
        wait_until(lambda: pool.stats().leases == 0, "every lease was given back")
        assert states[-1] == "connected"
    finally:
        stop.request("the test is over")
        worker.join()
        store.close()
