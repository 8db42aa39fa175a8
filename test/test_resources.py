"""The files that are not Python are found in every layout (spec: one checkout, colcon and pip)."""

from pathlib import Path

import pytest

from ams_ros.errors import AmsError
from ams_ros.resources import share_directory


def package_in(folder: Path) -> Path:
    package = folder / "ams_ros"
    package.mkdir(parents=True)
    return package


def config_in(folder: Path) -> Path:
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "graph.yaml").touch()
    return folder


def test_the_checkout_itself_is_the_share_directory_when_running_from_it():
    assert (share_directory() / "config" / "robots" / "widowx_250s.yaml").is_file()


def test_the_source_tree_wins_over_an_installation_further_up(tmp_path):
    config_in(tmp_path / "share" / "ams_ros")
    checkout = config_in(tmp_path / "src")
    assert share_directory(package_in(checkout)) == checkout


@pytest.mark.parametrize("site", ["lib/python3.12/site-packages", "local/lib/python3.12/dist-packages"])
def test_an_installed_package_finds_the_share_of_its_own_prefix(tmp_path, site):
    share = config_in(tmp_path / "install" / "share" / "ams_ros")
    assert share_directory(package_in(tmp_path / "install" / site)) == share


def test_a_package_without_its_files_says_what_was_looked_for_and_where(tmp_path):
    with pytest.raises(AmsError, match=rf"config/graph.yaml(.|\n)*{tmp_path}"):
        share_directory(package_in(tmp_path))
