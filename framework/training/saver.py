"""Saves a run at regular intervals and at its end."""

from __future__ import annotations

import time

from framework.checkpoints.folder import Checkpoint, CheckpointFolder
from framework.training.contents import gather
from framework.training.identity import about
from framework.training.loop import Loop


class PeriodicSaver:
    """Writes a checkpoint each time the environment steps pass a multiple of `every`, and one at the end."""

    def __init__(self, folder: CheckpointFolder, every: int, base: Checkpoint | None = None) -> None:
        """Args:
        folder: the run's folder of checkpoints.
        every: environment steps, at least 1.
        base: the checkpoint from which the run continues.
        """
        self._folder, self._every, self._base = folder, every, base
        self._passed = base.env_steps // every if base is not None else 0
        self.longest = 0.0
        """The longest time that training waited for a checkpoint, in seconds."""

    def after_step(self, loop: Loop) -> None:
        if loop.counters.env_steps // self._every > self._passed:
            self._save(loop)

    def at_the_end(self, loop: Loop) -> None:
        self._save(loop)

    def _save(self, loop: Loop) -> None:
        began = time.monotonic()
        self._passed = loop.counters.env_steps // self._every
        state, segments = gather(loop)
        self._base = self._folder.write(state, segments, about(loop.parts), self._base)
        self.longest = max(self.longest, time.monotonic() - began)
