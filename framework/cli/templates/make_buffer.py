"""A replay whose frames are kept on disk, so that it may be larger than the memory.

The system keeps in memory what is read and written most. The file has no name and vanishes with the process.
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
    """Where the frames are."""

    folder: str = Field("", description="the folder of the file; not set: the system's folder for temporary ones")


def zeros_on_disk(shape: tuple[int, ...], dtype: np.dtype[Any], folder: str) -> Shaped[np.ndarray, "..."]:
    """numpy's `zeros`, in a file; the array keeps the file alive."""
    with tempfile.TemporaryFile(dir=folder or None) as file:
        return np.memmap(file, dtype, "w+", shape=shape).view(np.ndarray)


class MyVariantReplay(FrameReplay):
    """The engine's replay but for its frames. Extend `add` for what is kept, and `sample` for what is given."""

    def __init__(self, spaces: Spaces, capacity: int, sampler: Sampler, returns: Returns, folder: str) -> None:
        super().__init__(spaces, capacity, sampler, returns, allocate=partial(zeros_on_disk, folder=folder))


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_buffer(spaces: Spaces, sampler: Sampler, returns: Returns, config: Config) -> Buffer:
    folder = config[MyVariantOptions].folder
    return MyVariantReplay(spaces, config[ReplayOptions].capacity, sampler, returns, folder)
