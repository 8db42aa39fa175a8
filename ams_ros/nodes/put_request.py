"""Handing a context to the pool: the bytes into shared memory of one's own, the rest into a message."""

from __future__ import annotations

from array import array

from ams_ros.context.host.parcel import ParcelWriter
from ams_ros.context.records import NewContext
from ams_ros.msg import VectorInfo
from ams_ros.nodes.pool_conversions import context_message
from ams_ros.srv import PutContext


def put_request(writer: ParcelWriter, context: NewContext, durable: bool = False) -> PutContext.Request:
    """The request for `~/put`; call `writer.free()` when the pool has answered it.

    Raises PoolError when there is no room for the bytes.
    """
    parcel = writer.write([vector.array for vector in context.vectors])
    vectors = [
        VectorInfo(
            kind=vector.kind.value,
            name=vector.name,
            key=array("B", vector.key),
            dtype=vector.array.dtype.name,
            shape=array("Q", vector.array.shape),
            nbytes=vector.array.nbytes,
            cost=vector.cost,
            offsets=array("Q", [offset]),
            sizes=array("Q", [size]),
        )
        for vector, (offset, size) in zip(context.vectors, parcel.pieces, strict=True)
    ]
    described = context_message(context.record, vectors=vectors)
    return PutContext.Request(context=described, memory=parcel.name, memory_bytes=parcel.nbytes, durable=durable)
