"""Reading task descriptions: the files under config/tasks, or a user's own."""

from __future__ import annotations

from pathlib import Path

from ams_ros.errors import ConfigurationError
from ams_ros.recovery.surroundings import Surroundings
from ams_ros.replay.task_description import PlaceEvidence, PullEvidence, TaskDescription, TaskPart
from ams_ros.resources import share_directory
from ams_ros.robot.section import Section, read_section

_FILE_ENDINGS = (".yaml", ".yml")


def load_task(name: str, surroundings: Surroundings) -> TaskDescription:
    """The task of that name under config/tasks; a name that ends in .yaml or .yml is the path of a user's own file.

    surroundings: where its places lie. Raises ConfigurationError naming the key that is missing or wrong, and what
    there is.
    """
    if name.endswith(_FILE_ENDINGS):
        return read_task(Path(name).expanduser(), surroundings)
    known = task_names()
    if name not in known:
        raise ConfigurationError("task", name, f"{', '.join(known)}, or the path of a file that ends in .yaml")
    return read_task(_folder() / f"{name}.yaml", surroundings)


def task_names() -> tuple[str, ...]:
    """The tasks there are."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def _folder() -> Path:
    return share_directory() / "config" / "tasks"


def read_task(path: Path, surroundings: Surroundings) -> TaskDescription:
    """Read one task's file. Raises ConfigurationError naming the key that is missing or wrong."""
    root = read_section(path)
    root.only("name", "instruction", "parts")
    name, instruction = root.text("name"), root.text("instruction")
    parts = tuple(_part(section, surroundings) for section in root.sections("parts"))
    if not parts:
        raise ConfigurationError(f"{path.name}.parts", [], "at least one part")
    told = [part.instruction for part in parts]
    twice = next((text for at, text in enumerate(told) if text in told[:at]), None)
    if twice is not None:
        raise ConfigurationError(f"{path.name}.parts", twice, "an instruction no other part has")
    if len(parts) == 1 and told[0] != instruction:
        raise ConfigurationError(f"{path.name}.instruction", instruction, f"{told[0]!r}, that of its only part")
    return TaskDescription(name, instruction, parts)


def _part(section: Section, surroundings: Surroundings) -> TaskPart:
    section.only("instruction", "place", "pull")
    if section.has("place") == section.has("pull"):
        found = " and ".join(name for name in ("place", "pull") if section.has(name)) or "neither"
        raise ConfigurationError(section.key, found, "either place or pull: how the robot can tell that a job is done")
    evidence = (
        _place(section.section("place"), surroundings) if section.has("place") else _pull(section.section("pull"))
    )
    return TaskPart(section.text("instruction"), evidence)


def _place(section: Section, surroundings: Surroundings) -> PlaceEvidence:
    section.only("over", "carried", "held")
    over, known = section.text("over"), [place.name for place in surroundings.places]
    if over not in known:
        allowed = f"{', '.join(known) or 'none'} (the places of surroundings {surroundings.name})"
        raise ConfigurationError(f"{section.key}.over", over, allowed)
    return PlaceEvidence(over, section.positive("carried"), section.positive("held"))


def _pull(section: Section) -> PullEvidence:
    section.only("force", "distance")
    return PullEvidence(section.positive("force"), section.positive("distance"))
