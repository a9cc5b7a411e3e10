"""The results of an assembly: an agent that can act, all parts of a run, and what callbacks are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from framework.assembly.builder import Builder, Wrapper
from framework.assembly.manager import Plugins
from framework.assembly.slots import Slots
from framework.config import Config
from framework.environments.stream import TransitionStream
from framework.seeding import Seeds
from framework.types import (
    Buffer,
    Cadence,
    Collector,
    Counters,
    Exploration,
    Loss,
    Optimizer,
    Policy,
    Returns,
    Role,
    Sampler,
    Spaces,
    State,
    Stateful,
    TargetSync,
)


@dataclass
class Agent:
    """A policy and what it needs to act: enough to evaluate it or to watch it."""

    builder: Builder
    spaces: Spaces
    policy: Policy

    @property
    def plugins(self) -> Plugins:
        """The verified plugins."""
        return self.builder.plugins

    @property
    def config(self) -> Config:
        """The options in force."""
        return self.builder.config

    @property
    def seeds(self) -> Seeds:
        """The named random generators of the run."""
        return self.builder.seeds

    @property
    def slots(self) -> Slots:
        """The slots, with who filled each."""
        return self.builder.slots

    @property
    def filled(self) -> Mapping[str, str]:
        """slot → the plugin that filled it."""
        return self.slots.filled

    def open_stream(self, role: Role, num_envs: int, name: str, wrappers: Sequence[Wrapper] = ()) -> TransitionStream:
        """Open environments for the agent. The seeds of their episodes depend on `name`. Close the stream after use."""
        return self.builder.stream(role, num_envs, name, wrappers)

    def act(self, obs: Any) -> Any:
        """The greedy action (an int) for one observation, or the actions (an array) for several along a new first axis.

        Raises:
            ValueError: if `obs` has another shape.
        """
        observation = np.asarray(obs)
        space = self.spaces.observation
        shape = space.shape or ()
        if shape not in (observation.shape, observation.shape[1:]):
            raise ValueError(f"observations have shape {shape}, or (n, *{shape}) for several; got {observation.shape}")
        if isinstance(space, gymnasium.spaces.Discrete) and not (
            observation.dtype.kind in "iu" and ((observation >= 0) & (observation < space.n)).all()
        ):
            raise ValueError(f"observations are integers from 0 to {space.n - 1}; got {obs!r}")
        if observation.shape == shape:
            return int(self.policy.action_values(observation[None], explore=False).argmax())
        return self.policy.action_values(observation, explore=False).argmax(axis=1)


@dataclass(frozen=True)
class InitialWeights:
    """The weights of another run with which a new run starts."""

    path: Path
    """The file of weights."""
    state: State
    env_steps: int | None
    """Environment steps of the other run when it saved them; None if unknown."""


@dataclass
class Parts(Agent):
    """All parts of a run."""

    stream: TransitionStream
    exploration: Exploration
    returns: Returns | None
    sampler: Sampler | None
    buffer: Buffer
    loss: Loss
    optimizer: Optimizer
    target_sync: TargetSync
    cadence: Cadence
    collector: Collector
    notes: Sequence[str] = ()
    """What the user should know about this assembly."""
    read: frozenset[str] = frozenset()
    """Every option that the run or a part reads, as "section.key"."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Every option that nothing reads, although the user set it → why. `Source.unread` decides which are reported."""
    counters: Counters = field(default_factory=Counters)
    initial: InitialWeights | None = None
    """The weights of another run, once the policy has got them."""

    def stateful(self) -> dict[str, Stateful]:
        """Every part whose state belongs in a checkpoint, by its name here; also the counters and the stream."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: part for name, part in found.items() if isinstance(part, Stateful)}

    def close(self) -> None:
        """Close the training environments."""
        self.stream.close()


@dataclass(frozen=True)
class RunInfo:
    """What callbacks are made from: the parts, the folder of a recorded run, and whether the run shows progress.

    `quiet` asks for less of it: a line for every thousand steps.
    """

    parts: Parts
    folder: Path | None
    show_progress: bool
    quiet: bool = False
