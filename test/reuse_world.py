"""A pool in this process, and inferences that use it."""

from __future__ import annotations

from dataclasses import replace

from ams_ros.context.local_store import LocalContextStore
from ams_ros.context.pool.pool import ContextPool
from ams_ros.context.pool.pool_options import PoolOptions
from ams_ros.context.reuse.reuse_options import ReuseOptions
from ams_ros.context.reuse.reusing_inference import ReusingInference
from ams_ros.types import CameraImage, SliceRequest


class ReuseWorld:
    """A pool, and inferences that use it, each as a process of its own would."""

    def __init__(self, policy):
        self.policy = policy
        self.pool = ContextPool(PoolOptions(path=None, host_bytes=2**24))
        self.store = LocalContextStore(self.pool)
        self.inferences = []
        self.inference = self.process()

    def process(self, policy=None, store=None, **options):
        self.inferences.append(
            ReusingInference(policy or self.policy, store or self.store, ReuseOptions("robot", **options))
        )
        return self.inferences[-1]

    def infer(self, seen, seed=1, inference=None, **request):
        """Infer, and wait until the pool has it."""
        inference = inference or self.inference
        result = inference.infer(seen, SliceRequest(seen.instruction, seed, **request))
        inference.drain(10.0)
        self.store.drain()
        return result

    def close(self):
        for inference in self.inferences:
            inference.close()
        self.store.close()
        self.pool.close()


def other_pixel(seen, camera, by=1):
    pixels = seen.images[camera].pixels.copy()
    pixels[60, 60, 0] ^= by
    return replace(seen, images={**seen.images, camera: CameraImage(camera, 1.0, pixels)})
