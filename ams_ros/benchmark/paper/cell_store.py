"""Cells that were run, kept as JSON files, so that none is run twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ams_ros.benchmark.paper.cell import Cell
from ams_ros.benchmark.paper.code_digest import code_digest
from ams_ros.benchmark.report import Episode
from ams_ros.errors import ConfigurationError


class CellStore:
    """The folder `cells` of a benchmark's folder: a file each, with settings, the policy's hash and episodes."""

    def __init__(self, folder: Path, notice: Callable[[str], None]) -> None:
        """notice: told in one line whenever something that was there cannot be used."""
        self._folder, self._notice = folder / "cells", notice
        self._folder.mkdir(parents=True, exist_ok=True)
        self.by_other_code: set[str] = set()
        """Names of the cells that were read and had been run by other code than this."""

    def read(self, cell: Cell, policy_hash: str) -> dict[int, Episode]:
        """The episodes there are, by seed; none, with a notice, when they were run with anything else.

        Raises ConfigurationError for a file that is damaged.
        """
        path = self._path(cell)
        if not path.exists():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            episodes = [Episode.from_dictionary(each) for each in content["episodes"]]
            found, expected = self._identity(content), {"settings": cell.settings(), "policy_hash": policy_hash}
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError("cell", str(path), f"a file that was not touched, remove it ({error})") from error
        if found != expected:
            different = ", ".join(_differences(found, expected))
            self._notice(f"{path.name} was run with another {different}; it is run again")
            return {}
        if content.get("code") != code_digest():
            self.by_other_code.add(cell.name)
        return {episode.seed: episode for episode in episodes}

    def write(self, cell: Cell, policy_hash: str, episodes: dict[int, Episode]) -> None:
        """Keep these, all at once or not at all."""
        content = {
            "settings": cell.settings(),
            "policy_hash": policy_hash,
            "code": code_digest(),
            "episodes": [asdict(episodes[seed]) for seed in sorted(episodes)],
        }
        path = self._path(cell)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(part, path)

    def _path(self, cell: Cell) -> Path:
        return self._folder / f"{cell.name}.json"

    @staticmethod
    def _identity(content: dict[str, Any]) -> dict[str, Any]:
        return {key: content[key] for key in ("settings", "policy_hash")}


def _differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    settings = [key for key, value in expected["settings"].items() if found["settings"].get(key) != value]
    return settings or ["policy (its weights differ)"]
