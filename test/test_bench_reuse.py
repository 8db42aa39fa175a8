"""`ams bench reuse`: its arithmetic, what it refuses, and one real run of each part."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from policy_fixtures import random_model
from typer.testing import CliRunner

from ams_ros.benchmark.report import Episode
from ams_ros.benchmark.reuse.cells import DIRECT, EPISODE, EVERY_SLICE, GUIDED_SLICES, Cell, WarmStart, cells
from ams_ros.benchmark.reuse.figures import CellFigures, TimedEpisode, TimedSlice, reuse_rates, slice_times
from ams_ros.benchmark.reuse.overhead import measure_overhead
from ams_ros.benchmark.reuse.request import FILLING_OFFSET, ReuseRequest
from ams_ros.benchmark.reuse.rollout import task_request
from ams_ros.benchmark.reuse.scenes import ONE_LEFT
from ams_ros.benchmark.reuse.stages import measure_stages
from ams_ros.cli.main import app
from ams_ros.errors import ConfigurationError
from ams_ros.policy.full_size import CAMERAS, check_memory, random_policy
from ams_ros.types import SIMILAR, GuidanceVariant, Mode, ReuseReport

REPORT = ReuseReport("connected", steps=10)


def timed(seconds: float, report: ReuseReport = REPORT, direct: float | None = None, special: bool = False):
    return TimedSlice(seconds, (("encode", seconds / 4), ("denoise", seconds / 2)), report, direct, special)


def episode(success: bool, steps: int, *slices: TimedSlice) -> TimedEpisode:
    scored = Episode(7, success, 2 if success else 1, steps, steps if success else None, len(slices), "at_rest", "")
    return TimedEpisode(scored, slices, period=0.05)


def figures(*episodes: TimedEpisode) -> dict[str, object]:
    return CellFigures(DIRECT, ONE_LEFT, 2, 1500, episodes).as_dictionary()


def test_success_steps_and_throughput_of_a_cell_are_counted_over_all_its_episodes():
    found = figures(episode(True, 16, timed(0.01), timed(0.03)), episode(False, 8, timed(0.02)))
    assert (found["successes"], found["episodes"]) == (1, 2)
    assert found["ci95"] == pytest.approx([0.0945, 0.9055], abs=1e-4)
    assert found["steps_mean_capped"] == (16 + 1500) / 2
    assert found["actions_per_policy_second"] == pytest.approx(24 / 0.06)
    assert found["actions_per_second"] == pytest.approx(24 / (0.06 + 24 * 0.05))
    assert found["inferences_per_second"] == pytest.approx(3 / 0.06)
    assert found["special_slices"] is None


def test_the_ratio_to_direct_counts_only_slices_that_were_inferred_directly_beside_them():
    times = slice_times(
        [timed(0.5), timed(0.010, direct=0.020), timed(0.012, direct=0.020), timed(0.014, direct=0.021)]
    )
    assert times["pairs"] == 3
    assert times["ratio_to_direct"] == pytest.approx(0.6)
    assert times["ms_median"] == pytest.approx(13.0)
    assert times["stages_ms_median"] == pytest.approx({"encode": 3.25, "denoise": 6.5})
    assert slice_times([timed(0.01)])["ratio_to_direct"] is None


def test_slices_a_cell_starts_in_another_way_are_also_told_apart():
    found = figures(episode(True, 16, timed(0.004, direct=0.01, special=True), timed(0.01, direct=0.01)))
    assert found["special_slices"]["count"] == 1
    assert found["special_slices"]["ratio_to_direct"] == pytest.approx(0.4)


def test_hit_rates_are_of_pictures_for_vision_and_of_slices_for_the_prefix():
    whole = replace(
        REPORT, vision_exact=("front", "wrist"), prefix="exact", bytes_reused=300, seconds_saved=0.004, stored=True
    )
    part = replace(REPORT, vision_approximate=("wrist",), patch_difference=0.1, guided_by="a", similarity=0.5)
    found = reuse_rates([timed(0.01, whole), timed(0.01, part), timed(0.01, replace(part, message="no"))], cameras=2)
    assert found["vision_exact"] == pytest.approx(2 / 6)
    assert found["vision_approximate"] == pytest.approx(2 / 6)
    assert (found["prefix_exact"], found["prefix_approximate"]) == (pytest.approx(1 / 3), 0.0)
    assert found["guided"] == pytest.approx(2 / 3)
    assert found["similarity_mean"] == pytest.approx(0.5)
    assert found["bytes_per_slice"] == pytest.approx(100.0)
    assert found["patch_difference_max"] == 0.1
    assert found["saved_ms_per_slice"] == pytest.approx(4 / 3)
    assert found["not_stored"] == pytest.approx(2 / 3)
    assert found["messages"] == ["no"]


def test_every_warm_start_has_a_control_of_as_many_steps_over_as_many_slices():
    rows = cells(10, quick=False)
    assert len({row.name for row in rows}) == len(rows)
    controls = {(row.steps, row.slices) for row in rows if row.steps}
    for row in rows:
        if row.warm is not None and row.warm.variant is not GuidanceVariant.NOISE:
            assert (max(1, round(10 * row.warm.start_time)), row.slices) in controls, row.name
    assert {row.warm.start_time for row in rows if row.warm and row.warm.reference == SIMILAR} == {
        0.2,
        0.35,
        0.5,
        0.8,
        1.0,
    }
    assert {kind.pool for kind in rows if kind.steps} == {False}
    assert set(cells(10, quick=True)) <= set(rows)


def test_only_the_first_slices_of_a_warm_start_are_guided():
    similar = task_request("stack", Cell("", pool=True, warm=WarmStart(SIMILAR, 0.5), slices=GUIDED_SLICES), 64, 9, ())
    assert (similar.mode, similar.guided_slices) == (Mode.CONTEXT, 2)
    assert similar.guidance is not None
    assert (similar.guidance.reference, similar.guidance.start_time) == (SIMILAR, 0.5)
    chosen = task_request(
        "stack", Cell("", pool=True, warm=WarmStart(EPISODE, 0.8), slices=EVERY_SLICE), 64, 9, ("a", "b")
    )
    assert chosen.guidance is not None
    assert (chosen.guidance.reference, chosen.guided_slices) == ("b", EVERY_SLICE)
    direct = task_request("stack", DIRECT, 64, 9, ())
    assert (direct.mode, direct.guidance, direct.guided_slices) == (Mode.DIRECT, None, 0)


@pytest.mark.parametrize("seed", [199_990, 200_099, 299_999, 200_000 - FILLING_OFFSET, 300_050 - FILLING_OFFSET])
def test_scenes_the_checkpoint_was_chosen_on_are_refused_for_scoring_and_for_filling(seed: int):
    with pytest.raises(ConfigurationError, match="seed: got"):
        ReuseRequest("cubes", 20, seed, 1)


def test_scenes_that_are_scored_and_scenes_the_pool_is_filled_from_differ():
    request = ReuseRequest("cubes", 20, 400_000, 2)
    assert not set(request.seeds) & set(request.filling_seeds)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--episodes", "0"), "episodes"),
        (("--episodes", "60000"), "episodes"),
        (("--workers", "0"), "workers"),
        (("--cap", "0"), "cap"),
        (("--seed", "-1"), "seed"),
        (("--seed", "200050"), "seed"),
        (("--json", "/proc/none/reuse.json"), "--json"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(arguments: tuple[str, ...], named: str):
    result = CliRunner().invoke(app, ["bench", "reuse", *arguments])
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.key == named


def test_a_machine_without_room_for_the_published_size_is_told_so():
    with pytest.raises(
        ConfigurationError, match=r"--full-size: got '9\.0 GiB of free memory', allowed: at least 10 GiB"
    ):
        check_memory(9 * 2**30)
    check_memory(10 * 2**30)


def test_a_random_policy_of_any_configuration_reads_three_pictures_and_forty_eight_words():
    small = random_model().config
    small.vlm_config.text_config.vocab_size, small.vlm_config.image_token_id = 64, 63
    policy = random_policy(small, torch.bfloat16, threads=1)
    found = measure_stages(policy, repeats=1, seed=3)
    assert (found.dtype, found.cameras) == ("bfloat16", len(CAMERAS))
    tokens, width, kv, layers = 16, 128, 4 * 32, 2
    assert found.sizes.vision == tokens * width * 2
    assert found.sizes.prefix == 2 * layers * (3 * tokens + 48) * kv * 2
    rows = {row.situation: row for row in found.rows}
    assert rows["direct"].ratio_to_direct == 1.0
    assert rows["nothing to reuse"].bytes_reused == 0
    assert rows["one picture the same"].bytes_reused == found.sizes.vision
    assert rows["all pictures the same, other words"].bytes_reused == 3 * found.sizes.vision
    for tier in ("process", "host"):
        assert rows[f"everything the same, from {tier}"].bytes_reused == found.sizes.prefix
        assert rows[f"everything the same, from {tier}"].tiers == (tier,)
    assert sum(found.shares().values()) == pytest.approx(1.0)


def test_the_cost_of_a_pool_with_nothing_to_give_is_measured_against_direct_inference(random_checkpoint: Path):
    from ams_ros.policy.pi0 import load_policy  # noqa: PLC0415  beside the fixture it serves

    found = measure_overhead(load_policy(random_checkpoint), slices=5, seed=5)
    for times in (found.drained, found.not_drained):
        assert times.ratio_median == pytest.approx(times.context_ms_median / times.direct_ms_median)
        assert times.direct_ms_p99 >= times.direct_ms_median > 0.0
    assert found.put_cpu_ms_median > 0.0


def test_a_quick_run_compares_every_kind_of_row_on_the_same_scenes(random_checkpoint: Path, tmp_path: Path):
    file = tmp_path / "reuse.json"
    size = ("--quick", "--episodes", "1", "--cap", "40", "--workers", "1")
    arguments = [*size, "--policy", str(random_checkpoint), "--json", str(file)]
    result = CliRunner().invoke(app, ["bench", "reuse", *arguments])
    assert result.exception is None, result.output
    found = json.loads(file.read_text())
    names = [row.name for row in cells(10, quick=True)]
    assert [row["cell"] for row in found["cells"]] == names
    assert {row["per_episode"][0]["seed"] for row in found["cells"]} == {400_000}
    rows = {row["cell"]: row for row in found["cells"]}
    assert rows["direct"]["reuse"]["bytes_per_slice"] == 0
    assert rows["control: 5 steps from noise"]["special_slices"]["denoising_steps_mean"] == 5.0
    # Weights without sense succeed nowhere: there is nothing to start from, and the row says so.
    assert found["filling"]["succeeded"] == 0
    assert rows["warm start, similar, latent, t0 0.5"]["reuse"]["messages"]
    assert {"drained", "not_drained"} <= set(found["nothing_to_reuse"])
    assert "nothing to reuse" in result.output
