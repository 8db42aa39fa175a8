"""What was said of episodes that contexts may still come of."""

from __future__ import annotations

from dataclasses import replace

from ams_ros.context.records import ContextOutcome, NewContext

REMEMBERED = 256
"""Episodes; far more than are ever under way at once."""


class MarkedEpisodes:
    """Gives a context that arrives late the outcome its episode was marked with.

    A context is stored behind the back of inference, so that who says how an attempt went may be quicker than its last
    slices, or than all of them. Called by one thread at a time (the pool's work lock).
    """

    def __init__(self) -> None:
        """No episode was marked."""
        self._outcomes: dict[str, ContextOutcome] = {}

    def mark(self, episode: str, outcome: ContextOutcome) -> None:
        """That episode went so; the one marked longest ago is forgotten when there are too many."""
        self._outcomes.pop(episode, None)
        if outcome is not ContextOutcome.UNKNOWN:
            self._outcomes[episode] = outcome
        if len(self._outcomes) > REMEMBERED:
            del self._outcomes[next(iter(self._outcomes))]

    def marked(self, context: NewContext) -> NewContext:
        """The context with the outcome of its episode; as it is when it says itself how it went."""
        record = context.record
        outcome = self._outcomes.get(record.episode) if record.episode else None
        if outcome is None or record.outcome is not ContextOutcome.UNKNOWN:
            return context
        return replace(context, record=replace(record, outcome=outcome))
