"""Named random generators, all derived from the run's seed.

A generator depends only on the seed, its name and its path, so a further part never shifts the numbers of another.
Nothing here uses a global random state.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Seeds:
    """The random generators of a run with seed `root` (0 is a seed like any other)."""

    root: int

    def _sequence(self, name: str, *path: int) -> np.random.SeedSequence:
        return np.random.SeedSequence([self.root, zlib.crc32(name.encode()), *path])

    def generator(self, name: str, *path: int) -> np.random.Generator:
        """A new generator. The same name and path always give the same sequence of numbers."""
        return np.random.Generator(np.random.PCG64(self._sequence(name, *path)))

    def integer(self, name: str, *path: int) -> int:
        """A seed in [0, 2³¹) for a library that wants one number."""
        return int(self._sequence(name, *path).generate_state(1)[0] >> 1)

    def episode(self, role: str, env_id: int, episode: int) -> int:
        """The seed, in [0, 2³¹), of one episode of one environment; `episode` counts from 0."""
        return self.integer(f"env/{role}", env_id, episode)
