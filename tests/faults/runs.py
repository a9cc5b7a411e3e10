"""A small recorded run for damage and faults, and the results that must not change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framework

NAMES = "tabular,nstep,grid"
STEPS = 200
VALUES: Mapping[str, Any] = {
    "run.steps": STEPS,
    "run.num_envs": 2,
    "checkpoint.every": 60,
    "replay.capacity": 100,
    "learning.starts": 20,
    "evaluation.every": 50,
    "evaluation.episodes": 2,
    "evaluation.num_envs": 2,
}
LATER = STEPS + 40


@dataclass(frozen=True)
class Recorded:
    """A run in a folder, the SHA-256 of the weights that it has after `LATER` steps, and the hash of its agent."""

    folder: Path
    later: Mapping[str, str]
    agent: str

    @classmethod
    def make(cls, folder: Path) -> Recorded:
        """Train the run twice: up to `STEPS`, and up to `LATER` in one piece."""
        with without_figures():
            framework.train(framework.assemble(NAMES, VALUES), folder / "run")
            framework.train(framework.assemble(NAMES, {**VALUES, "run.steps": LATER}), folder / "later")
        weights = [folder / "later" / "last.safetensors", *(folder / "later" / "best").glob("*.safetensors")]
        later = {str(path.relative_to(folder / "later")): sha256_of(path) for path in weights}
        return cls(folder / "run", later, hash_of(folder / "run"))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hash_of(run: Path) -> str:
    """The hash of the action values of a run's agent in every state."""
    agent = framework.load(run)
    space: Any = agent.spaces.observation
    return hashlib.sha256(agent.policy.action_values(np.arange(space.n), explore=False).tobytes()).hexdigest()


@contextmanager
def without_figures() -> Iterator[None]:
    """Draw no figures: they take most of the time of a short run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("framework.recording.figures.draw_figures", lambda folder: [])
        yield
