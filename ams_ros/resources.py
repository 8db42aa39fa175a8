"""Where the files that are not Python lie: config/ and launch/."""

from __future__ import annotations

import sys
from pathlib import Path

from ams_ros.errors import AmsError


def share_directory() -> Path:
    """The folder that holds config/: the source tree when running from it, else the installed share/ams_ros.

    Raises AmsError when neither is there.
    """
    package = Path(__file__).resolve().parent
    candidates = [package.parent, Path(sys.prefix) / "share" / "ams_ros"]
    # A ROS workspace installs the package under <prefix>/lib/.../site-packages and its share beside lib.
    candidates += [parent / "share" / "ams_ros" for parent in package.parents]
    for folder in candidates:
        if (folder / "config" / "robots").is_dir():
            return folder
    raise AmsError(f"config/ of ams_ros was not found; looked in {', '.join(map(str, candidates))}")
