"""What the context pool did over one task."""

from __future__ import annotations

from dataclasses import dataclass

from rich.filesize import decimal


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Counts over one task, of everybody who used the pool meanwhile.

    hits, misses: vectors that were asked for. puts: contexts stored. refused: contexts that found no room.
    evictions: contexts removed for want of room. new_bytes: content the pool did not have before; 0 when it shrank.
    contexts: in the pool at the end.
    """

    hits: int
    misses: int
    puts: int
    refused: int
    evictions: int
    new_bytes: int
    contexts: int

    def sentence(self) -> str:
        """The counts in one line for people."""
        lost = "".join(
            f", {count} {what}" for count, what in ((self.refused, "refused"), (self.evictions, "evicted")) if count
        )
        asked = self.hits + self.misses
        found = f"{self.hits} of {asked} vectors found" if asked else "nothing looked up"
        return (
            f"Pool: {found}, {self.puts} contexts stored ({decimal(self.new_bytes)} new{lost}), {self.contexts} in all."
        )
