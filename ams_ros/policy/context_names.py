"""Names for inferences."""

from __future__ import annotations

import uuid


class ContextNames:
    """Context ids: a word that no other process has, and a number. One instance serves one thread."""

    def __init__(self) -> None:
        self._process = uuid.uuid4().hex[:12]
        self._count = 0

    def next(self) -> str:
        """An id that was never given before."""
        self._count += 1
        return f"{self._process}-{self._count - 1}"
