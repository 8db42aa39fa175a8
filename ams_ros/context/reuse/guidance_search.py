"""Finding the stored inference that guides a denoising (spec C2)."""

from __future__ import annotations

from dataclasses import dataclass

from ams_ros.context.records import ContextOutcome, ModelKey
from ams_ros.context.reuse.guarded_store import CONNECTED, GuardedStore
from ams_ros.context.reuse.guidance import KINDS, Start, start_from
from ams_ros.context.store import FetchedContext, SimilarQuery
from ams_ros.errors import ConfigurationError, InferenceError
from ams_ros.policy.protocol import Policy
from ams_ros.types import SIMILAR, Float32Array, Guidance, SliceRequest

CANDIDATES = 8
"""Similar contexts that are tried in turn: one may be gone by the time it is fetched, or have begun too late."""


@dataclass(frozen=True, slots=True)
class Guided:
    """Where denoising starts and why.

    start: None for noise, and message says why. context_id: where the start came from. similarity: cosine of its
    situation to this one.
    """

    start: Start | None
    context_id: str = ""
    similarity: float = 0.0
    message: str = ""


class GuidanceSearch:
    """Asks the pool for what a request wants to be guided by."""

    def __init__(self, policy: Policy, model: ModelKey, store: GuardedStore) -> None:
        self._policy, self._model, self._store = policy, model, store

    def find(self, guidance: Guidance, request: SliceRequest, instruction: str, embedding: Float32Array) -> Guided:
        """The start for `request`; embedding: of what it is asked for.

        Raises InferenceError when a named context is not there, belongs to another model or cannot serve. That there
        is no similar one, or no pool, is no error: denoising then starts from noise.
        """
        if guidance.reference == SIMILAR:
            return self._similar(guidance, request, instruction, embedding)
        stored = self._fetch(guidance.reference, request.index)
        if stored is not None:
            return self._guided(guidance, request, stored, embedding)
        if self._store.state != CONNECTED or self._store.troubled:
            return _away()
        raise InferenceError(
            f"guidance {guidance.reference}: the pool has no context of that id and no slice {request.index} of an "
            "episode of that id"
        )

    def _similar(self, guidance: Guidance, request: SliceRequest, instruction: str, embedding: Float32Array) -> Guided:
        reason = ""
        query = SimilarQuery(self._model, instruction, embedding, (ContextOutcome.SUCCEEDED,), CANDIDATES)
        for match in self._store.similar(query):
            try:
                stored = self._fetch(match.context_id, request.index)
                if stored is not None:
                    return self._guided(guidance, request, stored, embedding)
            except InferenceError as error:
                reason = reason or f": {error}"
        return Guided(None, message=f"no guidance: no similar context that succeeded{reason}")

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
        other = stored.record.embedding
        similarity = float(embedding @ other) if embedding.shape == other.shape else 0.0
        return Guided(start, stored.record.context_id, similarity)


def _away() -> Guided:
    return Guided(None, message="no guidance: the pool is away")
