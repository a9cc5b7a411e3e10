"""A composition under test, whole on an environment of the harness's choice, or one part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import gymnasium
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

from framework.assembly.assemble import assemble_tolerantly
from framework.assembly.builder import Builder
from framework.assembly.configuration import VALUES, configure, gather_sections
from framework.assembly.loading import bundle_of, load_plugins
from framework.assembly.manager import Plugins
from framework.assembly.parts import Parts
from framework.assembly.slots import Slots
from framework.config import Source
from framework.conformance.check import NotApplicable, Purpose
from framework.errors import UsageError
from framework.seeding import Seeds
from framework.types import Spaces

COMPOSITION = "the composition"
"""Who has the properties that no single slot has."""

PROBES = "framework.conformance.fixtures.environments.probes"
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
}
"""What suits the probes; weaker than what the user gives, and what the composition's own plugins recommend or set."""


@dataclass(frozen=True)
class Subject:
    """The composition: every plugin named, the environment's among them.

    `values` are the user's options: weaker than those that a check asks for, stronger than all others. `thorough` asks
    for more examples, from `seed`; otherwise the examples are the same each time.
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
        """Who fills a slot, its decorators behind a plus sign; the engine's own defaults are "engine".

        Where a check names no slot, it is the composition that has the property, or not.
        """
        if not slot:
            return COMPOSITION
        winner = self.plugins.winner(slot)
        return "+".join([winner.plugin if winner else "nothing", *self.plugins.decorators(slot)])

    def fills(self, slot: str, *names: str) -> bool:
        """Whether one of these plugins fills a slot."""
        winner = self.plugins.winner(slot)
        return winner is not None and winner.plugin in names

    def consumes(self, slot: str, argument: str) -> bool:
        """Whether who fills a slot takes this argument: a buffer that takes no `returns` makes its own."""
        return self.plugins.consumes(slot, argument)

    def values_for(self, purpose: Purpose) -> dict[str, Any]:
        """What the plugins themselves suggest for this purpose: see the hook `conformance_values`."""
        suggested = self.plugins.gather("conformance_values", VALUES, purpose=purpose)
        return {path: value for _, values in suggested for path, value in values.items()}

    @cached_property
    def observations(self) -> Observations:
        """What the composition's own environment shows, so that its network fits the probes, too."""
        space = self.spaces.observation
        if isinstance(space, gymnasium.spaces.Discrete):
            return "discrete"
        return "image" if space.dtype == np.uint8 and len(space.shape or ()) > 1 else "box"

    @property
    def spaces(self) -> Spaces:
        """Of the composition's own environment."""
        if not self._spaces:
            with self.assembled():
                pass
        return self._spaces[0]

    @contextmanager
    def assembled(self, values: Mapping[str, Any] | None = None) -> Iterator[Parts]:
        """The composition on its own environment, closed in the end."""
        parts = assemble_tolerantly(self.names, [Source("check", self._kept(self.names, values))])
        if values is None:
            self._spaces[:] = [parts.spaces]
        try:
            yield parts
        finally:
            parts.close()

    @contextmanager
    def probed(self, probe: str, values: Mapping[str, Any] | None = None) -> Iterator[Parts]:
        """The composition on a probe environment in the place of its own, closed in the end.

        Args:
            probe: the option `probe.env`; what it shows follows the composition's own environment.
            values: options, stronger than all others; those of plugins that are not loaded are dropped.

        Raises:
            NotApplicable: for environments side by side, if a plugin wraps single ones.
        """
        wrappers = [found.plugin for found in self.plugins.implementing("env_wrapper")]
        if wrappers and (values or {}).get("probe.autoreset"):
            raise NotApplicable(f"{wrappers[0]} cannot wrap environments that are made side by side")
        parts = assemble_tolerantly(self.without_environment, [Source("check", self._probe_values(probe, values))])
        try:
            yield parts
        finally:
            parts.close()

    def builder(self, values: Mapping[str, Any] | None = None, probe: str = "ledger") -> Builder:
        """What is needed to build single parts of the composition, on spaces of the check's choice."""
        kept = self._probe_values(probe, values)
        # to find plugins and settle values takes longer than most checks do
        key = repr(sorted(kept.items()))
        if key not in self._builders:
            plugins, config, _ = configure(self.without_environment, [Source("check", kept)])
            self._builders[key] = Builder(plugins, config, Seeds(self.seed), Slots(plugins))
        return self._builders[key]

    def for_all(self, body: Callable[..., None], examples: int = 40, **strategies: SearchStrategy[Any]) -> None:
        """Call `body` with examples that hypothesis makes up; what it raises is raised for the smallest example.

        Args:
            examples: how many; ten times as many where `thorough`.

        Raises:
            NotApplicable: if the body can make nothing of any example.
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

        try:
            run()
        except Unsatisfiable as error:
            raise NotApplicable("none of the examples can be served") from error

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
        known = {**SUITABLE, **self.values_for("parts")}
        suitable = {path: value for path, value in known.items() if path not in self._settled}
        weaker = {**suitable, **self._bound_values}
        return self._kept(self.without_environment, {"probe.env": probe, **shown, **(values or {})}, weaker)

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
    def _spaces(self) -> list[Spaces]:
        """Those of the composition's own environment, once it was opened, which takes long for some."""
        return []

    @cached_property
    def _builders(self) -> dict[str, Builder]:
        """By the values that they have."""
        return {}

    @cached_property
    def _loaded(self) -> dict[Sequence[str], set[str]]:
        """The sections of the plugins that were loaded by some names."""
        return {}

    def _kept(
        self, names: Sequence[str], values: Mapping[str, Any] | None, weaker: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """What a check asks for, else what the user gives, else what is weaker; all of it of loaded sections."""
        if names not in self._loaded:
            self._loaded[names] = {section.section_name for section in gather_sections(load_plugins(names))}
        loaded = self._loaded[names]
        given = {"run.seed": self.seed, "evaluation.every": 0, **(weaker or {}), **self.values, **(values or {})}
        return {path: value for path, value in given.items() if path.partition(".")[0] in loaded}
