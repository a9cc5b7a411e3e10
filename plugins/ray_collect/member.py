"""An actor as the learner knows it: its requests under way, and the fragments that are not used up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from framework.types import Step
from plugins.ray_collect.fragments import Fragment, Unpacker


@dataclass(frozen=True)
class Request:
    """A request under way."""

    answer: Any
    """Ray's reference."""
    epoch: int


@dataclass
class Member:
    """An actor in the run: its environments, its requests, and the fragments that the learner has not used up."""

    number: int
    num_envs: int
    unpacker: Unpacker
    actor: Any = None
    """None: lost, and not replaced any more."""
    epoch: int = -1
    losses: int = 0
    fresh: bool = True
    """Whether the actor has not answered yet."""
    silent: float = 0.0
    """Seconds for which the learner has looked for an answer in vain."""
    process: int = 0
    """The number of its process, once it has answered."""
    cut: bool = False
    """Whether the next fragment begins new episodes in place of lost ones."""
    requests: deque[Request] = field(default_factory=deque)
    waiting: deque[tuple[Fragment, bool]] = field(default_factory=deque)
    """Fragments, with `cut` of each."""
    steps: Iterator[Step] | None = None
    """The rest of the fragment in use."""

    def next_step(self) -> Step | None:
        """The next step of this actor; None if the learner has used up everything."""
        while True:
            if self.steps is not None:
                step = next(self.steps, None)
                if step is not None:
                    return step
                self.steps = None
            if not self.waiting:
                return None
            fragment, cut = self.waiting.popleft()
            if cut:
                self.unpacker.cut()
            self.steps = self.unpacker.unpack(fragment)

    @property
    def load(self) -> int:
        """Requests under way, and fragments that are not used up."""
        return len(self.requests) + len(self.waiting) + (self.steps is not None)
