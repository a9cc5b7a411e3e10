"""A composition under test, whole on an environment of the harness's choice, or one part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import gymnasium
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.strategies import SearchStrategy

from framework.assembly import Parts, assemble
from framework.composition import VALUES, configure, gather_sections
from framework.config import Config, Source, build_config
from framework.conformance.checks import NotApplicable
from framework.errors import UsageError
from framework.loading import bundle_of, load_plugins
from framework.manager import Plugins
from framework.seeding import Seeds
from framework.slots import Slots
from framework.types import (
    Batch,
    Buffer,
    Exploration,
    Loss,
    Optimizer,
    Policy,
    Returns,
    Sampler,
    Spaces,
)

PROBES = "framework.conformance.environments"
"""The plugin of the environments that checks choose from."""

Observations = Literal["discrete", "box", "image"]

SUITABLE: Mapping[str, Any] = {
    "run.steps": 300,
    "run.num_envs": 2,
    "returns.gamma": 0.8,
    "replay.capacity": 500,
    "learning.starts": 50,
    "learning.batch_size": 16,
    "learning.updates_per_step": 0.25,
    "target.every": 20,
    "target.unit": "updates",
    "exploration.start": 1.0,
    "exploration.final": 0.3,
    "exploration.horizon": 200,
    "dqn.hidden": 32,
    "dqn.mlp": (32,),
    "dqn.learning_rate": 3e-3,
    "c51.v_min": -2.0,
    "c51.v_max": 6.0,
    "qr.quantiles": 20,
    "tabular.learning_rate": 0.2,
}
"""What suits the probes; weaker than what the composition's own plugins recommend or set."""

B, A, N = 7, 3, 5
"""Rows of a batch, actions, environments: distinct primes, so that one axis cannot pass for another."""


@dataclass(frozen=True)
class Subject:
    """The composition: every plugin named, the environment's among them.

    `thorough` asks for more examples, from `seed`; otherwise the examples are the same each time.
    """

    names: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    thorough: bool = False
    seed: int = 0

    @cached_property
    def plugins(self) -> Plugins:
        """As the composition was given."""
        return load_plugins(self.names)

    def owner(self, slot: str) -> str:
        """Who fills a slot, its decorators behind a plus sign; the engine's own defaults are "engine"."""
        winner = self.plugins.winner(slot)
        return "+".join([winner.plugin if winner else "nothing", *self.plugins.decorators(slot)])

    def fills(self, slot: str, *names: str) -> bool:
        """Whether one of these plugins fills a slot."""
        winner = self.plugins.winner(slot)
        return winner is not None and winner.plugin in names

    def consumes(self, slot: str, argument: str) -> bool:
        """Whether who fills a slot takes this argument: a buffer that takes no `returns` makes its own."""
        return self.plugins.consumes(slot, argument)

    @cached_property
    def observations(self) -> Observations:
        """What the composition's own environment shows, so that its network fits the probes, too."""
        space = self.spaces.observation
        if isinstance(space, gymnasium.spaces.Discrete):
            return "discrete"
        return "image" if space.dtype == np.uint8 and len(space.shape or ()) > 1 else "box"

    @cached_property
    def spaces(self) -> Spaces:
        """Of the composition's own environment."""
        with self.assembled() as parts:
            return parts.spaces

    @contextmanager
    def assembled(self, values: Mapping[str, Any] | None = None) -> Iterator[Parts]:
        """The composition on its own environment, closed in the end."""
        parts = assemble(self.names, self._kept(self.names, values))
        try:
            yield parts
        finally:
            parts.close()

    @contextmanager
    def probed(self, probe: str, values: Mapping[str, Any] | None = None) -> Iterator[Parts]:
        """The composition on a probe environment in the place of its own, closed in the end.

        Args:
            probe: the option `probe.env`; what it shows follows the composition's own environment.
            values: options, stronger than what the probe recommends; those of plugins that are not loaded are dropped.

        Raises:
            NotApplicable: for environments side by side, if a plugin wraps single ones.
        """
        wrappers = [found.plugin for found in self.plugins.implementing("env_wrapper")]
        if wrappers and (values or {}).get("probe.autoreset"):
            raise NotApplicable(f"{wrappers[0]} cannot wrap environments that are made side by side")
        names = self.without_environment
        parts = assemble(names, self._kept(names, self._probe_values(probe, values)))
        try:
            yield parts
        finally:
            parts.close()

    def bench(self, values: Mapping[str, Any] | None = None, probe: str = "ledger") -> Bench:
        """What is needed to build single parts of the composition, on spaces of the check's choice."""
        names = self.without_environment
        kept = self._kept(names, self._probe_values(probe, values))
        # to find plugins and settle values takes longer than most checks do
        key = repr(sorted(kept.items()))
        if key not in self._benches:
            plugins, config, _ = configure(names, [Source("check", kept)])
            self._benches[key] = Bench(plugins, config, Seeds(self.seed), Slots(plugins))
        return self._benches[key]

    def for_all(self, body: Callable[..., None], examples: int = 40, **strategies: SearchStrategy[Any]) -> None:
        """Call `body` with examples that hypothesis makes up; what it raises is raised for the smallest example.

        Args:
            examples: how many; ten times as many where `thorough`.
        """

        @seed(self.seed)
        @settings(
            max_examples=examples * 10 if self.thorough else examples,
            database=None,
            deadline=None,
            derandomize=False,
            phases=[Phase.generate, Phase.shrink],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
        )
        @given(**strategies)
        def run(**example: Any) -> None:
            body(**example)

        run()

    @cached_property
    def without_environment(self) -> tuple[str, ...]:
        """The names with the probes in the place of the environment; what it brought in as a bundle stays."""
        winner = self.plugins.winner("make_env")
        environment = winner.plugin if winner else ""
        origins = {name: origin.text for name, origin in self.plugins.origins.items() if name != environment}
        rest = [origins[name] for name in self.plugins.names if name in origins and name not in self._bound]
        brought = {
            part
            for name in origins
            if name not in self._bound
            for part in bundle_of(name, self.plugins.manager.get_plugin(name), rest).plugins
        }
        removed = [name for name in self.names if name.startswith("no:") and name.removeprefix("no:") in brought]
        return (*rest, *removed, PROBES)

    def _probe_values(self, probe: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
        shown: dict[str, Any] = {"probe.observations": self.observations}
        if self.observations == "image":
            shown.update({"probe.shape": self.spaces.frame.shape, "probe.stack": self.spaces.frame_stack})
        suitable = {path: value for path, value in SUITABLE.items() if path not in self._settled}
        return {**suitable, **self._bound_values, "probe.env": probe, **shown, **(values or {})}

    @cached_property
    def _bound(self) -> set[str]:
        """Bundles of certain environments, which refuse any other: what they bring and set stands for them."""
        found = set()
        for name in self.plugins.names:
            try:
                bundle_of(name, self.plugins.manager.get_plugin(name), [PROBES])
            except UsageError:
                found.add(name)
        return found

    @cached_property
    def _bound_values(self) -> dict[str, Any]:
        bound = [given for name, given in self.plugins.values if name in self._bound]
        return {path: value for given in bound for path, value in given.items()}

    @cached_property
    def _settled(self) -> set[str]:
        """The options for which the plugins, the environment aside, have a value of their own."""
        plugins = load_plugins(self.without_environment)
        recommended = plugins.gather("recommended_values", VALUES, names=plugins.names)
        return {path for _, values in (*recommended, *plugins.values) for path in values} | set(self._bound_values)

    @cached_property
    def _benches(self) -> dict[str, Bench]:
        """By the values that they have."""
        return {}

    @cached_property
    def _loaded(self) -> dict[Sequence[str], set[str]]:
        """The sections of the plugins that were loaded by some names."""
        return {}

    def _kept(self, names: Sequence[str], values: Mapping[str, Any] | None) -> dict[str, Any]:
        if names not in self._loaded:
            self._loaded[names] = {section.section_name for section in gather_sections(load_plugins(names))}
        loaded = self._loaded[names]
        given = {"run.seed": self.seed, "evaluation.every": 0, **self.values, **(values or {})}
        return {path: value for path, value in given.items() if path.partition(".")[0] in loaded}


@dataclass
class Bench:
    """Builds single parts of a composition. Each call builds a new one, from the start of its random stream."""

    plugins: Plugins
    config: Config
    seeds: Seeds
    slots: Slots

    def altered(self, values: Mapping[str, Any]) -> Bench:
        """The same with other options, in a fraction of the time that a new one takes."""
        sections = [type(section) for section in self.config]
        config = build_config(sections, [Source("check", {**self.config.flat(), **values})])
        return replace(self, config=config)

    def returns(self) -> Returns:
        return self.slots.fill("make_returns", Returns, config=self.config)

    def sampler(self) -> Sampler:
        return self.slots.fill("make_sampler", Sampler, config=self.config, seeds=self.seeds)

    def exploration(self, spaces: Spaces) -> Exploration:
        return self.slots.fill("make_exploration", Exploration, spaces=spaces, config=self.config, seeds=self.seeds)

    def policy(self, spaces: Spaces) -> Policy:
        return self.slots.fill(
            "make_policy", Policy, spaces=spaces, config=self.config, seeds=self.seeds, slots=self.slots
        )

    def buffer(
        self, spaces: Spaces, sampler: Sampler | None = None, returns: Returns | None = None, policy: Any = None
    ) -> Buffer:
        """A buffer on these spaces; what is not given and is used is the composition's own."""
        if sampler is None and self.plugins.consumes("make_buffer", "sampler"):
            sampler = self.sampler()
        if returns is None and self.plugins.consumes("make_buffer", "returns"):
            returns = self.returns()
        if policy is None and self.plugins.consumes("make_buffer", "policy"):
            policy = self.policy(spaces)
        return self.slots.fill(
            "make_buffer",
            Buffer,
            spaces=spaces,
            sampler=sampler,
            returns=returns,
            policy=policy,
            config=self.config,
            seeds=self.seeds,
        )

    def loss(self, policy: Policy, exploration: Exploration) -> Loss:
        return self.slots.fill(
            "make_loss",
            Loss,
            policy=policy,
            exploration=exploration,
            config=self.config,
            seeds=self.seeds,
            slots=self.slots,
        )

    def optimizer(self, policy: Policy) -> Optimizer:
        return self.slots.fill("make_optimizer", Optimizer, policy=policy, config=self.config)

    def part(self, slot: str, expected: Any, **arguments: Any) -> Any:
        """Any other part: see `Slots.fill`."""
        return self.slots.fill(slot, expected, **arguments)


def frames_of(shape: tuple[int, ...] = (), dtype: Any = np.int64, stack: int = 1, envs: int = N, **more: Any) -> Spaces:
    """Spaces for buffers and explorations: frames of this shape and dtype, any value, and `A` actions.

    Args:
        more: `padding`, "repeat" or "zero"; `actions`.
    """
    info = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
    frame = gymnasium.spaces.Box(info.min, info.max, shape, dtype)
    stacked = gymnasium.spaces.Box(info.min, info.max, (stack, *shape), dtype) if stack > 1 else frame
    return Spaces(
        observation=stacked,
        action=gymnasium.spaces.Discrete(more.get("actions", A)),
        frame=frame,
        frame_stack=stack,
        stack_padding=more.get("padding", "repeat"),
        num_envs=envs,
    )


def some_batch(spaces: Spaces, rng: np.random.Generator, rows: int = B, **given: Any) -> Batch:
    """A batch of random transitions as a loss gets it: rewards and next observations of any kind, discounts of 0.9.

    Args:
        given: arrays that replace fields; `next_obs` and `next_action` as arrays.
    """
    space = spaces.observation
    space.seed(int(rng.integers(2**31)))

    def observations() -> np.ndarray:
        if isinstance(space, gymnasium.spaces.Discrete):
            return rng.integers(space.n, size=rows)
        return np.stack([_bounded(space, rng) for _ in range(rows)])

    next_obs = given.pop("next_obs", None)
    next_obs = observations() if next_obs is None else next_obs
    next_action = given.pop("next_action", None)
    next_action = rng.integers(spaces.num_actions, size=rows) if next_action is None else next_action
    fields: dict[str, Any] = {
        "ids": np.arange(rows),
        "obs": observations(),
        "action": rng.integers(spaces.num_actions, size=rows),
        "reward": rng.normal(size=rows),
        "discount": np.full(rows, 0.9),
        "weights": np.ones(rows),
        **given,
    }
    return Batch(**fields, read_next_obs=lambda: next_obs, read_next_action=lambda: next_action)


def _bounded(space: gymnasium.Space[Any], rng: np.random.Generator) -> np.ndarray:
    if space.dtype is not None and np.dtype(space.dtype).kind == "f":
        return rng.normal(size=space.shape or ()).astype(space.dtype)
    return np.asarray(space.sample())
