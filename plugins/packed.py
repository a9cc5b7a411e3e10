"""A replay of frames that are compressed without loss: Atari's frames need far less memory, and batches more time.

Each frame is compressed separately (zlib), so it can be read alone. `benchmarks/packing.py` measures how much memory
this saves and how much time it costs. Random noise cannot be compressed: it needs slightly more memory than without
this plugin.
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
"""The compression level of zlib: the fastest."""


class PackedFrames:
    """An array of frames [slots, *frame] that keeps each frame as compressed bytes. Unwritten frames are zeros.

    Read and write it like a numpy array, with an array of slots as the index.
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
        # a bytearray, because numpy arrays over bytes are read-only
        return np.frombuffer(bytearray(unpacked), self.dtype).reshape(*slots.shape, *self.shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes that the compressed frames take, including the overhead of their Python objects."""
        return sum(map(sys.getsizeof, self._packed)) + sys.getsizeof(self._packed)

    def copy(self) -> Shaped[np.ndarray, "slots *frame"]:
        """Return all frames, decompressed."""
        return self[np.arange(self.shape[0])]


class PackedReplay(FrameReplay):
    """The engine's replay with compressed frames."""

    def __init__(self, spaces: Spaces, capacity: int, sampler: Sampler, returns: Returns) -> None:
        super().__init__(spaces, capacity, sampler, returns, PackedFrames)

    def manifest(self) -> Mapping[str, Any]:
        """Return the capacity in frames. The size in bytes depends on the frames, so it is not known here."""
        return {"capacity": super().manifest()["capacity"], "packed": f"zlib, level {LEVEL}"}


@hookimpl
def make_buffer(spaces: Spaces, sampler: Sampler, returns: Returns, config: Config) -> Buffer:
    return PackedReplay(spaces, config[ReplayOptions].capacity, sampler, returns)
