"""Writing what was learned in the form that the thresholds are read in."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import yaml

from ams_ros.errors import ConfigurationError
from ams_ros.exception.calibration.calibration import Calibration
from ams_ros.robot.driver import DriverProfile


def check_overlay(path: Path, *, force: bool) -> None:
    """Raise ConfigurationError when a file of that name must not be replaced."""
    if path.exists() and not force:
        raise ConfigurationError("--out", str(path), "a file that does not exist yet, or --force to replace it")


def write_overlay(path: Path, found: Calibration, driver: DriverProfile, made: str, *, force: bool) -> None:
    """Write the thresholds for one robot behind one driver; the file is whole or not there.

    made: when and how, one line. Raises ConfigurationError when the file exists, without `force`, or cannot be written.
    """
    check_overlay(path, force=force)
    content = {"robot": driver.robot, "driver": driver.name, "made": made, "rules": found.rules()}
    text = "# Thresholds that ams calibrate learned; read on top of config/exceptions.yaml.\n"
    text += yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)
                if force:
                    os.replace(file.name, path)
                else:
                    # A link, unlike a renaming, fails when somebody else wrote the file meanwhile.
                    os.link(file.name, path)
            finally:
                Path(file.name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError("--out", str(path), f"a file that can be written ({error.strerror})") from error
