"""Finding the stored inference that guides a denoising (spec C2; replay by success: R4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ams_ros.context.records import ContextOutcome, ModelKey
from ams_ros.context.reuse.guarded_store import CONNECTED, GuardedStore
from ams_ros.context.reuse.guidance import KINDS, Start, start_from
from ams_ros.context.store import MAXIMUM_MATCHES, FetchedContext, SimilarQuery
from ams_ros.errors import ConfigurationError, InferenceError
from ams_ros.policy.protocol import Policy
from ams_ros.types import SIMILAR, SUCCESS, Float32Array, Guidance, SliceRequest

CANDIDATES = 8
"""Similar contexts that are tried in turn: one may be gone by the time it is fetched, or have begun too late."""


@dataclass(frozen=True, slots=True)
class Guided:
    """Where denoising starts and why.

    start: None for noise, and message says why. context_id: where the start came from; episode: which that is part of.
    similarity: cosine of its situation to this one.
    """

    start: Start | None
    context_id: str = ""
    episode: str = ""
    similarity: float = 0.0
    message: str = ""


class GuidanceSearch:
    """Asks the pool for what a request wants to be guided by."""

    def __init__(self, policy: Policy, model: ModelKey, store: GuardedStore) -> None:
        self._policy, self._model, self._store = policy, model, store

    def find(self, guidance: Guidance, request: SliceRequest, instruction: str, embedding: Float32Array) -> Guided:
        """The start for `request`; embedding: of what it is asked for.

        Raises InferenceError when a named context is not there, belongs to another model or cannot serve. That there
        is no similar one, no success (of that rank), no such slice of an episode that is there, or no pool, is no
        error: denoising then starts from noise.
        """
        if guidance.reference == SIMILAR:
            return self._similar(guidance, request, instruction, embedding)
        if guidance.reference == SUCCESS:
            return self._success(guidance, request, instruction, embedding)
        stored = self._fetch(guidance.reference, request.index)
        if stored is not None:
            return self._guided(guidance, request, stored, embedding)
        if self._away():
            return _PLAIN
        if request.index and self._fetch(guidance.reference, 0) is not None:
            # It may have been over sooner, or a slice of it was not kept: nobody's mistake.
            return Guided(None, message=f"no guidance: episode {guidance.reference} has no slice {request.index}")
        raise InferenceError(
            f"guidance {guidance.reference}: the pool has no context of that id and no slice {request.index} of an "
            "episode of that id"
        )

    def _similar(self, guidance: Guidance, request: SliceRequest, instruction: str, embedding: Float32Array) -> Guided:
        query = SimilarQuery(self._model, instruction, embedding, (ContextOutcome.SUCCEEDED,), CANDIDATES)
        references = [match.context_id for match in self._store.similar(query)]
        reasons: list[str] = []
        for guided in self._serving(references, guidance, request, embedding, reasons):
            return guided
        return Guided(None, message=f"no guidance: no similar context that succeeded{_first_of(reasons)}")

    def _success(self, guidance: Guidance, request: SliceRequest, instruction: str, embedding: Float32Array) -> Guided:
        """The episode whose beginning is the rank-th nearest; one that cannot serve has no rank."""
        query = SimilarQuery(
            model=self._model,
            instruction=instruction,
            embedding=embedding,
            outcomes=(ContextOutcome.SUCCEEDED,),
            count=min(guidance.rank + 1 + CANDIDATES, MAXIMUM_MATCHES),
            first_only=True,
        )
        # A slice that was asked for twice has left two contexts, but began one episode.
        episodes = list(dict.fromkeys(match.episode for match in self._store.similar(query)))
        reasons: list[str] = []
        serving = 0
        for guided in self._serving(episodes, guidance, request, embedding, reasons):
            if serving == guidance.rank:
                return guided
            serving += 1
        if self._away():
            return _PLAIN
        told = f"{serving} episodes that succeeded with this instruction can guide, rank {guidance.rank} is not there"
        return Guided(None, message=f"no guidance: {told}{_first_of(reasons)}")

    def _serving(
        self,
        references: list[str],
        guidance: Guidance,
        request: SliceRequest,
        embedding: Float32Array,
        reasons: list[str],
    ) -> Iterator[Guided]:
        """The starts of those of the references that can serve, in order; `reasons` says of the others why not."""
        for reference in references:
            try:
                stored = self._fetch(reference, request.index)
                if stored is not None:
                    yield self._guided(guidance, request, stored, embedding)
            except InferenceError as error:
                reasons.append(str(error))

    def _fetch(self, reference: str, index: int) -> FetchedContext | None:
        try:
            return self._store.context(self._model, reference, index, KINDS)
        except ConfigurationError as error:
            raise InferenceError(f"guidance {reference}: {error}") from error

    def _guided(
        self, guidance: Guidance, request: SliceRequest, stored: FetchedContext, embedding: Float32Array
    ) -> Guided:
        noise, steps = self._policy.draw_noise(request.seed), self._policy.description.denoising_steps
        start = start_from(guidance, stored, noise, steps)
        record = stored.record
        other = record.embedding
        similarity = float(embedding @ other) if embedding.shape == other.shape else 0.0
        return Guided(start, record.context_id, record.episode, similarity)

    def _away(self) -> bool:
        return self._store.state != CONNECTED or self._store.troubled


_PLAIN = Guided(None, message="no guidance: the pool is away")


def _first_of(reasons: list[str]) -> str:
    return f": {reasons[0]}" if reasons else ""
