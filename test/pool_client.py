"""A client of a context pool node for integration tests; run as a program, one that takes a lease and never ends.

python test/pool_client.py NODE CONTEXT_ID     prints "holding" once it holds a lease on all of that context
"""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from ams_ros.srv import GetPoolStats, PutContext, QueryContexts
from ros_probe import Probe

from ams_ros.context.host.mapped_reader import MappedReader
from ams_ros.context.host.parcel import ParcelWriter
from ams_ros.context.records import NewContext, VectorKind
from ams_ros.nodes.put_request import put_request

KINDS = [kind.value for kind in VectorKind]


def keyed(context: NewContext, key: bytes) -> NewContext:
    """The context with another input key of its first vector."""
    return replace(context, vectors=(replace(context.vectors[0], key=key), *context.vectors[1:]))


class PoolClient:
    """Talks to one pool through a probe, as any node might: messages, and shared memory mapped by hand."""

    def __init__(self, probe: Probe, node: str) -> None:
        self.probe, self.node = probe, node
        self._writer, self._reader = ParcelWriter("test"), MappedReader()

    def call(self, kind: Any, service: str, **fields: Any) -> Any:
        return self.probe.call(kind, f"{self.node}/{service}", **fields)

    def put(self, context: NewContext, durable: bool = False) -> Any:
        request = put_request(self._writer, context, durable)
        fields = {name: getattr(request, name) for name in request.get_fields_and_field_types()}
        answer = self.call(PutContext, "put", **fields)
        self._writer.free()
        return answer

    def keep(self, contexts: Iterable[NewContext], durable: bool = False) -> None:
        for context in contexts:
            answer = self.put(context, durable)
            assert answer.success, answer.message

    def query(self, **fields: Any) -> Any:
        return self.call(QueryContexts, "query", **fields)

    def by_key(self, model: Any, *keys: bytes) -> Any:
        return self.query(model=model.to_json(), keys=array("B", b"".join(keys)))

    def whole(self, reference: str, index: int = 0) -> Any:
        return self.query(reference=reference, index=index, kinds=KINDS)

    def read(self, answer: Any, vector: Any) -> np.ndarray | None:
        pieces = list(zip(vector.offsets, vector.sizes, strict=True))
        content = self._reader.read(answer.memory, answer.memory_bytes, pieces, vector.nbytes, answer.deadline)
        return None if content is None else content.view(vector.dtype).reshape(tuple(vector.shape))

    def stats(self) -> Any:
        return self.call(GetPoolStats, "get_stats").stats

    def close(self) -> None:
        self._writer.close()
        self._reader.close()


def main(node: str, context_id: str) -> None:
    answer = PoolClient(Probe("lease_holder"), node).whole(context_id)
    assert answer.lease, answer.message
    print("holding", flush=True)
    time.sleep(600.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
