"""The builder of one composition: one method for each slot of the engine, and the order in which they are filled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, TypeVar

import gymnasium

from framework.assembly.manager import Expected, PluginError, Plugins
from framework.assembly.slots import Slots
from framework.config import Config, Source, build_config
from framework.environments.info import Wanted, wanted_keys
from framework.environments.stream import TransitionStream, vectorise
from framework.errors import FrameworkError, UnsupportedSpace, UsageError
from framework.options import EvaluationOptions, RecordOptions, RunOptions
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
    SideBySide,
    Spaces,
    TargetSync,
)

T = TypeVar("T")

Wrapper = Callable[[Any], gymnasium.Env[Any, Any]]

WRAPPER = Expected("a function from an environment to an environment", callable)
"""What `env_wrapper` must return."""

SILENT_SHARE = 0.8
"""An environment's process must answer within this share of run.watchdog, so that it is named before the run ends."""


@dataclass(frozen=True)
class Builder:
    """Builds the parts of a composition. Each call builds a new part with a new random generator."""

    plugins: Plugins
    config: Config
    seeds: Seeds
    slots: Slots

    @classmethod
    def of(cls, plugins: Plugins, config: Config) -> Builder:
        """A builder with empty slots, whose random generators start from the option run.seed."""
        return cls(plugins, config, Seeds(config[RunOptions].seed), Slots(plugins))

    def altered(self, values: Mapping[str, Any]) -> Builder:
        """The same builder with other options. This takes a fraction of the time that a new builder takes."""
        sections = [type(section) for section in self.config]
        return replace(self, config=build_config(sections, [Source("check", {**self.config.flat(), **values})]))

    def uses(self, slot: str, argument: str) -> bool:
        """Whether the plugin that fills `slot`, or one that decorates it, takes this argument."""
        return self.plugins.consumes(slot, argument)

    # ── One method for each slot, in the order of framework.hookspecs ────────────────────────────

    def environments(self, role: Role, num_envs: int) -> Any:
        """What `make_env` returns: a vector environment, or a factory of single ones."""
        given = {"seeds": self.seeds, "slots": self.slots, "role": role, "num_envs": num_envs}
        return self.slots.fill("make_env", object, config=self.config.for_later(), **given)

    def policy(self, spaces: Spaces) -> Policy:
        """The part of `make_policy` for these spaces, with fresh weights."""
        with self._name_unsupported_spaces("make_policy", spaces):
            return self._fill("make_policy", Policy, spaces=spaces)

    def exploration(self, spaces: Spaces) -> Exploration:
        """The part of `make_exploration`."""
        with self._name_unsupported_spaces("make_exploration", spaces):
            return self._fill("make_exploration", Exploration, spaces=spaces)

    def returns(self) -> Returns:
        """The part of `make_returns`."""
        return self._fill("make_returns", Returns)

    def sampler(self) -> Sampler:
        """The part of `make_sampler`. Each buffer needs its own."""
        return self._fill("make_sampler", Sampler)

    def buffer(
        self, spaces: Spaces, sampler: Sampler | None = None, returns: Returns | None = None, policy: Any = None
    ) -> Buffer:
        """A buffer. The builder builds each argument that the buffer uses and that is None."""
        if sampler is None and self.uses("make_buffer", "sampler"):
            sampler = self.sampler()
        if returns is None and self.uses("make_buffer", "returns"):
            returns = self.returns()
        if policy is None and self.uses("make_buffer", "policy"):
            policy = self.policy(spaces)
        return self._fill("make_buffer", Buffer, spaces=spaces, sampler=sampler, returns=returns, policy=policy)

    def loss(self, policy: Policy, exploration: Exploration) -> Loss:
        """The part of `make_loss`."""
        return self._fill("make_loss", Loss, policy=policy, exploration=exploration)

    def optimizer(self, policy: Policy, counters: Counters | None = None) -> Optimizer:
        """The part of `make_optimizer`. Without the counters of a run, it gets counters that stay 0."""
        counters = Counters() if counters is None else counters
        return self._fill("make_optimizer", Optimizer, policy=policy, counters=counters)

    def target_sync(self, policy: Policy) -> TargetSync:
        """The part of `make_target_sync`."""
        return self._fill("make_target_sync", TargetSync, policy=policy)

    def cadence(self) -> Cadence:
        """The part of `make_cadence`."""
        return self._fill("make_cadence", Cadence)

    def collector(self, stream: TransitionStream, policy: Policy, exploration: Exploration) -> Collector:
        """The part of `make_collector`."""
        return self._fill("make_collector", Collector, stream=stream, policy=policy, exploration=exploration)

    # ── Environments as a stream ─────────────────────────────────────────────────────────────────

    def single_environments(self, role: Role, num_envs: int, more_wrappers: Sequence[Wrapper] = ()) -> Any:
        """What `make_env` returns; around a factory, the wrappers of the plugins and then `more_wrappers`.

        Raises:
            UsageError: if `make_env` returns anything else, or plugins wrap a vector environment.
        """
        made = self.environments(role, num_envs)
        gathered = self.plugins.gather("env_wrapper", WRAPPER, config=self.config.for_later(), role=role)
        wrappers = [*(wrap for _, wrap in gathered), *more_wrappers]
        owner = self.slots.filled["make_env"]
        if isinstance(made, gymnasium.vector.VectorEnv):
            if wrappers:
                made.close()
                raise UsageError(
                    f"{owner} makes a vector environment, which plugins with env_wrapper cannot wrap: drop one of them"
                )
            return made
        if not callable(made):
            raise UsageError(f"{owner}.make_env must return a VectorEnv or a factory, not {type(made).__name__}")
        return Wrapped(made, wrappers)

    def spaces(self, role: Role) -> Spaces:
        """What an agent observes and which actions it has. An environment is opened for that, and closed."""
        stream = self.stream(role, 1, "spaces", in_processes=False)
        stream.close()
        return stream.spaces

    def stream(
        self,
        role: Role,
        num_envs: int,
        name: str,
        wrappers: Sequence[Wrapper] = (),
        in_processes: bool | None = None,
    ) -> TransitionStream:
        """Open environments as a stream. Close it after use.

        Args:
            name: the seeds of the episodes depend on it.
            wrappers: wrap each single environment, after the wrappers of the plugins.
            in_processes: whether each single environment gets a process; None: as run.env_processes says, or as the
                result of `make_env` puts them side by side itself.

        Raises:
            UsageError: if the environments do not fit, or their number is wrong.
            PluginError: if making or resetting them raises.
        """
        made = self.single_environments(role, num_envs, wrappers)
        owner = self.slots.filled["make_env"]
        apart = in_processes is None and not wrappers
        if in_processes is None:
            in_processes = self.config[RunOptions].env_processes and role != "watch"
        wanted = wanted_keys(self.config[RecordOptions].info, role)
        try:
            env = (
                made
                if isinstance(made, gymnasium.vector.VectorEnv)
                else self._side_by_side(made, num_envs, name, in_processes, wanted, apart)
            )
            with _closed_on_error(env):
                if env.num_envs != num_envs:
                    raise UsageError(f"make_env made {env.num_envs} environments instead of {num_envs}")
                limit = 0 if role == "train" else self.config[EvaluationOptions].max_steps
                seeds = self.seeds  # the stream must not keep the builder, whose configuration may be a recorded one
                return TransitionStream(
                    env, lambda env_id, episode: seeds.episode(name, env_id, episode), limit, wanted
                )
        except UsageError as error:
            raise UsageError([f"{owner}: {problem}" for problem in error.problems]) from error
        except FrameworkError:
            raise
        except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
            raise UsageError(f"the environment of '{owner}' needs a library that is not installed: {error}") from error
        except Exception as error:
            raise PluginError(
                f"the environment of '{owner}' cannot be made: {type(error).__name__}: {error}"
            ) from error

    def _side_by_side(
        self, made: Wrapped, num_envs: int, name: str, processes: bool, wanted: Wanted, apart: bool
    ) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        global_seeds = [self.seeds.integer(f"process/{name}", number) for number in range(num_envs)]
        if apart and isinstance(made.factory, SideBySide):
            return made.factory.side_by_side(num_envs, global_seeds, wanted)
        patience = SILENT_SHARE * self.config[RunOptions].watchdog
        return vectorise(made, num_envs, processes, patience, global_seeds, wanted)

    def _fill(self, slot: str, expected: type[T], **arguments: Any) -> T:
        return self.slots.fill(slot, expected, config=self.config, seeds=self.seeds, slots=self.slots, **arguments)

    @contextmanager
    def _name_unsupported_spaces(self, slot: str, spaces: Spaces) -> Iterator[None]:
        """Name the plugin that cannot serve the spaces, and the plugin whose environment has them."""
        try:
            yield
        except UnsupportedSpace as error:
            owner, environment = self.slots.filled[slot], self.slots.filled.get("make_env", "the environment")
            raise UsageError(f"{owner} needs {error.needs}; {environment} gives {spaces.describe()}") from error


@dataclass(frozen=True)
class Wrapped:
    """A factory of single environments, and what wraps each of them."""

    factory: Callable[[], gymnasium.Env[Any, Any]]
    wrappers: Sequence[Wrapper]

    def __call__(self) -> gymnasium.Env[Any, Any]:
        return reduce(lambda env, wrap: wrap(env), self.wrappers, self.factory())


@contextmanager
def _closed_on_error(env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> Iterator[None]:
    """Close the environments, whose processes would outlive an error otherwise."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # the first error is the one to show
            env.close()
        raise
