"""Shared memory areas: they outlive no owner for long, and are never taken from a living one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from ams_ros.context.host.shared_memory import (
    FOLDER,
    SharedArea,
    area_exists,
    area_name,
    remove_leftovers,
)
from ams_ros.errors import ConfigurationError, PoolError

OWNER = """
import sys, time
from ams_ros.context.host.shared_memory import SharedArea, area_name
area = SharedArea.create(area_name(sys.argv[1], "host"), 1 << 20)
area.array[:] = 7
print(area.name, flush=True)
time.sleep(600)
"""


@pytest.fixture
def store() -> str:
    """A store name of this test session's own."""
    return f"test.{os.getpid()}"


@pytest.fixture
def area(store: str) -> Iterator[SharedArea]:
    """A megabyte that belongs to this process."""
    area = SharedArea.create(area_name(store, "host"), 1 << 20)
    yield area
    area.close()


@pytest.fixture
def other_owner(store: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that owns an area full of sevens, and the area's name."""
    process = subprocess.Popen([sys.executable, "-c", OWNER, store], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()
    remove_leftovers(f"ams_ros_{store}_")


def test_a_reader_sees_what_the_owner_wrote_and_cannot_write(area: SharedArea) -> None:
    area.array[100:103] = (1, 2, 3)
    reader = SharedArea.open(area.name, area.nbytes)
    assert reader.array[99:104].tolist() == [0, 1, 2, 3, 0]
    with pytest.raises(ValueError, match="read-only"):
        reader.array[0] = 1
    reader.close()
    assert area_exists(area.name)


def test_a_writable_reader_writes_for_the_owner(area: SharedArea) -> None:
    writer = SharedArea.open(area.name, area.nbytes, writable=True)
    writer.array[5] = 42
    writer.close()
    assert area.array[5] == 42


def test_closing_removes_the_name_and_views_stay_good(store: str) -> None:
    area = SharedArea.create(area_name(store, "host"), 4096)
    view = area.array[:8]
    view[:] = 9
    area.close()
    area.close()
    assert not area_exists(area.name)
    assert view.tolist() == [9] * 8


def test_an_area_is_left_alone_while_its_owner_lives_and_removed_once_it_was_killed(
    store: str, other_owner: tuple[subprocess.Popen[str], str]
) -> None:
    process, name = other_owner
    reader = SharedArea.open(name, 1 << 20)
    assert remove_leftovers(f"ams_ros_{store}_") == ()
    process.kill()
    process.wait()
    assert area_exists(name)
    assert remove_leftovers(f"ams_ros_{store}_") == (name,)
    assert not area_exists(name)
    assert (reader.array == 7).all(), "a reader keeps what it mapped"
    reader.close()


def test_own_areas_are_not_leftovers(store: str, area: SharedArea) -> None:
    assert remove_leftovers(f"ams_ros_{store}_") == ()
    assert area_exists(area.name)


def test_leftovers_of_other_stores_and_foreign_files_are_not_touched(store: str) -> None:
    foreign = FOLDER / f"ams_ros_{store}_host_not-a-name-of-ours"
    foreign.touch()
    try:
        assert remove_leftovers(f"ams_ros_{store}_") == ()
        assert foreign.exists()
        with pytest.raises(ConfigurationError, match="ams_ros_"):
            remove_leftovers("")
    finally:
        foreign.unlink()


def test_a_file_shorter_than_promised_is_an_error_and_not_a_crash(area: SharedArea) -> None:
    with pytest.raises(PoolError, match="1048577 bytes promised, 1048576 are there"):
        SharedArea.open(area.name, area.nbytes + 1)


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../etc/passwd", "ams_ros_a_b_0123456789abcdef/..", "ams_ros_x", "other_a_b_0123456789abcdef"],
)
def test_a_name_that_is_not_one_of_ours_is_refused(name: str) -> None:
    with pytest.raises(PoolError, match="is not a name like"):
        SharedArea.open(name, 16)


def test_a_link_is_not_followed(store: str) -> None:
    link = FOLDER / area_name(store, "host")
    link.symlink_to("/etc/hostname")
    try:
        with pytest.raises(PoolError, match="cannot be opened"):
            SharedArea.open(link.name, 1)
    finally:
        link.unlink()


def test_a_pipe_in_place_of_an_area_is_refused_without_waiting(store: str) -> None:
    pipe = FOLDER / area_name(store, "host")
    os.mkfifo(pipe)
    try:
        with pytest.raises(PoolError, match="not a file of this user"):
            SharedArea.open(pipe.name, 1)
    finally:
        pipe.unlink()


def test_an_area_that_is_gone_is_an_error_that_names_it(store: str) -> None:
    name = area_name(store, "host")
    with pytest.raises(PoolError, match=name):
        SharedArea.open(name, 16)


def test_too_large_an_area_is_refused_with_what_to_change_and_leaves_nothing(store: str) -> None:
    name = area_name(store, "host")
    with pytest.raises(
        PoolError, match=r"host_bytes: .* MiB of shared memory needed, .* free in /dev/shm; lower host_bytes"
    ):
        SharedArea.create(name, 1 << 60, "host_bytes")
    assert not area_exists(name)
    with pytest.raises(ConfigurationError, match="host_bytes"):
        SharedArea.create(name, 0, "host_bytes")


def test_a_name_is_given_once(store: str, area: SharedArea) -> None:
    with pytest.raises(PoolError, match="exists already"):
        SharedArea.create(area.name, 16)
    assert area_name(store, "host") != area_name(store, "host")
    with pytest.raises(ConfigurationError, match="store"):
        area_name("a/b", "host")


def test_memory_is_there_from_the_beginning(area: SharedArea) -> None:
    status = os.stat(FOLDER / area.name)
    assert status.st_blocks * 512 >= area.nbytes
    assert status.st_mode & 0o777 == 0o600
    assert not np.any(area.array)


def test_an_ended_process_leaves_no_complaint_of_a_resource_tracker(store: str) -> None:
    script = OWNER.replace("time.sleep(600)", "")
    ended = subprocess.run([sys.executable, "-c", script, store], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    assert remove_leftovers(f"ams_ros_{store}_") == (ended.stdout.strip(),)
