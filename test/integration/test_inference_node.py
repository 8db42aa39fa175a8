"""The inference node as its clients see it: real process, real policy, real DDS. The probe stands for the robot."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from ams_ros.srv import InferSlice
from random_policy import INSTRUCTION, write_random_checkpoint
from resting_robot import JOINTS, PROFILE, Robot
from ros_probe import Probe

pytestmark = pytest.mark.integration

NODE = "/ams/inference"


def infer(probe: Probe, instruction: str = INSTRUCTION, seed: int = 1, **fields):
    return probe.call(InferSlice, f"{NODE}/infer_slice", instruction=instruction, seed=seed, **fields)


def infer_until(probe: Probe, wanted, **fields):
    """Ask again until the answer is as wanted; for what takes effect with the next message on a topic."""
    for _ in range(40):
        reply = infer(probe, **fields)
        if wanted(reply):
            return reply
    raise AssertionError(f"the answer stayed: {reply.success} {reply.message}")


@pytest.fixture(scope="module")
def node(start_shared_node, probe, random_checkpoint):
    started = start_shared_node("inference", {"policy": str(random_checkpoint)})
    probe.bring_up(started.name)
    return started


def test_a_slice_comes_with_the_time_of_every_stage_and_fits_the_robot(node, probe):
    with Robot(probe):
        reply = infer_until(probe, lambda reply: reply.success, bypass_pool=True)
    horizon = len(reply.slice.gripper)
    positions = np.array(reply.slice.positions).reshape(horizon, len(PROFILE.joint_names))
    assert list(reply.slice.joint_names) == list(PROFILE.joint_names)
    assert ((PROFILE.lower <= positions) & (positions <= PROFILE.upper)).all()
    assert [stage.stage for stage in reply.stages] == ["encode", "prefix", "denoise", "decode"]
    assert all(stage.seconds > 0.0 for stage in reply.stages)
    assert 1 <= reply.slice.execute <= horizon
    assert reply.slice.context_id


def test_the_same_observation_and_seed_give_the_same_slice_under_a_new_context_id(node, probe):
    with Robot(probe):
        first = infer_until(probe, lambda reply: reply.success)
        second, other = infer(probe), infer(probe, seed=2)
    assert second.slice.positions == first.slice.positions
    assert second.slice.context_id != first.slice.context_id
    assert other.slice.positions != first.slice.positions


def test_the_observation_is_made_after_the_request(node, probe):
    with Robot(probe):
        infer_until(probe, lambda reply: reply.success)
        asked = probe.node.get_clock().now().nanoseconds
        stamp = infer(probe).slice.header.stamp
    assert stamp.sec * 1_000_000_000 + stamp.nanosec >= asked


def test_a_silent_camera_is_named_with_its_topic_and_the_node_recovers_when_it_speaks(node, probe):
    with Robot(probe) as robot:
        infer_until(probe, lambda reply: reply.success)
        robot.cameras.discard("wrist")
        reply = infer_until(probe, lambda reply: not reply.success and "silent" in reply.message)
        assert "camera wrist" in reply.message
        assert "/camera/wrist/image_raw" in reply.message
        assert "front" not in reply.message
        robot.cameras.add("wrist")
        infer_until(probe, lambda reply: reply.success)


def test_silent_joints_are_named(node, probe):
    reply = infer_until(probe, lambda reply: "/joint_states" in reply.message)
    assert not reply.success
    assert "silent" in reply.message


def test_joint_names_that_do_not_match_are_named_and_the_node_recovers(node, probe):
    with Robot(probe, joints=("joint_1", "joint_2")) as robot:
        reply = infer_until(probe, lambda reply: "lack" in reply.message)
        assert all(name in reply.message for name in (*JOINTS, "joint_1"))
        robot.joints = JOINTS[::-1]
        infer_until(probe, lambda reply: reply.success)


def test_a_picture_in_an_unknown_encoding_is_refused_by_name(node, probe):
    with Robot(probe) as robot:
        robot.encoding = "mono8"
        reply = infer_until(probe, lambda reply: "mono8" in reply.message)
    assert "rgb8" in reply.message


def test_an_unknown_instruction_is_answered_with_what_is_known(node, probe):
    with Robot(probe):
        infer_until(probe, lambda reply: reply.success)
        reply = infer(probe, "dance on the table")
        assert not reply.success
        assert "dance" in reply.message
        assert "bowl" in reply.message
        assert infer(probe).success


def test_more_requests_than_may_wait_are_refused_at_once_and_the_others_answered(node, probe):
    # Eight at once, because a service's own queue holds ten and drops what comes beyond.
    with probe.reconfigured(node.name, queue_size=2), Robot(probe):
        infer_until(probe, lambda reply: reply.success)
        client = probe.client(InferSlice, f"{NODE}/infer_slice")
        futures = [client.call_async(InferSlice.Request(instruction=INSTRUCTION, seed=k)) for k in range(8)]
        replies = [probe.wait(future, "every request is answered", 30.0) for future in futures]
    refused = [reply.message for reply in replies if not reply.success]
    assert len(replies) - len(refused) >= 2
    assert refused
    assert all("queue_size" in message for message in refused)


def test_a_missing_or_corrupted_checkpoint_refuses_to_configure_and_a_sound_one_then_works(
    node, probe, random_checkpoint, tmp_path
):
    broken = tmp_path / "broken"
    shutil.copytree(random_checkpoint, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    status = probe.status(node.name)
    assert probe.change(node.name, "deactivate")
    assert probe.change(node.name, "cleanup")
    for policy, words in (("/nowhere/at/all", "does not exist"), (str(broken), "damaged")):
        assert probe.set_parameters(node.name, policy=policy) == []
        assert not probe.change(node.name, "configure")
        assert probe.state(node.name) == "unconfigured"
        told = status.wait_for(lambda m, words=words: words in m.message, "the failure is told")
        assert "configure failed" in told.message
        assert policy in told.message
        assert policy in node.output()
    assert probe.set_parameters(node.name, policy=str(random_checkpoint)) == []
    probe.bring_up(node.name)
    with Robot(probe):
        infer_until(probe, lambda reply: reply.success)


def test_an_inactive_node_refuses_with_its_state_and_serves_again_when_activated(node, probe):
    assert probe.change(node.name, "deactivate")
    reply = infer(probe)
    assert not reply.success
    assert "inactive" in reply.message
    assert probe.change(node.name, "activate")
    with Robot(probe):
        infer_until(probe, lambda reply: reply.success)


def test_a_request_that_waits_is_answered_when_the_node_is_deactivated(node, probe):
    with probe.reconfigured(node.name, max_age=60.0, observation_wait=60.0):
        client = probe.client(InferSlice, f"{NODE}/infer_slice")
        pending = [client.call_async(InferSlice.Request(instruction=INSTRUCTION, seed=k)) for k in range(2)]
        assert probe.change(node.name, "deactivate")
        replies = [probe.wait(future, "the waiting request is answered") for future in pending]
    assert all("deactivated" in reply.message for reply in replies)


def test_a_policy_that_needs_another_camera_waits_for_that_one(node, probe, tmp_path):
    policy = write_random_checkpoint(tmp_path / "side", cameras=("side",))
    with probe.reconfigured(node.name, policy=str(policy)), Robot(probe):
        reply = infer_until(probe, lambda reply: "side" in reply.message)
        assert "wrist" not in reply.message


def test_without_a_context_pool_slices_come_as_ever_and_its_absence_is_a_warning(node, probe):
    told = probe.status(node.name).wait_for(
        lambda m: m.level == b"\x01" and "absent" in m.message, "the absence is told"
    )
    assert "context_pool" in told.message
    with Robot(probe):
        reply = infer_until(probe, lambda reply: reply.success)
    assert (reply.reuse.pool, reply.reuse.stored) == ("absent", False)
    assert probe.state(node.name) == "active"
