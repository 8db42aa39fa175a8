"""`ams bench pool`: its arithmetic, what it refuses, and one real quick run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_cli import ams

from ams_ros.benchmark.interleaved import interleave, ratio
from ams_ros.benchmark.pool.bench import against_logarithm
from ams_ros.benchmark.pool.eviction import compare_policies, compose_trace
from ams_ros.benchmark.pool.goals import GOALS, Goal
from ams_ros.benchmark.pool.growth import measure_growth
from ams_ros.benchmark.pool.request import PoolBenchRequest
from ams_ros.benchmark.pool.samples import embeddings, input_keys, small_contexts
from ams_ros.context.eviction.policy import VectorFacts
from ams_ros.context.records import VectorKind

AGREED = (
    *("contexts", "lookup_exact_us_p50", "lookup_exact_us_p99", "lookup_similar_ms_p99", "hash_gb_s", "memcpy_gb_s"),
    *("put_ratio_to_memcpy", "get_ratio_to_memcpy", "service_roundtrip_ms_p50", "service_roundtrip_ms_p99"),
    *("bare_service_ms_p50", "bare_service_ms_p99", "dedup_ratio", "bytes_per_context_overhead"),
)


def facts(number: int, nbytes: int = 10, cost: float = 1.0) -> VectorFacts:
    return VectorFacts(number, VectorKind.PREFIX, nbytes, cost)


def test_subjects_are_run_in_turn_and_what_undoes_them_is_not_timed() -> None:
    run: list[str] = []
    seconds = interleave(
        {"a": lambda n: run.append(f"a{n}"), "b": lambda n: run.append(f"b{n}")},
        rounds=2,
        warm_up=1,
        after=lambda n: run.append(f"undo{n}"),
    )
    assert run == ["a0", "b0", "undo0", "a1", "b1", "undo1", "a2", "b2", "undo2"]
    assert {name: len(each) for name, each in seconds.items()} == {"a": 2, "b": 2}


def test_a_ratio_is_taken_round_by_round_so_that_a_slow_round_does_not_count_twice() -> None:
    assert ratio(np.array([2.0, 20.0, 2.0]), np.array([1.0, 10.0, 1.0])) == 2.0


def test_a_goal_is_met_at_its_limit_and_missed_beyond_it() -> None:
    most, least = Goal("x", "time", 2.0, "ms"), Goal("x", "speed", 2.0, "GB/s", at_most=False)
    assert [goal.met({"x": 2.0}) for goal in (most, least)] == [True, True]
    assert [goal.met({"x": 2.1}) for goal in (most, least)] == [False, True]
    assert most.row({"x": 2.1}) == ("time", "2.1 ms", "<= 2 ms", "missed")


def test_growth_is_told_against_that_of_the_logarithm() -> None:
    assert against_logarithm([(1000, 1.0), (50_000, 9.0), (1_000_000, 2.0)]) == pytest.approx(1.0)


def test_the_same_seed_makes_the_same_contexts_and_every_input_has_its_own_key() -> None:
    (one, *_), (other, *_) = small_contexts(2, 128, 5), small_contexts(2, 128, 5)
    for first, second in zip(one.vectors, other.vectors, strict=True):
        np.testing.assert_array_equal(first.array, second.array)
    np.testing.assert_array_equal(one.record.embedding, other.record.embedding)
    np.testing.assert_allclose(np.linalg.norm(embeddings(60, 128, 0), axis=1), 1.0, atol=1e-5)
    assert len({key for number in range(50) for key in input_keys(number)}) == 150


def test_a_trace_repeats_recorded_episodes_whole() -> None:
    episodes = [[facts(0), facts(1)], [facts(2)]]
    trace = [access.number for access in compose_trace(episodes, 20, 0)]
    assert trace == [access.number for access in compose_trace(episodes, 20, 0)]
    assert trace.count(0) == trace.count(1)
    assert trace.count(0) + trace.count(2) == 20


def test_every_policy_keeps_everything_that_fits_and_loses_what_does_not() -> None:
    trace = [facts(number) for _ in range(4) for number in range(10)]
    for kept in compare_policies(trace, (1.0,)):
        assert kept.hit_rate == pytest.approx(0.75)
    lru = next(kept for kept in compare_policies(trace, (0.5,)) if kept.policy == "lru")
    assert lru.hit_rate == 0.0, "a loop longer than its room is what LRU is worst at"


def test_growth_finds_what_comparing_with_all_finds_while_there_is_no_graph() -> None:
    small, larger = measure_growth((1000, 2000), 32, 30, 0)
    assert (small.contexts, larger.contexts) == (1000, 2000)
    assert small.recall_at_5 == larger.recall_at_5 == 1.0


def test_growth_is_measured_about_twice_in_every_decade() -> None:
    assert PoolBenchRequest(largest=100_000).sizes == (1000, 3000, 10_000, 30_000, 100_000)
    assert PoolBenchRequest(largest=1001).sizes == (1000, 1001)


@pytest.mark.integration
def test_a_quick_run_writes_the_agreed_figures_and_judges_no_goal(domain: int, tmp_path: Path) -> None:
    figures, plot = tmp_path / "pool.json", tmp_path / "growth.png"
    done = ams(
        *("bench", "pool", "--quick", "--contexts", "2000", "--largest", "2000"),
        *("--json", str(figures), "--plot", str(plot)),
        timeout=240.0,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    assert set(AGREED) <= set(found)
    assert found["contexts"] == 2000
    assert found["dedup_ratio"] > found["dedup_ratio_different_seeds"] >= 1.0
    assert all(value > 0.0 for key in AGREED for value in [found[key]])
    for goal in GOALS:
        assert goal.meaning in done.stdout
    assert "met" not in done.stdout.split()
    assert plot.read_bytes().startswith(b"\x89PNG")
