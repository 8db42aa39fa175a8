"""What `ams doctor` finds out about the machine without ROS: packages, disk, rendering, checkpoint."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ams_ros.cli.finding import Finding, bad, good, note

SET_UP = "set up again: ./run setup (or install it into this Python)"
PACKAGES = (
    "numpy",
    "scipy",
    "pin",
    "ompl",
    "ruckig",
    "mcap",
    "mujoco",
    "torch",
    "transformers",
    "safetensors",
    "typer",
    "rich",
    "Pillow",
    "imageio-ffmpeg",
)
LEAST_DISK = 2 * 1024**3
LEAST_SHARED_MEMORY = 64 * 1024**2
GL_PACKAGES = {"egl": "libegl1 libgl1-mesa-dri", "osmesa": "libosmesa6"}
RENDER = """
import numpy, mujoco
from ams_ros.simulation.rendering import SceneRenderer
model = mujoco.MjModel.from_xml_string(
    '<mujoco><worldbody><light pos="0 0 2"/><camera pos="0 0 1"/><geom size=".2" rgba="1 0 0 1"/></worldbody></mujoco>'
)
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = SceneRenderer(model)
pixels = renderer.draw(data, 0, 64, 64, False)
renderer.close()
red, green, blue = map(int, pixels[32, 32])
assert red > 100 + green + blue // 2, f"a red ball was drawn as {pixels[32, 32]}"
"""
LOAD_POLICY = """
import time
from ams_ros.policy.pi0 import load_policy
begun = time.perf_counter()
description = load_policy("cubes").description
seconds = time.perf_counter() - begun
print(f"{description.model_id}, cameras {', '.join(description.cameras)}, loaded in {seconds:.1f} s")
"""


def installed() -> Iterator[Finding]:
    """Python and the packages AMS stands on, with their versions."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield good("Python", f"{version} at {sys.executable}")
    for name in PACKAGES:
        try:
            yield good(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield bad(name, "not installed", SET_UP)


def space(folder: Path = Path(), shared_memory: Path = Path("/dev/shm")) -> Iterator[Finding]:
    """Free disk where results go, and shared memory that DDS needs."""
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:.1f} GiB free in {folder.resolve()}"
    yield good("disk", text) if free >= LEAST_DISK else bad("disk", text, "free at least 2 GiB")
    if not shared_memory.is_dir():
        yield bad("shared memory", f"{shared_memory} is missing", f"mount a tmpfs at {shared_memory}")
        return
    free = shutil.disk_usage(shared_memory).free
    text = f"{free / 1024**2:.0f} MiB free in {shared_memory}"
    if free >= LEAST_SHARED_MEMORY:
        yield good("shared memory", text)
    else:
        yield bad(
            "shared memory", text, "free 64 MiB there; in a container: docker run --shm-size=512m (or --ipc=host)"
        )


def rendering() -> Iterator[Finding]:
    """Whether a frame can really be drawn, and by which OpenGL; each is tried in a process of its own."""
    results = {backend: _run(RENDER, MUJOCO_GL=backend) for backend in GL_PACKAGES}
    works = [backend for backend, (code, _) in results.items() if code == 0]
    for backend, (code, said) in results.items():
        subject, mend = f"rendering with {backend}", f"apt-get install {GL_PACKAGES[backend]}"
        if code == 0:
            yield good(subject, "drew a frame")
        elif works:
            yield note(subject, f"does not work, {works[0]} does instead")
        else:
            yield bad(subject, said, mend)


def checkpoint() -> Iterator[Finding]:
    """Whether the shipped policy loads."""
    code, said = _run(LOAD_POLICY)
    if code == 0:
        yield good("policy cubes", said)
    else:
        yield bad("policy cubes", said, "get the package's checkpoint again, or make one: ams train cubes")


def _run(program: str, **variables: str) -> tuple[int, str]:
    """Run a Python program; returns its exit code and the last line it said."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60.0,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, "did not end within 60 s"
    lines = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip().splitlines()
    if not lines:
        return done.returncode, f"ended with exit code {done.returncode}"
    return done.returncode, lines[-1].removeprefix("ams_ros.errors.CheckpointError: ")
