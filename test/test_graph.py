"""config/graph.yaml and its reader."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
import yaml

from ams_ros.errors import ConfigurationError
from ams_ros.nodes.graph import load_graph

ROOT = Path(__file__).resolve().parent.parent
ENTRY = {"name": "one", "executable": "inference", "namespace": "/ams", "parameters": "p.yaml"}


def write(folder: Path, content: object) -> Path:
    (folder / "p.yaml").write_text("{}\n")
    path = folder / "graph.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_the_shipped_list_names_the_nodes_in_the_order_they_depend_on_each_other():
    names = [node.name for node in load_graph()]
    assert names == ["simulated_robot", "exception_monitor", "context_pool", "inference", "replay_supervisor"]


def test_every_executable_of_the_shipped_list_is_one_of_setup_cfg():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.entry_points"]["console_scripts"].split("\n")
    executables = {line.partition("=")[0].strip() for line in lines}
    assert {node.executable for node in load_graph()} <= executables


def test_the_shipped_parameters_file_has_a_section_for_every_node():
    for node in load_graph():
        assert f"/**/{node.name}" in yaml.safe_load(node.parameters.read_text())


def test_file_names_are_relative_to_the_list(tmp_path):
    (node,) = load_graph(write(tmp_path, {"nodes": [ENTRY]}))
    assert node.parameters == tmp_path / "p.yaml"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nodes: [", ["graph.yaml", "YAML"]),
        ("", ["nodes", "None"]),
        ({"nodes": []}, ["nodes", "at least one"]),
        ({"nodes": ["inference"]}, ["nodes[0]", "inference", "mapping"]),
        ({"nodes": [{**ENTRY, "name": ""}]}, ["nodes[0].name", "a text"]),
        ({"nodes": [{key: value for key, value in ENTRY.items() if key != "executable"}]}, ["nodes[0].executable"]),
        ({"nodes": [{**ENTRY, "colour": "red"}]}, ["nodes[0].colour", "red", "namespace"]),
        ({"nodes": [{**ENTRY, "namespace": "ams"}]}, ["nodes[0].namespace", "'ams'", "/"]),
        ({"nodes": [{**ENTRY, "parameters": "gone.yaml"}]}, ["nodes[0].parameters", "gone.yaml"]),
        ({"nodes": [ENTRY, ENTRY]}, ["one", "every name once"]),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_naming_entry_key_and_value(tmp_path, content, words):
    with pytest.raises(ConfigurationError) as error:
        load_graph(write(tmp_path, content))
    assert all(word in str(error.value) for word in words)


def test_a_list_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent\.yaml"):
        load_graph(tmp_path / "absent.yaml")
