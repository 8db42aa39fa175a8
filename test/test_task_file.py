"""Task descriptions: what the shipped files say, and what is said of files that cannot be used."""

from __future__ import annotations

import pytest

from ams_ros.errors import ConfigurationError
from ams_ros.recovery.surroundings import load_surroundings, read_surroundings
from ams_ros.replay.task_description import PlaceEvidence, PullEvidence
from ams_ros.replay.task_file import load_task, task_names
from ams_ros.simulation.tasks import find_task

TABLE = load_surroundings("table_and_bowl")
GOOD = """
name: mine
instruction: do it
parts:
- instruction: do it
  place: {over: bowl, carried: 0.05, held: 0.3}
"""


@pytest.mark.parametrize("name", ["cubes", "cups", "mixed"])
def test_shipped_tasks_speak_the_words_their_policies_were_trained_with(name):
    task = load_task(name, TABLE)
    assert task.instruction == find_task(name).instruction
    parts = [find_task(part).instruction for part in (("cubes", "cups") if name == "mixed" else (name,))]
    assert [part.instruction for part in task.parts] == parts


def test_every_shipped_task_can_be_read_with_the_shipped_surroundings():
    assert task_names() == ("cubes", "cups", "mixed")
    for name in task_names():
        for part in load_task(name, TABLE).parts:
            assert isinstance(part.evidence, (PlaceEvidence, PullEvidence))


def test_a_user_s_own_file_is_read_by_its_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    assert load_task(str(path), TABLE).parts[0].evidence == PlaceEvidence("bowl", 0.05, 0.3)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("over: bowl", "over: bowle", r"place.over: got 'bowle', allowed: bowl \(the places of surroundings table_and"),
        ("carried: 0.05", "carry: 0.05", "did you mean carried"),
        ("carried: 0.05", "carried: .nan", "carried: got nan, allowed: a finite number"),
        ("carried: 0.05", "carried: -1", "a number above 0"),
        ("held: 0.3", "held: 0.3}\n  pull: {force: 1, distance: 1", "either place or pull"),
        ("  place: {over: bowl, carried: 0.05, held: 0.3}", "", "got 'neither'"),
        ("- instruction: do it", "- instruction: do that", "'do that', that of its only part"),
        ("name: mine", "name: mine\njobs: 3", r"mine.yaml.jobs: got 3, allowed: name, instruction, parts"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_key(tmp_path, old, new, complaint):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigurationError, match=complaint):
        load_task(str(path), TABLE)


def test_two_parts_of_one_instruction_are_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD + GOOD.split("parts:\n")[1])
    with pytest.raises(ConfigurationError, match="an instruction no other part has"):
        load_task(str(path), TABLE)


def test_a_task_without_parts_or_a_file_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ninstruction: do it\nparts: []\n")
    with pytest.raises(ConfigurationError, match="at least one part"):
        load_task(str(path), TABLE)
    with pytest.raises(ConfigurationError, match="a readable YAML file"):
        load_task(str(tmp_path / "nobody.yaml"), TABLE)


def test_an_unknown_task_is_refused_with_the_list_of_those_there_are():
    with pytest.raises(ConfigurationError, match="task: got 'spoons', allowed: cubes, cups, mixed, or the path"):
        load_task("spoons", TABLE)


def test_places_are_cylinders_of_air():
    bowl = TABLE.place("bowl")
    x, y, z = bowl.centre
    assert bowl.holds(x, y, z + bowl.height / 2)
    assert not bowl.holds(x + bowl.radius * 1.01, y, z + 0.1)
    assert not bowl.holds(x, y, z + bowl.height + 0.01)
    assert not bowl.holds(x, y, z - 0.01)
    with pytest.raises(ConfigurationError, match="got 'sink', allowed: bowl"):
        TABLE.place("sink")


@pytest.mark.parametrize(
    ("places", "complaint"),
    [
        ("[{name: a, centre: [0, 0, 0], radius: 0, height: 1}]", "radius: got 0.0"),
        ("[{name: a, centre: [0, 0], radius: 1, height: 1}]", "centre"),
        ("[{name: a, centre: [0, 0, 0], radius: 1, height: 1, hight: 2}]", "did you mean height"),
        (
            "[" + ", ".join(["{name: a, centre: [0, 0, 0], radius: 1, height: 1}"] * 2) + "]",
            "a name no other place has",
        ),
    ],
)
def test_places_that_make_no_sense_are_refused(tmp_path, places, complaint):
    path = tmp_path / "cell.yaml"
    path.write_text(
        "name: cell\ntitle: a cell\nthings:\n- {name: t, shapes: [{box: [1, 1, 1], place: [0, 0, 0]}]}\n"
        f"places: {places}\n"
    )
    with pytest.raises(ConfigurationError, match=complaint):
        read_surroundings(path)
