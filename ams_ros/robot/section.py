"""Reading YAML files from outside: every value checked, every complaint with its place in the file."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ams_ros.errors import ConfigurationError

Vector = tuple[float, float, float]

_LARGEST = sys.float_info.max
"""Compared with instead of asking whether a number is finite: a whole number in YAML may be too large for a float."""


def read_section(path: Path) -> Section:
    """The mapping a YAML file holds. Raises ConfigurationError when it cannot be read or holds none."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigurationError(str(path), str(error), "a readable YAML file") from error
    return Section(content, path.name)


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, of which plain YAML readers keep the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for at, key in enumerate(keys) if key in keys[:at]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


class Section:
    """One mapping of the file, with the path of keys that led to it, so that every complaint names its place."""

    def __init__(self, content: object, key: str) -> None:
        """key: what complaints call the content, such as the file's name. Every method raises ConfigurationError."""
        if not isinstance(content, Mapping):
            raise ConfigurationError(key, content, "a mapping of keys to values")
        self.key = key
        self._content: Mapping[str, Any] = content

    def has(self, name: str) -> bool:
        """Whether the key is there."""
        return name in self._content

    def only(self, *names: str) -> None:
        """Refuse every other key, with the most similar allowed one."""
        for found in self._content:
            if found not in names:
                near = difflib.get_close_matches(str(found), names, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise ConfigurationError(f"{self.key}.{found}", self._content[found], f"{', '.join(names)}{hint}")

    def items(self) -> Iterator[tuple[str, object]]:
        """Keys and values as they were read, for content whose own types say what is allowed."""
        for name, value in self._content.items():
            yield str(name), value

    def flag(self, name: str) -> bool:
        """The true or false under that key."""
        value = self._value(name, "true or false")
        if not isinstance(value, bool):
            raise ConfigurationError(f"{self.key}.{name}", value, "true or false")
        return value

    def _value(self, name: str, allowed: str) -> Any:
        if name not in self._content:
            raise ConfigurationError(f"{self.key}.{name}", None, allowed)
        return self._content[name]

    def section(self, name: str) -> Section:
        """The mapping under that key."""
        return Section(self._value(name, "a mapping"), f"{self.key}.{name}")

    def sections(self, name: str) -> Iterator[Section]:
        """The mappings of the list under that key."""
        entries = self._value(name, "a list of mappings")
        if not isinstance(entries, list):
            raise ConfigurationError(f"{self.key}.{name}", entries, "a list of mappings")
        for index, entry in enumerate(entries):
            yield Section(entry, f"{self.key}.{name}[{index}]")

    def text(self, name: str) -> str:
        """The word under that key, not empty."""
        value = self._value(name, "a word")
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"{self.key}.{name}", value, "a word")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """The words of the list under that key, at least one."""
        values = self._value(name, "a list of words")
        if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
            raise ConfigurationError(f"{self.key}.{name}", values, "a list of words")
        return tuple(values)

    def choice(self, name: str, allowed: Collection[str]) -> str:
        """The word under that key, one of those allowed."""
        value = self._value(name, ", ".join(allowed))
        if not isinstance(value, str) or value not in allowed:
            raise ConfigurationError(f"{self.key}.{name}", value, ", ".join(allowed))
        return value

    def count(self, name: str) -> int:
        """The whole number of at least 1 under that key."""
        value = self._value(name, "a whole number of at least 1")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigurationError(f"{self.key}.{name}", value, "a whole number of at least 1")
        return value

    def number(self, name: str) -> float:
        """The finite number under that key."""
        return self._finite(name, self._value(name, "a number"))

    def positive(self, name: str) -> float:
        """The number above 0 under that key."""
        value = self.number(name)
        if value <= 0.0:
            raise ConfigurationError(f"{self.key}.{name}", value, "a number above 0")
        return value

    def span(self, lower: str, upper: str) -> tuple[float, float]:
        """The numbers under two keys, the first below the second."""
        low, high = self.number(lower), self.number(upper)
        if low >= high:
            raise ConfigurationError(f"{self.key}.{lower}", low, f"a number below {upper} ({high})")
        return low, high

    def numbers(self, name: str, count: int | None = None) -> tuple[float, ...]:
        """The list of finite numbers under that key; `count` of them where it is given."""
        allowed = "a list of numbers" if count is None else f"{count} numbers"
        values = self._value(name, allowed)
        if not isinstance(values, list) or (count is not None and len(values) != count):
            raise ConfigurationError(f"{self.key}.{name}", values, allowed)
        return tuple(self._finite(name, value) for value in values)

    def vector(self, name: str) -> Vector:
        """The three finite numbers under that key."""
        x, y, z = self.numbers(name, 3)
        return x, y, z

    def _finite(self, name: str, value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST:
            return float(value)
        raise ConfigurationError(f"{self.key}.{name}", value, "a finite number")
