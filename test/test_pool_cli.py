"""`ams pool` on a store without any node, and what it refuses (C1, C3, C6)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import disk_fixtures
import numpy as np
import pytest

from ams_ros.cli.main import main
from ams_ros.context.disk.disk_tier import DiskTier, DiskVector
from ams_ros.context.records import ContextOutcome, ContextRecord, VectorKind

LATENTS = np.arange(24, dtype=np.float32).reshape(3, 2, 4)

Call = Callable[..., tuple[int, str, str]]


def record(name: str, episode: str, index: int, outcome: ContextOutcome = ContextOutcome.UNKNOWN) -> ContextRecord:
    return disk_fixtures.record(name, episode=episode, index=index, outcome=outcome, created=1.7e9 + index, seed=7)


def vectors(value: float) -> list[DiskVector]:
    latents = LATENTS + np.float32(value)
    picture = np.full((16, 64), value, np.float32)
    return [
        DiskVector(VectorKind.LATENTS, "", b"", "float32", latents.shape, 0.01, latents.reshape(-1).view(np.uint8)),
        DiskVector(
            VectorKind.VISION,
            "wrist",
            bytes([int(value)]) * 32,
            "float32",
            (16, 64),
            0.002,
            picture.reshape(-1).view(np.uint8),
        ),
    ]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three contexts of episode `morning`, one of them pinned, and one of `evening` that succeeded."""
    tier = DiskTier(tmp_path / "store", 2**30)
    for index in range(3):
        tier.save(record(f"abc-{index}", "morning", index), vectors(index), pinned=index == 1)
    tier.save(record("def-0", "evening", 3, ContextOutcome.SUCCEEDED), vectors(9))
    tier.close()
    return tmp_path / "store"


@pytest.fixture
def ams(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Call `ams pool` in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        from ams_ros.cli.output import console  # noqa: PLC0415 - it must not outlive the captured stdout

        console.cache_clear()
        monkeypatch.setattr(sys, "argv", ["ams", "pool", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


def listed(ams: Call, store: Path, *arguments: str) -> list[dict[str, Any]]:
    code, out, err = ams("ls", *arguments, "--store", store, "--json")
    assert code == 0, err
    contexts: list[dict[str, Any]] = json.loads(out)["contexts"]
    return contexts


def names(ams: Call, store: Path, *arguments: str) -> list[str]:
    return [context["context_id"] for context in listed(ams, store, *arguments)]


def test_contexts_are_listed_newest_first_and_by_outcome_episode_and_page(ams: Call, store: Path) -> None:
    assert names(ams, store) == ["def-0", "abc-2", "abc-1", "abc-0"]
    assert names(ams, store, "--outcome", "succeeded") == ["def-0"]
    assert names(ams, store, "morning") == ["abc-2", "abc-1", "abc-0"]
    assert names(ams, store, "--limit", "2", "--offset", "1") == ["abc-2", "abc-1"]
    code, out, _ = ams("ls", "--store", store, "--limit", "2")
    assert code == 0
    assert "1 to 2 of 4; --offset 2 goes on." in out


def test_a_table_names_every_context_in_full(ams: Call, store: Path) -> None:
    code, out, _ = ams("ls", "--store", store)
    assert code == 0
    for row in (("def-0", "evening", "succeeded"), ("abc-1", "morning", "unknown", "yes")):
        assert any(all(word in line for word in row) for line in out.splitlines()), out


def test_show_tells_everything_about_the_one_context_that_begins_like_this(ams: Call, store: Path) -> None:
    code, out, _ = ams("show", "def", "--store", store, "--json")
    assert code == 0
    (context,) = json.loads(out)["contexts"]
    assert (context["context_id"], context["seed"], context["model"]["robot"]) == ("def-0", 7, "widowx250")
    assert [(v["kind"], v["name"], v["shape"], v["nbytes"], v["tier"]) for v in context["vectors"]] == [
        ("latents", "", [3, 2, 4], 96, "disk"),
        ("vision", "wrist", [16, 64], 4096, "disk"),
    ]
    code, out, _ = ams("show", "def", "--store", store)
    assert code == 0
    assert "put every cube into the bowl" in out
    assert "16 x 64" in out


def test_a_reference_that_means_several_or_nothing_is_refused_with_what_there_is(ams: Call, store: Path) -> None:
    code, out, err = ams("show", "abc", "--store", store)
    assert (code, out) == (2, "")
    assert "REFERENCE: got 'abc'" in err
    assert "not of 3: abc-0, abc-1, abc-2" in err
    code, _, err = ams("show", "xyz", "--store", store)
    assert code == 2
    assert "REFERENCE: got 'xyz'" in err
    assert "ams pool ls" in err


def test_marking_an_episode_is_kept_on_disk(ams: Call, store: Path) -> None:
    code, out, _ = ams("mark", "morning", "succeeded", "--store", store)
    assert (code, out) == (0, "Marked 3 contexts as succeeded.\n")
    assert len(names(ams, store, "--outcome", "succeeded")) == 4


def test_a_pinned_context_is_not_evicted_before_it_is_unpinned(ams: Call, store: Path) -> None:
    code, _, err = ams("evict", "abc-1", "--store", store)
    assert code == 1
    assert "pinned" in err
    code, _, err = ams("evict", "morning", "--store", store)
    assert code == 1
    assert "abc-1" in err
    assert len(names(ams, store)) == 4
    assert ams("unpin", "abc-1", "--store", store)[0] == 0
    assert ams("evict", "morning", "--store", store)[0] == 0
    assert names(ams, store) == ["def-0"]


def test_evicting_an_outcome_leaves_pinned_ones(ams: Call, store: Path) -> None:
    code, out, _ = ams("evict", "--outcome", "unknown", "--store", store, "--json")
    assert code == 0
    assert json.loads(out)["contexts"] == 2
    assert names(ams, store) == ["def-0", "abc-1"]


def test_evicting_for_room_takes_the_oldest_first_and_what_succeeded_last(ams: Call, store: Path) -> None:
    code, out, _ = ams("evict", "--bytes", "1k", "--store", store, "--json")
    assert code == 0
    removed = json.loads(out)
    assert removed["freed_bytes"] >= 1000
    left = names(ams, store)
    assert "abc-0" not in left
    assert {"def-0", "abc-1"} <= set(left)
    assert ams("evict", "--bytes", "1T", "--store", store)[0] == 0
    assert names(ams, store) == ["abc-1"]


def test_what_is_exported_is_imported_elsewhere_with_pin_and_outcome(ams: Call, store: Path, tmp_path: Path) -> None:
    code, out, _ = ams("export", "all.contexts", "--store", store, "--json")
    assert code == 0
    assert json.loads(out)["file"] == str(tmp_path / "all.contexts")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code, out, _ = ams("import", "all.contexts", "--store", elsewhere, "--json")
    assert code == 0
    assert json.loads(out) == {"contexts": 4, "known": 0, "skipped": 0, "message": ""}
    before, after = listed(ams, store), listed(ams, elsewhere)
    assert [{**c, "vectors": []} for c in after] == [{**c, "vectors": []} for c in before]
    tier = DiskTier(elsewhere, 2**30, read_only=True)
    latents = {
        r.context_id: tier.load(v.number)
        for r, _, held in tier.contexts()
        for v in held
        if v.kind is VectorKind.LATENTS
    }
    tier.close()
    np.testing.assert_array_equal(latents["abc-2"], LATENTS + 2)
    code, out, _ = ams("import", "all.contexts", "--store", elsewhere, "--json")
    assert json.loads(out)["known"] == 4


def test_an_export_writes_one_episode_and_never_over_a_file(ams: Call, store: Path, tmp_path: Path) -> None:
    assert ams("export", "one.contexts", "evening", "--store", store)[0] == 0
    before = (tmp_path / "one.contexts").read_bytes()
    code, _, err = ams("export", "one.contexts", "--store", store)
    assert code == 2
    assert "FILE: got" in err
    assert (tmp_path / "one.contexts").read_bytes() == before


def test_damage_is_reported_and_ends_in_exit_code_one(ams: Call, store: Path) -> None:
    assert ams("verify", "--store", store)[0] == 0
    (pack, *_) = sorted((store / "packs").iterdir())
    content = bytearray(pack.read_bytes())
    content[-10] ^= 1
    pack.write_bytes(content)
    code, out, _ = ams("verify", "--store", store, "--json")
    found = json.loads(out)
    assert code == 1
    assert found["damaged"] == len(found["details"]) >= 1
    assert ams("verify", "--store", store)[0] == 0


def test_a_damaged_export_is_skipped_and_named(ams: Call, store: Path, tmp_path: Path) -> None:
    assert ams("export", "all.contexts", "--store", store)[0] == 0
    content = bytearray((tmp_path / "all.contexts").read_bytes())
    at = content.index((LATENTS + 2).tobytes())
    content[at] ^= 1
    (tmp_path / "all.contexts").write_bytes(content)
    code, out, _ = ams("import", "all.contexts", "--store", tmp_path / "new", "--json")
    said = json.loads(out)
    assert (code, said["contexts"], said["skipped"]) == (1, 3, 1)
    assert "abc-2" in said["message"]


def test_a_store_that_is_written_can_be_read_and_refuses_a_second_writer_by_name(ams: Call, store: Path) -> None:
    tier = DiskTier(store, 2**30, holder="the pool of this test")
    try:
        assert len(names(ams, store)) == 4
        code, _, err = ams("mark", "morning", "failed", "--store", store)
        assert code == 1
        assert "the pool of this test" in err
        assert names(ams, store, "--outcome", "failed") == []
    finally:
        tier.close()


def test_figures_of_a_store_add_up(ams: Call, store: Path) -> None:
    code, out, _ = ams("stats", "--store", store, "--json")
    assert code == 0
    figures = json.loads(out)
    assert [figures[name] for name in ("contexts", "succeeded", "failed", "pinned", "vectors")] == [4, 1, 0, 1, 8]
    assert figures["logical_bytes"] == 4 * (96 + 4096)
    assert figures["disk_bytes"] >= sum(file.stat().st_size for file in (store / "packs").iterdir())
    assert "succeeded" in ams("stats", "--store", store)[1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("ls", "--outcome", "good"), "--outcome: got 'good'"),
        (("ls", "--limit", "0"), "--limit: got 0"),
        (("ls", "--offset", "-1"), "--offset: got -1"),
        (("ls", "--node", "/a-b"), "--node: got '/a-b'"),
        (("ls", "--store", "nowhere"), "--store: got 'nowhere'"),
        (("ls", "--store", "x", "--node", "/ams/context_pool"), "--node: got '/ams/context_pool'"),
        (("mark", "abc", "good"), "OUTCOME: got 'good'"),
        (("evict",), "evict: got []"),
        (("evict", "abc", "--outcome", "failed"), "evict: got ['abc', 'failed']"),
        (("evict", "--bytes", "much"), "--bytes: got 'much'"),
        (("evict", "--bytes", "0"), "--bytes: got '0'"),
        (("import", "nowhere.contexts"), "FILE: got"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_refused_before_any_pool_is_asked(arguments: tuple[str, ...], named: str, ams: Call) -> None:
    code, out, err = ams(*arguments)
    (line,) = err.strip().splitlines()
    assert (code, out) == (2, "")
    assert named in line
    assert "allowed:" in line


def test_a_reference_that_could_be_no_name_is_refused(ams: Call, store: Path) -> None:
    code, _, err = ams("show", "../etc", "--store", store)
    assert code == 2
    assert "REFERENCE: got '../etc'" in err
