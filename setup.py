"""Install with pip: the CMake project that colcon builds is built here too, and its install tree becomes the wheel."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from importlib.metadata import packages_distributions
from pathlib import Path

from setuptools import Distribution, find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# control_msgs comes from the machine's ROS where it has one; ours beside it would hide it. An earlier installation of
# ams_ros does not count: pip removes what that brought.
FOREIGN = importlib.util.find_spec("control_msgs") and "ams_ros" not in packages_distributions().get("control_msgs", [])
PROJECTS = [ROOT] if FOREIGN else [ROOT / "msg" / "control_msgs", ROOT]


class BuildWithCMake(build_py):
    """Fill build_lib and the data files from `cmake --install` instead of copying packages."""

    def run(self) -> None:
        """Build every project against the ROS packages of this environment and sort what they install."""
        work = Path(self.get_finalized_command("build").build_temp).resolve()
        stage = work / "stage"
        for number, project in enumerate(PROJECTS):
            install_project(project, work / str(number), stage)
        site = stage / Path(sysconfig.get_path("purelib")).relative_to(sysconfig.get_path("data"))
        self.copy_tree(str(site), self.build_lib)
        self.distribution.data_files = [
            (str(folder.relative_to(stage)), [str(file) for file in sorted(folder.iterdir()) if file.is_file()])
            for folder in sorted(path for path in stage.rglob("*") if path.is_dir())
            if folder != site and site not in folder.parents
        ]


class PlatformDistribution(Distribution):
    """The wheel holds compiled message types, so its tag must name interpreter and platform."""

    def has_ext_modules(self) -> bool:
        """Say so although setuptools itself compiles nothing."""
        return True


def install_project(project: Path, build: Path, stage: Path) -> None:
    """Configure, build and install one CMake project into the stage."""
    prefix = ros_prefix()
    environment = {**os.environ, "AMENT_PREFIX_PATH": str(prefix)}
    settings = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_INSTALL_PREFIX": stage,
        "CMAKE_PREFIX_PATH": f"{stage};{prefix}",
        "Python3_EXECUTABLE": sys.executable,
        "BUILD_TESTING": "OFF",
    }
    for command in (
        [sys.executable, ROOT / "resource" / "mend_exports.py", prefix],
        ["cmake", "-S", project, "-B", build, *(f"-D{key}={value}" for key, value in settings.items())],
        ["cmake", "--build", build, "--parallel"],
        ["cmake", "--install", build],
    ):
        subprocess.run([str(word) for word in command], check=True, env=environment)


def ros_prefix() -> Path:
    """Where the ROS wheels lie: in the build environment that pip makes, or in the interpreter's own."""
    beside = [Path(folder).parents[2] for folder in sys.path if folder.endswith("-packages")]
    for prefix in [*beside, Path(sys.prefix)]:
        if (prefix / "share" / "rosidl_default_generators").is_dir():
            return prefix
    raise SystemExit(
        "rosidl_default_generators is missing: install setup.cfg's setup_requires, or let pip isolate the build"
    )


if __name__ == "__main__":
    setup(
        packages=find_packages(include=["ams_ros", "ams_ros.*"]),
        cmdclass={"build_py": BuildWithCMake},
        distclass=PlatformDistribution,
    )
