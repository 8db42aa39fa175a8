"""The robot's profile: what it says, and that a wrong file is refused with the key, the value and what is allowed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from changed_file import changed_file

from ams_ros.errors import ConfigurationError
from ams_ros.resources import share_directory
from ams_ros.robot.profile import load_profile, read_profile

FILE = share_directory() / "config" / "robots" / "widowx_250s.yaml"


def test_the_widowx_has_six_arm_joints_and_a_left_finger_within_the_published_limits() -> None:
    profile = load_profile("widowx_250s")
    assert profile.joint_names == ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
    assert (profile.gripper.joint, profile.gripper.lower, profile.gripper.upper) == ("left_finger", 0.015, 0.037)
    assert profile.upper[2] == pytest.approx(1.60570291)
    assert profile.velocity == pytest.approx(np.full(6, np.pi))
    assert ((profile.start > profile.lower) & (profile.start < profile.upper)).all()


def test_link_inertias_are_turned_into_the_links_own_axes() -> None:
    # The URDF gives the upper arm in a frame turned by 90 degrees about z: its long axis z keeps the small moment.
    inertia = load_profile("widowx_250s").link("upper_arm_link").inertia
    assert inertia[2, 2] == pytest.approx(0.0004566, rel=1e-3)
    assert inertia[0, 0] == pytest.approx(0.003587, rel=1e-3)
    assert inertia == pytest.approx(inertia.T)


def test_an_unknown_robot_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"robot: got 'widow', allowed: .*widowx_250s"):
        load_profile("widow")


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("start",), [0.0] * 5, r"start: .* allowed: 6 angles"),
        (("start",), [0.0, 0.0, 3.0, 0.0, 0.0, 0.0], r"start: .* within the joint limits"),
        (("joints", 1, "axis"), [0, 2, 0], r"joints\[1\]\.axis: .* length 1"),
        (("joints", 1, "velocity"), -1.0, r"joints\[1\]\.velocity: got -1\.0, allowed: a number above 0"),
        (("joints", 1, "effort"), "strong", r"joints\[1\]\.effort: got 'strong', allowed: a finite number"),
        (("joints", 1, "lower"), 9.0, r"joints\[1\]\.lower: got 9\.0, allowed: a number below upper"),
        (("gripper",), None, r"gripper: got None, allowed: a mapping"),
        (("links", 0, "inertia"), [1.0, 1.0], r"links\[0\]\.inertia: .* allowed: 6 numbers"),
        (("links", 0, "inertia"), [-1.0, 1.0, 1.0, 0.0, 0.0, 0.0], r"links\[0\]\.inertia: .* positive definite"),
        (("links", 0, "name"), "bases", r"links: .* an entry for base_link"),
        (("links", 0, "shapes", 0), {"place": [0, 0, 0]}, r"links\[0\]\.shapes\[0\]: .* one of box or cylinder"),
        (("links", 0, "shapes", 0, "box"), [0.1, 0.0, 0.1], r"shapes\[0\]\.box: .* numbers above 0"),
        (("links", 0, "shapes", 1, "cylinder"), [0.1], r"shapes\[1\]\.cylinder: .* allowed: 2 numbers"),
        (("links", 0, "shapes", 1, "along"), "w", r"shapes\[1\]\.along: got 'w', allowed: x, y, z"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(
    tmp_path: Path, path: tuple[Any, ...], value: object, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read_profile(changed_file(FILE, tmp_path, path, value))


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    content = yaml.safe_load(FILE.read_text())
    del content["gripper"]["drive_speed"]
    changed = tmp_path / "robot.yaml"
    changed.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError, match=r"gripper\.drive_speed: got None"):
        read_profile(changed)
