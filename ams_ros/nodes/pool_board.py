"""The board of keys of whichever pool is there at present."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ams_ros.context.host.shared_memory import SharedArea
from ams_ros.context.index.key_board import KeyBoardReader
from ams_ros.errors import AmsError


class PoolBoard:
    """Looks keys up in the shared memory that the pool's status names; opens another one when that names another."""

    def __init__(self) -> None:
        """Begin without a board."""
        self._lock = threading.Lock()
        self._name = ""
        self._area: SharedArea | None = None
        self._board: KeyBoardReader | None = None

    def might_have(self, status: Mapping[str, str], key: bytes) -> bool:
        """Whether the board shows that key; True where there is none, because then only a query can tell.

        status: key_board and key_board_bytes, as the pool's ~/status says them.
        """
        with self._lock:
            if status.get("key_board", "") != self._name:
                self._open(status)
            return self._board is None or self._board.might_have(key)

    def close(self) -> None:
        """Let go of the shared memory."""
        with self._lock:
            self._let_go()

    def _open(self, status: Mapping[str, str]) -> None:
        self._let_go()
        # Kept even when it cannot be opened, so that a board that is gone is looked for once and not at every lookup.
        self._name = status.get("key_board", "")
        size = status.get("key_board_bytes", "")
        if not self._name or not size.isdecimal():
            return
        try:
            self._area = SharedArea.open(self._name, int(size))
            self._board = KeyBoardReader(memoryview(self._area.array))
        except AmsError:  # the pool has just ended; its successor tells another name
            self._let_go()

    def _let_go(self) -> None:
        if self._board is not None:
            self._board.close()
        if self._area is not None:
            self._area.close()
        self._board = self._area = None
