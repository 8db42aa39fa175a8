"""The context pool as its clients see it: real processes, real shared memory, real DDS."""

from __future__ import annotations

import subprocess
import sys
from array import array
from pathlib import Path

import numpy as np
import pytest
from ams_ros.msg import ContextInfo, PoolStats, VectorInfo
from ams_ros.srv import (
    EvictContexts,
    ExportContexts,
    ImportContexts,
    ListContexts,
    PinContext,
    PutContext,
    QueryContexts,
    ReleaseLease,
    SetOutcome,
    VerifyPool,
)
from disk_fixtures import MODEL, new_context, record, same_record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pool_client import KINDS, PoolClient, keyed
from ros_probe import LATCHED, wait_until

from ams_ros.context.records import NewContext, NewVector, VectorKind
from ams_ros.nodes.pool_conversions import record_of
from ams_ros.nodes.put_request import put_request

pytestmark = pytest.mark.integration

SHARED_MEMORY = Path("/dev/shm")
KEY = b"k" * 32
MIB = 2**20


@pytest.fixture(scope="module")
def node(start_shared_node, probe, tmp_path_factory):
    store = tmp_path_factory.mktemp("pool") / "store"
    started = start_shared_node("context_pool", {"store": str(store), "host_bytes": 4 * MIB, "lease_seconds": 1.0})
    probe.bring_up(started.name)
    return started


@pytest.fixture
def pool(node, probe):
    """A client of the shared node, which is empty."""
    client = PoolClient(probe, node.name)
    for context in client.call(ListContexts, "list", limit=1000).contexts:
        assert client.call(PinContext, "pin", reference=context.context_id, pinned=False).success
        assert client.call(EvictContexts, "evict", reference=context.context_id).success
    yield client
    client.close()
    assert probe.state(node.name) == "active", node.output()


def areas(status):
    """Names of the shared memory that a status tells of."""
    return {each.value for each in status.values if each.key in ("memory", "key_board")}


def value_of(status, key):
    return next(each.value for each in status.values if each.key == key)


# Reading and writing.


def test_a_context_that_was_put_is_found_by_input_key_and_read_from_shared_memory(pool):
    context = new_context("one", index=0)
    kept = pool.put(context)
    assert kept.success, kept.message
    assert kept.new_bytes > 0
    answer = pool.by_key(MODEL, KEY, b"x" * 32)
    (vector,) = answer.vectors
    assert (vector.kind, vector.name, bytes(vector.key), vector.tier) == ("vision", "front", KEY, "host")
    assert np.array_equal(pool.read(answer, vector), context.vectors[0].array)
    assert pool.call(ReleaseLease, "release", lease=answer.lease).success
    assert not pool.call(ReleaseLease, "release", lease=answer.lease).success


def test_a_context_is_found_by_its_id_and_by_its_episode_with_everything_it_was_put_with(pool):
    context = new_context("two", seed=5, episode="walk", index=7)
    pool.keep([context])
    for answer in (pool.whole("two"), pool.whole("walk", index=7)):
        (found,) = answer.contexts
        assert same_record(record_of(found), context.record)
        assert len(found.vectors) == len(context.vectors)
        for vector in context.vectors:
            told = next(each for each in found.vectors if (each.kind, each.name) == (vector.kind.value, vector.name))
            read = pool.read(answer, told)
            assert (read.dtype, read.shape) == (vector.array.dtype, vector.array.shape)
            assert np.array_equal(read, vector.array)
    assert not pool.whole("walk", index=8).contexts


def test_the_same_content_is_kept_once(pool):
    pool.keep([new_context("first", seed=3)])
    again = pool.put(new_context("second", seed=3))
    assert again.success
    assert again.new_bytes == 0
    stats = pool.stats()
    assert stats.contexts == 2
    assert stats.logical_bytes >= 2 * stats.stored_bytes - 2 * MIB // 16


def test_c7_nothing_of_another_model_is_returned(pool):
    pool.keep([new_context("mine")])
    other = type(MODEL)(**{**{name: getattr(MODEL, name) for name in MODEL.__slots__}, "calibration_id": "cal-2"})
    assert not pool.by_key(other, KEY).vectors
    assert not pool.by_key(other, KEY).lease
    answer = pool.query(model=other.to_json(), reference="mine", kinds=KINDS)
    assert not answer.success
    assert "cal-2" in answer.message
    near = pool.query(
        model=other.to_json(),
        instruction=record("mine").instruction,
        embedding=array("f", record("mine").embedding.tobytes()),
        count=5,
    )
    assert near.success
    assert not near.contexts


def test_similar_contexts_come_most_similar_first_and_only_with_the_outcome_asked_for(pool):
    pool.keep([new_context(f"near-{k}", seed=k, index=k, episode="near") for k in range(4)])
    assert pool.call(SetOutcome, "set_outcome", reference="near-2", outcome="failed").contexts == 1
    asked = {
        "model": MODEL.to_json(),
        "instruction": record("near-1").instruction,
        "embedding": array("f", record("near-1").embedding.tobytes()),
        "count": 3,
    }
    answer = pool.query(**asked)
    assert answer.contexts[0].context_id == "near-1"
    assert len(answer.contexts) == 3
    assert list(answer.similarities) == sorted(answer.similarities, reverse=True)
    assert answer.similarities[0] == pytest.approx(1.0, abs=1e-3)
    assert [each.context_id for each in pool.query(**asked, outcomes=["failed"]).contexts] == ["near-2"]
    assert [each.context_id for each in pool.query(**asked, first_only=True).contexts] == ["near-0"]


def test_an_outcome_is_set_on_every_context_of_an_episode(pool):
    pool.keep([new_context(f"slice-{k}", seed=k, index=k, episode="task-1") for k in range(3)])
    pool.keep([new_context("other", seed=9, episode="task-2")])
    assert pool.call(SetOutcome, "set_outcome", reference="task-1", outcome="succeeded").contexts == 3
    listed = pool.call(ListContexts, "list", outcome="succeeded")
    assert {each.context_id for each in listed.contexts} == {"slice-0", "slice-1", "slice-2"}
    assert pool.stats().succeeded == 3
    newest = pool.call(ListContexts, "list", limit=2)
    assert newest.total == 4
    assert len(newest.contexts) == 2


def test_a_pinned_context_is_not_evicted_and_an_unpinned_one_is(pool):
    pool.keep([new_context("precious", episode="kept")])
    assert pool.call(PinContext, "pin", reference="precious", pinned=True).contexts == 1
    refused = pool.call(EvictContexts, "evict", reference="precious")
    assert not refused.success
    assert "pinned" in refused.message
    assert pool.stats().pinned == 1
    assert pool.call(PinContext, "pin", reference="precious", pinned=False).success
    gone = pool.call(EvictContexts, "evict", reference="precious")
    assert gone.success
    assert gone.contexts == 1
    assert not pool.whole("precious").contexts


def test_more_than_fits_into_shared_memory_goes_to_disk_and_comes_back(pool):
    """C3: 8 MiB of latents through 4 MiB of shared memory."""
    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal(2**18).astype(np.float32) for _ in range(8)]
    for k, each in enumerate(arrays):
        vectors = (NewVector(VectorKind.LATENTS, "", each),)
        pool.keep([NewContext(record(f"large-{k}", index=k, episode="large"), vectors)])
    stats = pool.stats()
    assert stats.host_bytes <= stats.host_budget == 4 * MIB
    assert stats.demotions > 0
    for k in (0, 7, 3):
        answer = pool.whole(f"large-{k}")
        (vector,) = answer.contexts[0].vectors
        assert np.array_equal(pool.read(answer, vector), arrays[k])
        pool.call(ReleaseLease, "release", lease=answer.lease)


def test_contexts_travel_to_another_pool_in_one_file(pool, start_node, probe, tmp_path):
    contexts = [new_context(f"trip-{k}", seed=k, index=k, episode="trip") for k in range(3)]
    pool.keep(contexts)
    assert pool.call(SetOutcome, "set_outcome", reference="trip-1", outcome="succeeded").success
    file = tmp_path / "trip.safetensors"
    written = pool.call(ExportContexts, "export_contexts", file=str(file), reference="trip")
    assert written.success, written.message
    assert written.contexts == 3
    assert written.bytes == file.stat().st_size
    refused = pool.call(ExportContexts, "export_contexts", file=str(file))
    assert not refused.success
    assert str(file) in refused.message

    started = start_node("context_pool", {"store": "", "host_bytes": 4 * MIB}, namespace="/elsewhere")
    probe.bring_up(started.name)
    other = PoolClient(probe, started.name)
    taken = other.call(ImportContexts, "import_contexts", file=str(file))
    assert (taken.success, taken.contexts, taken.known, taken.skipped) == (True, 3, 0, 0), taken.message
    again = other.call(ImportContexts, "import_contexts", file=str(file))
    assert (again.contexts, again.known) == (0, 3)
    answer = other.whole("trip-1")
    assert answer.contexts[0].outcome == "succeeded"
    told = next(each for each in answer.contexts[0].vectors if each.kind == "latents")
    assert np.array_equal(other.read(answer, told), contexts[1].vectors[1].array)

    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    file.write_bytes(damaged)
    other.call(EvictContexts, "evict", reference="trip")
    partly = other.call(ImportContexts, "import_contexts", file=str(file))
    assert partly.skipped >= 1 or not partly.success
    assert partly.message
    other.close()


# Who else is there.


def test_the_status_names_the_shared_memory_and_stats_are_told_once_a_second(pool, probe, node):
    status = probe.status(node.name).wait_for(lambda m: value_of(m, "state") == "active", "active")
    assert value_of(status, "memory") == pool.by_key(MODEL, KEY).memory
    for name in areas(status):
        assert (SHARED_MEMORY / name).exists()
    told = probe.listen(PoolStats, f"{node.name}/stats", LATCHED)
    first = told.wait_for(lambda _: True, "stats come")
    pool.keep([new_context("counted")])
    told.wait_for(lambda m: m.contexts == 1 and m.puts > first.puts, "the new context is counted")


def test_a_second_pool_on_the_same_store_is_refused_with_the_holder_and_leaves_the_first_alone(
    pool, node, start_node, probe
):
    store = probe.parameters(node.name, "store")["store"]
    second = start_node("context_pool", {"store": store, "host_bytes": MIB}, namespace="/second")
    status = probe.status(second.name)
    assert not probe.change(second.name, "configure")
    told = status.wait_for(lambda m: "configure failed" in m.message, "the refusal is told")
    assert store in told.message
    assert str(node.process.pid) in told.message
    pool.keep([new_context("still-works")])


def test_a_lease_of_a_client_that_was_killed_expires_and_what_it_held_is_freed(pool, node):
    pool.keep([new_context("held", seed=11)])
    command = [sys.executable, str(Path(__file__).parents[1] / "pool_client.py"), node.name, "held"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout.readline().strip() == "holding"
        assert pool.stats().leases == 1
        before = pool.stats().host_bytes
        assert pool.call(EvictContexts, "evict", reference="held").success
        client.kill()
    wait_until(lambda: pool.stats().leases == 0, "the lease ends")
    wait_until(lambda: pool.stats().host_bytes < before, "the memory is free again")


def test_a_pool_that_was_killed_loses_nothing_that_was_durable_and_its_memory_is_removed(start_node, probe, tmp_path):
    settings = {"store": str(tmp_path / "store"), "host_bytes": 4 * MIB}
    first = start_node("context_pool", settings, namespace="/mortal")
    status = probe.status(first.name)
    probe.bring_up(first.name)
    names = areas(status.wait_for(lambda m: value_of(m, "state") == "active", "active"))
    client = PoolClient(probe, first.name)
    contexts = [keyed(new_context(f"durable-{k}", seed=k, index=k), bytes([k]) * 32) for k in range(3)]
    client.keep(contexts, durable=True)
    client.keep([new_context("marked", seed=7)])
    assert client.call(SetOutcome, "set_outcome", reference="marked", outcome="succeeded").success
    first.process.kill()
    first.process.wait()
    assert all((SHARED_MEMORY / name).exists() for name in names)

    second = start_node("context_pool", settings, namespace="/risen")
    probe.bring_up(second.name)
    assert not [name for name in names if (SHARED_MEMORY / name).exists()]
    client = PoolClient(probe, second.name)
    assert client.call(ListContexts, "list", outcome="succeeded").contexts[0].context_id == "marked"
    for context in contexts:
        answer = client.whole(context.record.context_id)
        for vector in answer.contexts[0].vectors:
            wanted = next(each for each in context.vectors if each.kind.value == vector.kind)
            assert np.array_equal(client.read(answer, vector), wanted.array)
    assert client.call(VerifyPool, "verify").damaged == 0


def test_damage_on_disk_is_told_and_removed_and_the_node_goes_on(start_node, probe, tmp_path):
    node = start_node("context_pool", {"store": str(tmp_path / "store"), "host_bytes": 4 * MIB}, namespace="/hurt")
    probe.bring_up(node.name)
    client = PoolClient(probe, node.name)
    client.keep([new_context(f"c{k}", seed=k, index=k) for k in range(3)], durable=True)
    pack = max((tmp_path / "store").rglob("*.safetensors"), key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[-1] ^= 0xFF
    pack.write_bytes(content)
    status = probe.status(node.name)
    report = client.call(VerifyPool, "verify")
    assert report.success
    assert report.damaged >= 1
    assert len(report.details) == report.damaged
    status.wait_for(lambda m: "damaged" in m.message and m.level == b"\x01", "the damage is told")
    assert client.call(VerifyPool, "verify").damaged == 0
    assert probe.state(node.name) == "active"


def test_an_inactive_pool_says_so_and_keeps_what_it_has(pool, node, probe):
    pool.keep([new_context("waiting")])
    assert probe.change(node.name, "deactivate")
    for answer in (pool.by_key(MODEL, KEY), pool.put(new_context("late"))):
        assert not answer.success
        assert "inactive" in answer.message
    assert probe.change(node.name, "activate")
    assert pool.whole("waiting").contexts


# Requests that cannot be served.


def test_a_put_that_promises_what_its_memory_does_not_hold_is_refused_and_leaves_no_trace(pool):
    context = new_context("wrong")
    request = put_request(pool._writer, context)
    described, vector = request.context, request.context.vectors[0]

    def put(**changes):
        fields = {name: getattr(request, name) for name in request.get_fields_and_field_types()}
        return pool.call(PutContext, "put", **{**fields, **changes})

    cases = [
        (lambda: put(memory="/etc/passwd"), ["/etc/passwd"]),
        (lambda: put(memory="ams_ros_nobody_parcel_0123456789abcdef"), ["ams_ros_nobody"]),
        (lambda: put(memory_bytes=2**40), [str(2**40)]),
    ]
    for field, value, words in (
        ("offsets", array("Q", [2**40]), ["outside"]),
        ("sizes", array("Q", [1]), ["size", "20000"]),
        ("shape", array("Q", [2**39, 2**39]), ["shape"]),
        ("nbytes", 5, ["size", "20000"]),
        ("dtype", "float128", ["dtype", "float128", "float32"]),
        ("kind", "soup", ["kind", "soup", "vision"]),
        ("key", array("B", b"short"), ["key", "32"]),
        ("cost", float("nan"), ["cost", "nan"]),
    ):
        cases.append((lambda f=field, v=value: _with(vector, f, v, put), words))
    for field, value, words in (
        ("context_id", "../up", ["context_id", "../up"]),
        ("embedding", array("f", [3.0, 4.0]), ["embedding", "length 1"]),
        ("embedding", array("f", []), ["embedding"]),
        ("joints", array("d", [float("inf")] * 6), ["joints"]),
        ("start_time", 1.5, ["start_time", "1.5"]),
        ("outcome", "great", ["outcome", "great", "succeeded"]),
        ("model", "{}", ["model"]),
        ("instruction", "x" * 5000, ["instruction", "4096"]),
        ("vectors", [vector] * 65, ["vectors", "65", "64"]),
        ("vectors", [vector] * 2, ["vision/front", "once"]),
    ):
        cases.append((lambda f=field, v=value: _with(described, f, v, put), words))
    for send, words in cases:
        answer = send()
        assert not answer.success
        assert all(word in answer.message for word in words), answer.message
    assert pool.stats().contexts == 0


def _with(message, field, value, act):
    before = getattr(message, field)
    setattr(message, field, value)
    try:
        return act()
    finally:
        setattr(message, field, before)


@pytest.mark.parametrize(
    ("kind", "service", "fields", "words"),
    [
        (QueryContexts, "query", {}, ["keys", "reference", "embedding", "none"]),
        (QueryContexts, "query", {"reference": "a", "keys": [1]}, ["keys and reference", "exactly one"]),
        (QueryContexts, "query", {"keys": [1, 2, 3], "model": MODEL.to_json()}, ["keys", "3 bytes", "32 bytes"]),
        (QueryContexts, "query", {"keys": [0] * 32, "model": "nonsense"}, ["model", "nonsense"]),
        (QueryContexts, "query", {"reference": "a", "kinds": ["soup"]}, ["kinds", "soup", "latents"]),
        (QueryContexts, "query", {"reference": "a b"}, ["reference", "a b", "letters"]),
        (QueryContexts, "query", {"embedding": [1.0], "model": MODEL.to_json(), "count": 0}, ["count", "0", "1.."]),
        (EvictContexts, "evict", {"reference": "a", "bytes": 5}, ["reference and bytes", "exactly one"]),
        (EvictContexts, "evict", {"outcome": "great"}, ["outcome", "great"]),
        (SetOutcome, "set_outcome", {"reference": "nobody", "outcome": "failed"}, ["nobody", "in the pool"]),
        (PinContext, "pin", {"reference": ""}, ["reference", "''"]),
        (ListContexts, "list", {"limit": 5000}, ["limit", "5000", "1000"]),
        (ExportContexts, "export_contexts", {"file": "relative.st"}, ["file", "relative.st", "absolute"]),
        (ExportContexts, "export_contexts", {"file": "/no/such/folder/x.st"}, ["/no/such/folder"]),
        (ImportContexts, "import_contexts", {"file": "/dev/zero"}, ["/dev/zero"]),
        (ImportContexts, "import_contexts", {"file": "/no/such/file"}, ["/no/such/file"]),
    ],
)
def test_a_wrong_request_is_answered_with_field_value_and_what_is_allowed(pool, kind, service, fields, words):
    answer = pool.call(kind, service, **fields)
    assert not answer.success
    assert all(word in answer.message for word in words), answer.message


TEXTS = st.one_of(st.sampled_from(["", "near", "c1", MODEL.to_json(), "succeeded", "latents", "vision"]), st.text())
NUMBERS = st.one_of(st.sampled_from([0, 1, 2**31, 2**32 - 1]), st.integers(0, 2**32 - 1))
FLOATS = st.one_of(st.sampled_from([0.0, 1.0, float("nan"), float("inf")]), st.floats())
FIELDS = {
    "string": TEXTS,
    "boolean": st.booleans(),
    "uint32": NUMBERS,
    "uint64": st.one_of(NUMBERS, st.just(2**64 - 1)),
    "double": FLOATS,
    "sequence<string>": st.lists(TEXTS, max_size=10),
    "sequence<uint8>": st.binary(max_size=80).map(lambda each: array("B", each)),
    "sequence<uint64>": st.lists(st.integers(0, 2**64 - 1), max_size=5),
    "sequence<double>": st.lists(FLOATS, max_size=8),
    "sequence<float>": st.lists(st.floats(width=32), max_size=8),
}
FIELDS["sequence<ams_ros/VectorInfo>"] = st.lists(st.deferred(lambda: message_strategy(VectorInfo)), max_size=3)
FIELDS["ams_ros/ContextInfo"] = st.deferred(lambda: message_strategy(ContextInfo))
FUZZED = [
    (QueryContexts, "query"),
    (ReleaseLease, "release"),
    (PutContext, "put"),
    (SetOutcome, "set_outcome"),
    (PinContext, "pin"),
    (EvictContexts, "evict"),
    (ListContexts, "list"),
    (ImportContexts, "import_contexts"),
]


def message_strategy(kind):
    fields = kind.get_fields_and_field_types()
    return st.fixed_dictionaries({}, optional={name: FIELDS[each] for name, each in fields.items()}).map(
        lambda values: kind(**values)
    )


REQUESTS = st.one_of(
    *(st.tuples(st.just(kind), st.just(name), message_strategy(kind.Request)) for kind, name in FUZZED)
)


def test_nothing_a_client_sends_ends_the_node(pool):
    pool.keep([new_context("c1", episode="near", index=0)])

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(REQUESTS)
    def every_request_is_answered(case):
        kind, service, request = case
        client = pool.probe.client(kind, f"{pool.node}/{service}")
        pool.probe.wait(client.call_async(request), f"{service} answers {request}")

    every_request_is_answered()
    pool.keep([new_context("after")])


def test_the_process_does_not_load_torch(node):
    maps = Path(f"/proc/{node.process.pid}/maps").read_text()
    assert "rclpy" in maps
    assert "torch" not in maps
