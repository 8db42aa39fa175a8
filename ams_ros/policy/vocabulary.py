"""A vocabulary of whole words, for policies trained on a handful of instructions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ams_ros.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class WordVocabulary:
    """Words by token id: word k has id k + 1; id 0 is unused padding."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, instructions: Iterable[str]) -> WordVocabulary:
        """The words of these instructions, in order of first appearance."""
        return cls(tuple(dict.fromkeys(word for instruction in instructions for word in split(instruction))))

    def encode(self, instruction: str) -> tuple[int, ...]:
        """Token ids of an instruction; raises ConfigurationError when it is empty or has a word that is not known."""
        words = split(instruction)
        if not words or any(word not in self.words for word in words):
            raise ConfigurationError("instruction", instruction, f"one or more of the words {', '.join(self.words)}")
        return tuple(self.words.index(word) + 1 for word in words)


def split(instruction: str) -> list[str]:
    """The words of an instruction, in lower case, without punctuation at their ends."""
    words = (word.strip(".,;:!?\"'") for word in instruction.lower().split())
    return [word for word in words if word]
