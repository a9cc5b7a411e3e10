"""From plugin names and values to the parts of a run, each with a record of who filled it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import reduce
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from framework.composition import configure
from framework.config import Config, Source
from framework.errors import FrameworkError, UnsupportedSpace, UsageError
from framework.manager import Expected, PluginError, Plugins
from framework.options import CheckpointOptions, RunOptions
from framework.seeding import Seeds
from framework.slots import Slots
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
    Stateful,
    TargetSync,
)
from framework.vector import Stream, vectorise

Wrapper = Callable[[Any], gymnasium.Env[Any, Any]]

WRAPPER = Expected("a function from an environment to an environment", callable)
"""What `env_wrapper` must return."""


SPACES = "spaces"
"""The name of a stream that is opened to look at its spaces, and closed."""

SILENCE = 0.8
"""The share of run.watchdog for which an environment's process may be silent: it is named before the run is ended."""


@dataclass
class Agent:
    """A policy and what it needs to act: enough to evaluate or to watch."""

    plugins: Plugins
    config: Config
    seeds: Seeds
    slots: Slots
    spaces: Spaces
    policy: Policy

    def open_stream(self, role: Role, num_envs: int, name: str, wrappers: Sequence[Wrapper] = ()) -> Stream:
        """Environments of the agent's kind, whose episodes are seeded from `name`. Close it after use."""
        return _open_stream(self.plugins, self.slots, self.config, self.seeds, role, num_envs, name, wrappers)

    def act(self, obs: Any) -> Any:
        """The greedy action for one observation (an int), or for several stacked along a new first axis (an array).

        Raises:
            ValueError: if the shape is neither.
        """
        observation = np.asarray(obs)
        shape = self.spaces.observation.shape or ()
        if observation.shape == shape:
            return int(self.policy.action_values(observation[None], explore=False).argmax())
        if observation.shape[1:] == shape:
            return self.policy.action_values(observation, explore=False).argmax(axis=1)
        raise ValueError(f"observations have shape {shape}, or (n, *{shape}) for several; got {observation.shape}")


@dataclass
class Parts(Agent):
    """Everything that a run is made of."""

    stream: Stream
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
    """What the user should know of this assembly: values that found no section."""
    counters: Counters = field(default_factory=Counters)

    @property
    def filled(self) -> Mapping[str, str]:
        """slot → the plugin that filled it."""
        return self.slots.filled

    def stateful(self) -> dict[str, Stateful]:
        """Every part that a checkpoint must hold, by its name here; the counters and the environments are two."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: part for name, part in found.items() if isinstance(part, Stateful)}

    def close(self) -> None:
        """Close the training environments."""
        self.stream.close()


@dataclass(frozen=True)
class RunInfo:
    """What callbacks are made from: the parts and, if the run is recorded, its folder."""

    parts: Parts
    folder: Path | None
    show_progress: bool


def assemble(
    names: str | Sequence[str],
    values: Mapping[str, Any] | None = None,
    *,
    sources: Sequence[Source] = (),
) -> Parts:
    """Build the parts of a run. Nothing is written anywhere.

    Args:
        names: the plugins, as "dqn,pong" or a sequence.
        values: options as {"section.key": value}, stronger than `sources`.
        sources: further groups of values, weakest first.

    Raises:
        UsageError: with every problem that was found.
    """
    given = [*sources, Source("values", values)] if values else sources
    plugins, config, notes = configure(names, given)
    options = config[RunOptions]
    seeds = Seeds(options.seed)
    slots = Slots(plugins)
    stream = _open_stream(plugins, slots, config, seeds, "train", options.num_envs, "train")
    if config[CheckpointOptions].every and not stream.restorable:
        owner = slots.filled["make_env"]
        notes.append(f"no checkpoints: the environments of '{owner}' reset themselves and have no state_dict()")
    try:
        return _fill(plugins, config, notes, seeds, slots, stream)
    except BaseException:
        stream.close()
        raise


def assemble_agent(names: str | Sequence[str], sources: Sequence[Source] = ()) -> Agent:
    """Build a policy alone, as `assemble` would, with fresh weights.

    Raises:
        UsageError: with every problem that was found.
    """
    plugins, config, _ = configure(names, sources)
    seeds = Seeds(config[RunOptions].seed)
    slots = Slots(plugins)
    stream = _open_stream(plugins, slots, config, seeds, "evaluate", 1, SPACES)
    stream.close()
    policy = _make_policy(slots, stream.spaces, config, seeds)
    return Agent(plugins=plugins, config=config, seeds=seeds, slots=slots, spaces=stream.spaces, policy=policy)


def _make_policy(slots: Slots, spaces: Spaces, config: Config, seeds: Seeds) -> Policy:
    with _spaces_served("make_policy", slots, spaces):
        return slots.fill("make_policy", Policy, spaces=spaces, config=config, seeds=seeds, slots=slots)


@contextmanager
def _spaces_served(slot: str, slots: Slots, spaces: Spaces) -> Iterator[None]:
    """Name who cannot serve the spaces, and who made them."""
    try:
        yield
    except UnsupportedSpace as error:
        raise UsageError(
            f"{slots.filled[slot]} needs {error.needs}; {slots.filled['make_env']} gives {spaces.describe()}"
        ) from error


def _fill(plugins: Plugins, config: Config, notes: Sequence[str], seeds: Seeds, slots: Slots, stream: Stream) -> Parts:
    spaces = stream.spaces
    policy = _make_policy(slots, spaces, config, seeds)
    with _spaces_served("make_exploration", slots, spaces):
        exploration = slots.fill("make_exploration", Exploration, spaces=spaces, config=config, seeds=seeds)
    returns = slots.fill_if_used("make_returns", Returns, by="make_buffer", argument="returns", config=config)
    sampler = slots.fill_if_used(
        "make_sampler", Sampler, by="make_buffer", argument="sampler", config=config, seeds=seeds
    )
    buffer = slots.fill(
        "make_buffer",
        Buffer,
        spaces=spaces,
        sampler=sampler,
        returns=returns,
        policy=policy,
        config=config,
        seeds=seeds,
    )
    loss = slots.fill(
        "make_loss", Loss, policy=policy, exploration=exploration, config=config, seeds=seeds, slots=slots
    )
    optimizer = slots.fill("make_optimizer", Optimizer, policy=policy, config=config)
    target_sync = slots.fill("make_target_sync", TargetSync, policy=policy, config=config)
    cadence = slots.fill("make_cadence", Cadence, config=config)
    collector = slots.fill("make_collector", Collector, stream=stream, policy=policy, exploration=exploration)
    problems = slots.unused_claims()
    if problems:
        raise UsageError(problems)
    return Parts(
        plugins=plugins,
        config=config,
        seeds=seeds,
        spaces=spaces,
        stream=stream,
        policy=policy,
        exploration=exploration,
        returns=returns,
        sampler=sampler,
        buffer=buffer,
        loss=loss,
        optimizer=optimizer,
        target_sync=target_sync,
        cadence=cadence,
        collector=collector,
        slots=slots,
        notes=notes,
    )


def _open_stream(
    plugins: Plugins,
    slots: Slots,
    config: Config,
    seeds: Seeds,
    role: Role,
    num_envs: int,
    name: str,
    more_wrappers: Sequence[Wrapper] = (),
) -> Stream:
    made: Any = slots.fill("make_env", object, config=config, seeds=seeds, role=role, num_envs=num_envs)
    wrappers = [wrap for _, wrap in plugins.gather("env_wrapper", WRAPPER, config=config, role=role)]
    wrappers += more_wrappers
    owner = slots.filled["make_env"]
    if isinstance(made, gymnasium.vector.VectorEnv) and wrappers:
        made.close()
        raise UsageError(f"{owner} makes its environments side by side, so env_wrapper plugins cannot wrap them")
    if not isinstance(made, gymnasium.vector.VectorEnv) and not callable(made):
        raise UsageError(f"{owner}.make_env must return a VectorEnv or a factory, not {type(made).__name__}")
    try:
        if isinstance(made, gymnasium.vector.VectorEnv):
            env = made
        else:
            options = config[RunOptions]
            processes = options.env_processes and role != "watch" and name != SPACES
            env = vectorise(_wrapped(made, wrappers), num_envs, processes, SILENCE * options.watchdog)
        if env.num_envs != num_envs:
            env.close()
            raise UsageError(f"made {env.num_envs} environments where {num_envs} were asked for")
        return Stream(env, lambda env_id, episode: seeds.episode(name, env_id, episode))
    except UsageError as error:
        raise UsageError([f"{owner}: {problem}" for problem in error.problems]) from error
    except FrameworkError:
        raise
    except Exception as error:
        raise PluginError(f"the environment of '{owner}' cannot be made: {type(error).__name__}: {error}") from error


def _wrapped(
    factory: Callable[[], gymnasium.Env[Any, Any]], wrappers: Sequence[Callable[[Any], Any]]
) -> Callable[[], gymnasium.Env[Any, Any]]:
    return lambda: reduce(lambda env, wrap: wrap(env), wrappers, factory())
