"""What the context pool answers to each of its services. Blocks where the disk is read; knows no node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.records import NewContext, check_identifier
from ams_ros.context.store import MAXIMUM_MATCHES, SimilarQuery
from ams_ros.errors import ConfigurationError
from ams_ros.nodes.parcel_intake import ParcelIntake
from ams_ros.nodes.pool_conversions import (
    context_message,
    embedding_of,
    keys_of,
    kinds_of,
    layouts_of,
    model_of,
    outcome_of,
    outcomes_of,
    record_of,
    vector_message,
)

MAXIMUM_KEYS = 64
MAXIMUM_LISTED = 1000
DEFAULT_LISTED = 100
MAXIMUM_PATH = 4096


class PoolAnswers:
    """One method for each service: takes the request, fills the response and returns it.

    Every method raises an AmsError, naming field, value and what is allowed, for a request that cannot be served.
    """

    def __init__(self, pool: ContextPool, intake: ParcelIntake) -> None:
        """intake: reads what clients hand over in shared memory of theirs."""
        self._pool, self._intake = pool, intake

    # Looking up.

    def reads_disk(self, request: Any) -> bool:
        """Whether `query` would have to read the disk for this request; raises for one that cannot be served."""
        _check_one_of(request, ("keys", "reference", "embedding"))
        if len(request.keys):
            return self._pool.on_disk_only(model_of(request.model), keys_of(request.keys, MAXIMUM_KEYS))
        if request.reference:
            reference, kinds = check_identifier("reference", request.reference), kinds_of(request.kinds)
            return self._pool.context_on_disk_only(reference, request.index, kinds)
        return False

    def query(self, request: Any, response: Any) -> Any:
        """Find vectors by key, a context by reference, or similar contexts."""
        response.memory, response.memory_bytes = self._pool.memory
        if request.reference:
            self._query_reference(request, response)
        elif len(request.embedding):
            self._query_similar(request, response)
        else:
            found = self._pool.find(model_of(request.model), keys_of(request.keys, MAXIMUM_KEYS))
            response.vectors = [vector_message(place) for place in found.places]
            _tell_lease(response, found.lease)
        response.success = True
        return response

    def _query_reference(self, request: Any, response: Any) -> None:
        reference, kinds = check_identifier("reference", request.reference), kinds_of(request.kinds)
        model = model_of(request.model) if request.model else None
        placed = self._pool.place_context(model, reference, request.index, kinds)
        if placed is None:
            return
        vectors = [vector_message(place) for place in placed.places]
        response.contexts = [context_message(placed.record, placed.pinned, vectors)]
        _tell_lease(response, placed.lease)

    def _query_similar(self, request: Any, response: Any) -> None:
        if not 1 <= request.count <= MAXIMUM_MATCHES:
            raise ConfigurationError("count", request.count, f"1..{MAXIMUM_MATCHES}")
        wanted = SimilarQuery(
            model=model_of(request.model),
            instruction=request.instruction,
            embedding=embedding_of(request.embedding),
            outcomes=outcomes_of(request.outcomes),
            count=request.count,
            exact=request.exact_search,
            first_only=request.first_only,
        )
        for match in self._pool.similar(wanted):
            # Nothing is listed when it has been evicted in between.
            for known in self._pool.listing(match.context_id, limit=1).contexts:
                response.contexts.append(context_message(known.record, known.pinned))
                response.similarities.append(match.similarity)

    def release(self, request: Any, response: Any) -> Any:
        """Give a lease back."""
        response.success = self._pool.release(request.lease)
        return response

    def list(self, request: Any, response: Any) -> Any:
        """List contexts, newest first."""
        if request.limit > MAXIMUM_LISTED:
            raise ConfigurationError("limit", request.limit, f"at most {MAXIMUM_LISTED}; 0 means {DEFAULT_LISTED}")
        reference = check_identifier("reference", request.reference) if request.reference else ""
        outcome = outcome_of(request.outcome) if request.outcome else None
        limit = request.limit or DEFAULT_LISTED
        listing = self._pool.listing(reference, outcome, request.offset, limit, request.vectors)
        response.total = listing.total
        response.contexts = [
            context_message(each.record, each.pinned, map(vector_message, each.places)) for each in listing.contexts
        ]
        response.success = True
        return response

    # Changing.

    def put(self, request: Any, response: Any) -> Any:
        """Take a context over from the shared memory of a client."""
        record = record_of(request.context)
        layouts = layouts_of(request.context.vectors, maximum_pieces=1)
        vectors = self._intake.take(request.memory, request.memory_bytes, layouts)
        result = self._pool.put(NewContext(record, vectors), durable=request.durable)
        response.success, response.new_bytes = True, result.new_bytes
        return response

    def set_outcome(self, request: Any, response: Any) -> Any:
        """Say how a context or an episode went."""
        reference = check_identifier("reference", request.reference)
        response.contexts = self._pool.set_outcome(reference, outcome_of(request.outcome))
        return _known(reference, response)

    def pin(self, request: Any, response: Any) -> Any:
        """Keep a context or an episode from eviction, or no longer."""
        reference = check_identifier("reference", request.reference)
        response.contexts = self._pool.pin(reference, request.pinned)
        return _known(reference, response)

    def evict(self, request: Any, response: Any) -> Any:
        """Remove contexts."""
        _check_one_of(request, ("reference", "outcome", "bytes"))
        if request.reference:
            evicted = self._pool.evict(reference=check_identifier("reference", request.reference))
        elif request.outcome:
            evicted = self._pool.evict(outcome=outcome_of(request.outcome))
        else:
            evicted = self._pool.evict(nbytes=request.bytes)
        response.success, response.contexts, response.freed_bytes = True, evicted.contexts, evicted.bytes
        return response

    # Whole stores.

    def export_contexts(self, request: Any, response: Any) -> Any:
        """Write contexts into a file."""
        reference = check_identifier("reference", request.reference) if request.reference else ""
        exported = self._pool.export(_absolute(request.file), reference)
        response.success, response.contexts, response.bytes = True, exported.contexts, exported.bytes
        return response

    def import_contexts(self, request: Any, response: Any) -> Any:
        """Read contexts from a file."""
        imported = self._pool.import_file(_absolute(request.file))
        response.contexts, response.known, response.skipped = imported.contexts, imported.known, len(imported.skipped)
        response.success, response.message = True, "\n".join(imported.skipped[:MAXIMUM_LISTED])
        return response

    def verify(self, request: Any, response: Any) -> Any:
        """Compare everything on disk with its checksums."""
        report = self._pool.verify()
        response.contexts, response.vectors = report.contexts, report.vectors
        response.damaged, response.details = len(report.damaged), list(report.damaged)[:MAXIMUM_LISTED]
        response.success = True
        return response


def _check_one_of(request: Any, fields: tuple[str, ...]) -> None:
    given = [field for field in fields if _is_given(getattr(request, field))]
    if len(given) != 1:
        raise ConfigurationError(", ".join(fields), " and ".join(given) or "none of them", "exactly one of them")


def _is_given(value: Any) -> bool:
    return value != 0 if isinstance(value, int) else len(value) > 0


def _tell_lease(response: Any, lease: Any) -> None:
    if lease is not None:
        response.lease, response.deadline = lease.number, lease.deadline


def _known(reference: str, response: Any) -> Any:
    if response.contexts == 0:
        raise ConfigurationError("reference", reference, "the id of a context or an episode that is in the pool")
    response.success = True
    return response


def _absolute(text: str) -> Path:
    if not text.startswith("/") or len(text) > MAXIMUM_PATH or "\0" in text:
        raise ConfigurationError("file", text[:200], f"an absolute path of at most {MAXIMUM_PATH} characters")
    return Path(text)
