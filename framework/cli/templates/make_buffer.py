"""A replay that keeps its frames in a file on disk, so that it can be larger than the computer's memory.

The operating system keeps the parts of the file that are used most in memory. The file has no name, and it disappears
when the process ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Shaped

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.options import ReplayOptions
from framework.replay.lanes import FrameReplay
from framework.types import Buffer, Returns, Sampler, Spaces


class MyVariantOptions(Section, name="my_variant"):
    """Where the frames are stored."""

    folder: str = Field("", description="folder of the file; if empty, the system's folder for temporary files")


def zeros_on_disk(shape: tuple[int, ...], dtype: np.dtype[Any], folder: str) -> Shaped[np.ndarray, "..."]:
    """Like numpy's `zeros`, but in a file. The file exists as long as the array."""
    with tempfile.TemporaryFile(dir=folder or None) as file:
        return np.memmap(file, dtype, "w+", shape=shape).view(np.ndarray)


class MyVariantReplay(FrameReplay):
    """The engine's replay with its frames on disk. Extend `add` to store more, and `sample` to change the batches."""

    def __init__(self, spaces: Spaces, capacity: int, sampler: Sampler, returns: Returns, folder: str) -> None:
        super().__init__(spaces, capacity, sampler, returns, allocate=partial(zeros_on_disk, folder=folder))


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_buffer(spaces: Spaces, sampler: Sampler, returns: Returns, config: Config) -> Buffer:
    folder = config[MyVariantOptions].folder
    return MyVariantReplay(spaces, config[ReplayOptions].capacity, sampler, returns, folder)
