"""The tier nearest to the policy: arrays on its own device, inside the process that infers (spec C3)."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.context.eviction.numbers import Numbers
from ams_ros.context.eviction.policy import EvictionPolicy, VectorFacts
from ams_ros.context.records import VectorKind
from ams_ros.errors import ConfigurationError
from ams_ros.policy.protocol import DeviceArray


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    value: DeviceArray
    nbytes: int


class DeviceTier:
    """Opaque objects by input key, within a budget of bytes; an inclusive cache, losing one costs only time.

    The invariant: used_bytes is the sum over what is held and never above budget_bytes. An object that somebody still
    computes with outlives its eviction until they let it go. One instance serves one thread.
    """

    def __init__(self, budget_bytes: int, policy: EvictionPolicy) -> None:
        """A budget of 0 keeps nothing; raises ConfigurationError for one below 0."""
        if budget_bytes < 0:
            raise ConfigurationError("device_bytes", budget_bytes, "0 or more")
        self._budget, self._policy = budget_bytes, policy
        self._used = 0
        self._entries: dict[bytes, _Entry] = {}
        self._keys: dict[int, bytes] = {}
        self._numbers = Numbers()

    @property
    def used_bytes(self) -> int:
        """Bytes of what is held."""
        return self._used

    @property
    def budget_bytes(self) -> int:
        """Bytes it may hold."""
        return self._budget

    def __len__(self) -> int:
        """How many objects are held."""
        return len(self._entries)

    def __contains__(self, key: bytes) -> bool:
        """Whether `get` would give one; no access is counted."""
        return key in self._entries

    def get(self, key: bytes) -> DeviceArray | None:
        """The object of that key, counted as an access; None when it is not held."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._policy.accessed(entry.number)
        return entry.value

    def size(self, key: bytes) -> int:
        """Bytes of the object of that key; 0 when it is not held."""
        entry = self._entries.get(key)
        return 0 if entry is None else entry.nbytes

    def admit(self, key: bytes, value: DeviceArray, kind: VectorKind, nbytes: int, cost: float) -> bool:
        """Hold an object, making room as the policy says; cost: seconds to compute it again.

        False: it is larger than the budget and not held. One that is held already stays as it is.
        """
        if key in self._entries:
            return True
        if nbytes > self._budget:
            return False
        self._make_room(nbytes)
        number = self._numbers.take()
        self._entries[key] = _Entry(number, value, nbytes)
        self._keys[number] = key
        self._used += nbytes
        self._policy.admitted(VectorFacts(number, kind, nbytes, cost))
        return True

    def clear(self) -> None:
        """Hold nothing any more."""
        for key in list(self._entries):
            self._remove(key)

    def _make_room(self, nbytes: int) -> None:
        going, freed = [], 0
        excess = self._used + nbytes - self._budget
        if excess <= 0:
            return
        for number in self._policy.victims():
            going.append(self._keys[number])
            freed += self._entries[going[-1]].nbytes
            if freed >= excess:
                break
        for key in going:
            self._remove(key)

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key)
        del self._keys[entry.number]
        self._numbers.give_back(entry.number)
        self._used -= entry.nbytes
        self._policy.removed(entry.number)
