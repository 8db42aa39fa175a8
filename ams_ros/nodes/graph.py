"""The one list of nodes, config/graph.yaml: read by the starter and by the launch files alike. Needs no ROS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ams_ros.errors import ConfigurationError
from ams_ros.resources import share_directory

_KEYS = ("name", "executable", "namespace", "parameters")


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node of the graph.

    name: of the ROS node. executable: as `ros2 run ams_ros` knows it. namespace: absolute, such as /ams.
    parameters: the YAML file it is started with.
    """

    name: str
    executable: str
    namespace: str
    parameters: Path


def load_graph(path: Path | None = None) -> tuple[GraphNode, ...]:
    """The nodes in the order they are configured and activated; they are stopped in reverse.

    path: a list of one's own; default is config/graph.yaml of this package. File names in it are relative to it.
    Raises ConfigurationError naming the entry and key that is missing or wrong.
    """
    path = path or share_directory() / "config" / "graph.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(str(path), str(error), "a readable YAML file") from error
    entries = content.get("nodes") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{path.name} nodes", entries, "a list of at least one node")
    nodes = tuple(_node(f"{path.name} nodes[{index}]", entry, path.parent) for index, entry in enumerate(entries))
    names = [node.name for node in nodes]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{path.name} nodes", name, "every name once")
    return nodes


def overlay_of(robot: str) -> Path:
    """The parameters file that is read on top of the nodes' own for a robot other than the one these are written for.

    Raises ConfigurationError with the robots there are such files for.
    """
    folder = share_directory() / "config" / "overlays"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if robot not in known:
        raise ConfigurationError("robot", robot, ", ".join(known))
    return folder / f"{robot}.yaml"


def _node(where: str, entry: Any, folder: Path) -> GraphNode:
    if not isinstance(entry, dict):
        raise ConfigurationError(where, entry, f"a mapping with {', '.join(_KEYS)}")
    for key in entry:
        if key not in _KEYS:
            raise ConfigurationError(f"{where}.{key}", entry[key], f"only the keys {', '.join(_KEYS)}")
    for key in _KEYS:
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise ConfigurationError(f"{where}.{key}", entry.get(key), "a text")
    if not entry["namespace"].startswith("/"):
        raise ConfigurationError(f"{where}.namespace", entry["namespace"], "a name that begins with /")
    parameters = folder / entry["parameters"]
    if not parameters.is_file():
        raise ConfigurationError(f"{where}.parameters", entry["parameters"], f"a file in {folder}")
    return GraphNode(entry["name"], entry["executable"], entry["namespace"], parameters)
