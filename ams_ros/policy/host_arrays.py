"""Tensors as arrays of the host and back; bfloat16, which numpy lacks, travels as its bits in uint16."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ams_ros.errors import InferenceError

_HOST: dict[torch.dtype, np.dtype[Any]] = {
    torch.float32: np.dtype(np.float32),
    torch.float16: np.dtype(np.float16),
    torch.float64: np.dtype(np.float64),
    torch.bfloat16: np.dtype(np.uint16),
}


def to_host(tensor: torch.Tensor) -> NDArray[Any]:
    """A C-contiguous copy of its own in host memory, of the tensor's shape."""
    copy = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor)
    if copy.dtype is torch.bfloat16:
        return copy.view(torch.int16).numpy().view(np.uint16)
    return copy.numpy()


def from_host(what: str, array: NDArray[Any], like: torch.Tensor) -> torch.Tensor:
    """The reverse, with dtype and device of `like`; shares memory with a writable array where the device is the CPU.

    Raises InferenceError naming `what` when the array's dtype is not the one that `to_host` gives.
    """
    wanted = _HOST[like.dtype]
    if array.dtype != wanted:
        raise InferenceError(f"{what}: dtype {array.dtype}, the policy computes in {like.dtype}, kept as {wanted}")
    # torch has no arrays that may only be read.
    tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]).view(_bits(wanted)))
    return tensor.view(like.dtype).to(like.device)


def _bits(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.int16) if dtype == np.uint16 else dtype
