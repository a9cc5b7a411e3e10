"""A replay of compressed frames: far less memory for Atari's pictures, for more time a batch. Nothing is lost.

Every frame is compressed by itself (zlib), so that each can be read alone. `benchmarks/packing.py` measures what is
saved and what it costs. Random noise does not shrink, and takes a little more than without this plugin.
"""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped

from framework.config import Config
from framework.hooks import hookimpl
from framework.options import ReplayOptions
from framework.replay.lanes import FrameReplay
from framework.types import Buffer, Returns, Sampler, Spaces

LEVEL = 1
"""Of zlib: the fastest."""


class PackedFrames:
    """An array of frames [slots, *frame] of which each is kept as compressed bytes; never written ones are zeros.

    It is read and written as numpy's own, by an array of slots.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        zeros = zlib.compress(bytes(math.prod(shape[1:]) * dtype.itemsize), LEVEL)
        self._packed = [zeros] * shape[0]

    def __setitem__(self, slots: Int64[np.ndarray, " K"], frames: Shaped[np.ndarray, "K *frame"]) -> None:
        for slot, frame in zip(slots.tolist(), frames, strict=True):
            self._packed[slot] = zlib.compress(np.ascontiguousarray(frame, self.dtype).data, LEVEL)

    def __getitem__(self, slots: Int64[np.ndarray, " *K"]) -> Shaped[np.ndarray, "*K *frame"]:
        unpacked = b"".join([zlib.decompress(self._packed[slot]) for slot in slots.ravel().tolist()])
        # a bytearray, as what comes of bytes cannot be written to
        return np.frombuffer(bytearray(unpacked), self.dtype).reshape(*slots.shape, *self.shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes that the frames take as they are kept, what Python adds to each included."""
        return sum(map(sys.getsizeof, self._packed)) + sys.getsizeof(self._packed)

    def copy(self) -> Shaped[np.ndarray, "slots *frame"]:
        """All frames, unpacked."""
        return self[np.arange(self.shape[0])]


class PackedReplay(FrameReplay):
    """The engine's replay with its frames packed."""

    def __init__(self, spaces: Spaces, capacity: int, sampler: Sampler, returns: Returns) -> None:
        super().__init__(spaces, capacity, sampler, returns, PackedFrames)

    def manifest(self) -> Mapping[str, Any]:
        """Capacity in frames; how many bytes they will take is not known beforehand."""
        return {"capacity": super().manifest()["capacity"], "packed": f"zlib, level {LEVEL}"}


@hookimpl
def make_buffer(spaces: Spaces, sampler: Sampler, returns: Returns, config: Config) -> Buffer:
    return PackedReplay(spaces, config[ReplayOptions].capacity, sampler, returns)
