"""`ams demo` as a person starts it; slow, as two tasks run in real time on a graph of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import imageio.v3 as imageio
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LONGEST = 400.0
"""s that the demo may take on a machine that is busy with other things."""


def test_the_demo_leaves_film_page_and_report_and_its_exit_code_is_the_truth_about_ams(domain, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ams_ros.cli.main", "demo", "--out", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    latest = tmp_path / "latest"
    told = json.loads((latest / "demo.json").read_text(encoding="utf-8"))
    direct, ams = told["direct"]["report"], told["ams"]["report"]
    assert ended.returncode == (0 if ams["success"] and ams["outcome"] not in ("failed", "canceled") else 1), (
        ended.stdout
    )
    assert f"Direct: {direct['placed']} of 3 cubes in the bowl" in ended.stdout
    assert f"AMS: {ams['placed']} of 3 cubes in the bowl" in ended.stdout
    assert (direct["mode"], ams["mode"], direct["seed"]) == ("direct", "ams", ams["seed"])
    assert told["contexts_before"] == 0
    assert told["ams"]["injection"]["refused"] == ""
    kinds = [event["kind"] for event in told["ams"]["events"]]
    assert (kinds[0], kinds[-1]) == ("slice", "ended")
    assert kinds.count("exception") >= 1, "the push was not seen"
    film = imageio.immeta(latest / "demo.mp4", plugin="FFMPEG")
    assert film["duration"] >= ams["seconds"] - 2.0
    assert "data:video/mp4;base64," in (latest / "demo.html").read_text(encoding="utf-8")
