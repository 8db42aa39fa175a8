"""Where the files that are not Python lie: config/ and launch/. Needs no ROS."""

from __future__ import annotations

from pathlib import Path

from ams_ros.errors import AmsError


def share_directory(package: Path | None = None) -> Path:
    """The folder that holds config/ and launch/: the source tree when running from it, else share/ams_ros.

    package: the folder of the Python package; default: this one, links resolved. colcon and pip both install it to
    <prefix>/lib/.../ams_ros and the share folder to <prefix>/share/ams_ros, so no index has to be asked.

    Raises AmsError when neither is there.
    """
    package = package or Path(__file__).resolve().parent
    candidates = [package.parent, *(parent / "share" / "ams_ros" for parent in package.parents)]
    for folder in candidates:
        if (folder / "config" / "graph.yaml").is_file():
            return folder
    searched = "\n  ".join(map(str, candidates))
    raise AmsError(
        f"config/graph.yaml of ams_ros was not found, so ams_ros must be installed again; looked in\n  {searched}"
    )
