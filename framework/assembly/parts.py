"""The results of an assembly: an agent that can act, all parts of a run, and what callbacks are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from framework.assembly.acting import Actor
from framework.assembly.builder import Builder, Wrapper
from framework.assembly.manager import Plugins
from framework.assembly.recipe import Recipe
from framework.assembly.slots import Slots
from framework.config import Config
from framework.environments.stream import TransitionStream
from framework.events import EventLog
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

    @property
    def recipe(self) -> Recipe:
        """What this agent can be built from again, also in another process."""
        return Recipe.of(self.config)

    def open_stream(self, role: Role, num_envs: int, name: str, wrappers: Sequence[Wrapper] = ()) -> TransitionStream:
        """Open environments for the agent. The seeds of their episodes depend on `name`. Close the stream after use."""
        return self.builder.stream(role, num_envs, name, wrappers)

    def act(self, obs: Any, mask: Any = None, *, info: Mapping[str, Any] | None = None) -> Any:
        """The greedy action for one observation, or an array of actions for several, as the environment takes them.

        In a loop over episodes of gymnasium:

            >>> import framework, gymnasium
            >>> parts = framework.assemble("dqn,gym:CartPole-v1", {"run.steps": 200})
            >>> _ = framework.train(parts, folder)
            >>> agent = framework.load(folder)
            >>> env = gymnasium.make("CartPole-v1")
            >>> obs, info = env.reset(seed=0)
            >>> agent.reset()
            >>> done = False
            >>> while not done:
            ...     obs, reward, terminated, truncated, info = env.step(agent.act(obs, info=info))
            ...     done = terminated or truncated

        Where an observation is a stack of frames, `act` takes the newest frame and keeps the others. Call `reset` when
        an episode begins.

        Args:
            obs: one observation of the environment; or several, along a new first axis or in a list of Dicts or Tuples.
                Images are [H, W, C], as the environment shows them, or [C, H, W]. With a frame stack: one frame, or
                whole stacks, the oldest frame first.
            mask: which actions are allowed: one mask, or one for each observation; None: all.
            info: the environment's info, whose "action_mask" counts if there is one.

        Raises:
            ValueError: if `obs` has another shape or lies outside of its space, `mask` does not fit, or `info` has no
                mask and the environment of the run had one.
        """
        return self._actor.act(obs, mask, info)

    def reset(self) -> None:
        """Begin an episode of `act`: the next observation is the first one, before which there are no frames."""
        self._actor.reset()

    @cached_property
    def _actor(self) -> Actor:
        return Actor(self.spaces, self.policy)


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
    """What callbacks are made from."""

    parts: Parts
    folder: Path | None
    """The folder of a recorded run."""
    show_progress: bool
    quiet: bool = False
    """Whether it shows less: a line now and then."""
    events: EventLog | None = None
    """What a recorded run shows in TensorBoard."""
