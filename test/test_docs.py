"""The documentation keeps up with the code."""

import inspect
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from ams_ros.cli.main import app
from ams_ros.cli.rules_markdown import tables
from ams_ros.exception import sub_slices
from ams_ros.exception.calibration.conformal import ROOM
from ams_ros.exception.conditions.condition_file import MOST, MOST_WHEN, outcomes_file, parse_conditions
from ams_ros.exception.guard import RETRY_SECONDS, ExceptionGuard
from ams_ros.nodes.context_pool import ContextPoolNode
from ams_ros.nodes.exception_monitor import ExceptionMonitor
from ams_ros.nodes.inference import InferenceNode
from ams_ros.nodes.replay_supervisor import ReplaySupervisor
from ams_ros.nodes.simulated_robot import SimulatedRobotNode
from ams_ros.recovery.handling import HandlingSettings
from ams_ros.recovery.recovery import RecoverySettings
from ams_ros.recovery.rollback import RollbackSettings
from ams_ros.robot.driver_file import load_driver
from ams_ros.robot.profile import load_profile
from ams_ros.robot.section import Section

ROOT = Path(__file__).resolve().parent.parent
EXCEPTIONS = (ROOT / "docs" / "exceptions.md").read_text()
SECTIONS = re.split(r"^## ", (ROOT / "docs" / "nodes.md").read_text(), flags=re.MULTILINE)[1:]


def section(name):
    return next(text for text in SECTIONS if text.startswith(name))


def generic(parameter):
    """constraints.waist.goal is documented once for all joints, and short forms follow their first name."""
    return re.sub(r"^constraints\.[a-z_]+\.([a-z_]+)$", r".\1", parameter)


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("simulated_robot", SimulatedRobotNode),
        ("exception_monitor", ExceptionMonitor),
        ("context_pool", ContextPoolNode),
        ("inference", InferenceNode),
        ("replay_supervisor", ReplaySupervisor),
    ],
)
def test_every_parameter_of_a_node_is_documented(name, node):
    told = section(name)
    missing = [setting.name for setting in node.SETTINGS if f"{generic(setting.name)}`" not in told]
    assert not missing


def test_every_file_the_documentation_links_to_exists():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"]
    broken = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert not broken


TABLES = tables()


@pytest.mark.parametrize("about", TABLES)
def test_the_tables_about_exceptions_are_those_of_ams_rules_markdown(about):
    assert TABLES[about] in EXCEPTIONS


def test_the_numbers_told_about_exceptions_are_those_of_the_code():
    handling, rollback = HandlingSettings(), RollbackSettings()
    told = (
        f"the {handling.per_window + 1}th within {handling.window:g} s, the {handling.per_task + 1}st of a task",
        f"multiplied by {inspect.signature(ExceptionGuard).parameters['caution'].default:g}",
        f"of {sub_slices.SHORTEST} to {sub_slices.LONGEST} steps",
        f"{sub_slices.MOTION:g} rad of the joint that moves most, or to {sub_slices.DURATION:g} s",
        f"withdrawing the tip up to {1000 * rollback.retreat:g} mm",
        f"within {100 * rollback.scale:g} % of the arm's speed",
        f"At most {MOST} conditions, {MOST_WHEN} entries",
        f"{ROOM:g} times the largest value",
    )
    text = " ".join(EXCEPTIONS.split())
    assert [each for each in told if each not in text] == []
    assert RecoverySettings().scale == rollback.scale
    # Told in words: the second one restarts, and the ladder is climbed again every second.
    assert (handling.restart_after, RETRY_SECONDS) == (2, 1.0)


def test_every_outcome_that_ships_is_told_with_its_quantity():
    for outcome in yaml.safe_load(outcomes_file().read_text())["conditions"]:
        (row,) = (line for line in EXCEPTIONS.splitlines() if line.startswith(f"| `{outcome['name']}` "))
        assert f"`{outcome['quantity']}` {outcome['comparison']}" in row


def test_the_example_of_own_conditions_is_accepted():
    (example,) = re.findall(r"^```yaml\n(conditions:.*?)^```", EXCEPTIONS, flags=re.MULTILINE | re.DOTALL)
    driver = load_driver("simulated_widowx")
    found = parse_conditions(Section(yaml.safe_load(example), "example"), load_profile(driver.robot))
    assert [each.name for each in found] == ["above_the_table", "gentle_closing"]


PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_documentation_exists_with_its_options(page):
    group = typer.main.get_command(app)
    for line in re.findall(r"^(?:    )?(?:\./run )?(ams [a-z].*)$", page.read_text(), flags=re.MULTILINE):
        words, command = shlex.split(line, comments=True)[1:], group
        while getattr(command, "commands", None) and words:
            assert words[0] in command.commands, line
            command, words = command.commands[words[0]], words[1:]
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "./run demo" in text
    assert "./run test" in text
