"""A composition under test. It can be built as a whole on an environment of the harness, or one part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

from framework.assembly.assemble import assemble_tolerantly
from framework.assembly.builder import Builder
from framework.assembly.configuration import VALUES, configure, gather_recommendations, gather_sections
from framework.assembly.loading import bundle_of, load_plugins
from framework.assembly.manager import Plugins
from framework.assembly.parts import Parts
from framework.assembly.slots import Slots
from framework.config import Source
from framework.conformance.check import NotApplicable, Purpose
from framework.errors import UnsupportedSpace, UsageError
from framework.seeding import Seeds
from framework.spaces import States, leaves_of, without_mask
from framework.types import Spaces

COMPOSITION = "the composition"
"""The owner of the properties that concern no single slot."""

PROBES = "framework.conformance.fixtures.environments.probes"
"""The plugin that makes the probe environments."""

Observations = Literal["discrete", "box", "image"]

FEW_STATES = 100_000
"""The most states of finite observations that count as discrete, so that a table of them is small."""

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
"""Values that suit the probes. The user's values, and those that the plugins recommend or set, override them."""


@dataclass(frozen=True)
class Subject:
    """A composition: the names of its plugins, including the environment's.

    `values` are the user's options. They override all others but those that a check asks for. `thorough` asks for ten
    times as many examples. `seed` determines the examples.
    """

    names: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    thorough: bool = False
    seed: int = 0

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins of the composition, including its own environment."""
        return load_plugins(self.names)

    def owner(self, slot: str) -> str:
        """The plugin that fills a slot, followed by its decorators after plus signs.

        The engine's defaults are "engine". For a check without a slot (""), the owner is `COMPOSITION`.
        """
        if not slot:
            return COMPOSITION
        winner = self.plugins.winner(slot)
        return "+".join([winner.plugin if winner else "nothing", *self.plugins.decorators(slot)])

    def fills(self, slot: str, *names: str) -> bool:
        """Whether one of these plugins fills the slot."""
        winner = self.plugins.winner(slot)
        return winner is not None and winner.plugin in names

    def consumes(self, slot: str, argument: str) -> bool:
        """Whether the plugin that fills a slot, or a decorator of it, takes this argument.

        A buffer that takes no `returns` computes its own returns.
        """
        return self.plugins.consumes(slot, argument)

    def values_for(self, purpose: Purpose) -> dict[str, Any]:
        """The values that the plugins suggest for this purpose. See the hook `conformance_values`."""
        suggested = self.plugins.gather("conformance_values", VALUES, purpose=purpose)
        return {path: value for _, values in suggested for path, value in values.items()}

    @cached_property
    def observations(self) -> Observations:
        """The kind of the composition's own observations. The probes show the same kind, so that the network fits.

        Several leaves count as an image if one of them is an image. Finite observations count as discrete.
        """
        space = self.spaces.observation
        if any(leaf.dtype == np.uint8 and len(leaf.shape or ()) > 1 for leaf in leaves_of(space).values()):
            return "image"
        try:
            return "discrete" if States(space).count <= FEW_STATES else "box"
        except UnsupportedSpace:
            return "box"

    @property
    def unmasked(self) -> Spaces:
        """The spaces of the composition's own environment, without masks."""
        spaces = self.spaces
        observation, frame = without_mask(spaces.observation), without_mask(spaces.frame)
        return replace(spaces, observation=observation, frame=frame, declared=None)

    @property
    def spaces(self) -> Spaces:
        """The spaces of the composition's own environment."""
        if not self._spaces:
            with self.assembled():
                pass
        return self._spaces[0]

    @contextmanager
    def assembled(self, values: Mapping[str, Any] | None = None) -> Iterator[Parts]:
        """Build the composition on its own environment, and close it at the end."""
        parts = assemble_tolerantly(self.names, [Source("check", self._kept(self.names, values))])
        if values is None:
            self._spaces[:] = [parts.spaces]
        try:
            yield parts
        finally:
            parts.close()

    @contextmanager
    def probed(self, probe: str, values: Mapping[str, Any] | None = None) -> Iterator[Parts]:
        """Build the composition on a probe environment instead of its own, and close it at the end.

        Args:
            probe: the option `probe.env`. The probe's observations are of the same kind as those of the composition's
                own environment.
            values: options that override all others. Those of plugins that are not loaded are dropped.

        Raises:
            NotApplicable: if `values` ask for a vector environment and a plugin wraps single environments.
        """
        wrappers = [found.plugin for found in self.plugins.implementing("env_wrapper")]
        if wrappers and (values or {}).get("probe.autoreset"):
            raise NotApplicable(f"{wrappers[0]} wraps single environments, but this check needs a vector environment")
        parts = assemble_tolerantly(self.without_environment, [Source("check", self._probe_values(probe, values))])
        try:
            yield parts
        finally:
            parts.close()

    def builder(self, values: Mapping[str, Any] | None = None, probe: str = "ledger") -> Builder:
        """A builder for single parts of the composition, on spaces that the check chooses."""
        kept = self._probe_values(probe, values)
        # builders are kept, because finding plugins and settling values takes longer than most checks
        key = repr(sorted(kept.items()))
        if key not in self._builders:
            plugins, config, _ = configure(self.without_environment, [Source("check", kept)])
            self._builders[key] = Builder(plugins, config, Seeds(self.seed), Slots(plugins))
        return self._builders[key]

    def for_all(self, body: Callable[..., None], examples: int = 40, **strategies: SearchStrategy[Any]) -> None:
        """Call `body` with examples that hypothesis generates. If it fails, raise the error of the smallest example.

        Args:
            examples: how many; `thorough` multiplies them by ten.

        Raises:
            NotApplicable: if `body` rejects every example.
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
            raise NotApplicable("the composition can serve none of the examples") from error

    @cached_property
    def without_environment(self) -> tuple[str, ...]:
        """The names, with the probes instead of the environment. What the environment added as a bundle stays."""
        winner = self.plugins.winner("make_env")
        environment = winner.plugin if winner else ""
        origins = {name: origin.text for name, origin in self.plugins.origins.items() if name != environment}
        rest = [
            origins[name] for name in self.plugins.names if name in origins and name not in self._environment_bundles
        ]
        brought = {
            part
            for name in origins
            if name not in self._environment_bundles
            for bundle in [bundle_of(name, self.plugins.manager.get_plugin(name), rest)]
            for part in (*bundle.plugins, *bundle.optional, bundle.agent)
        }
        removed = [name for name in self.names if name.startswith("no:") and name.removeprefix("no:") in brought]
        return (*rest, *removed, PROBES)

    def _probe_values(self, probe: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
        shown: dict[str, Any] = {"probe.observations": self.observations}
        if self.observations == "image":
            images = [leaf for leaf in leaves_of(self.spaces.frame).values() if len(leaf.shape or ()) > 1]
            shown.update({"probe.shape": images[0].shape, "probe.stack": self.spaces.frame_stack})
        known = {**SUITABLE, **self.values_for("parts")}
        suitable = {path: value for path, value in known.items() if path not in self._settled}
        weaker = {**suitable, **self._environment_bundle_values}
        return self._kept(self.without_environment, {"probe.env": probe, **shown, **(values or {})}, weaker)

    @cached_property
    def _environment_bundles(self) -> set[str]:
        """Bundles that refuse the probe environment. What they add and set is kept in their place."""
        found = set()
        for name in self.plugins.names:
            try:
                bundle_of(name, self.plugins.manager.get_plugin(name), [PROBES])
            except UsageError:
                found.add(name)
        return found

    @cached_property
    def _environment_bundle_values(self) -> dict[str, Any]:
        bound = [given for name, given in self.plugins.values if name in self._environment_bundles]
        return {path: value for given in bound for path, value in given.items()}

    @cached_property
    def _settled(self) -> set[str]:
        """The options that plugins other than the environment recommend or set."""
        plugins = load_plugins(self.without_environment)
        recommended = [source.values for source in gather_recommendations(plugins)]
        bundled = [values for _, values in plugins.values]
        return {path for values in (*recommended, *bundled) for path in values} | set(self._environment_bundle_values)

    @cached_property
    def _spaces(self) -> list[Spaces]:
        """The spaces of the composition's own environment. Empty until it was opened, because opening may take long."""
        return []

    @cached_property
    def _builders(self) -> dict[str, Builder]:
        """The builders by the values that they were made with."""
        return {}

    @cached_property
    def _loaded(self) -> dict[Sequence[str], set[str]]:
        """Names of plugins → the names of the sections that these plugins have."""
        return {}

    def _kept(
        self, names: Sequence[str], values: Mapping[str, Any] | None, weaker: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The options of loaded sections. A check's `values` override the user's, and these override `weaker`."""
        if names not in self._loaded:
            self._loaded[names] = {section.section_name for section in gather_sections(load_plugins(names))}
        loaded = self._loaded[names]
        given = {"run.seed": self.seed, "evaluation.every": 0, **(weaker or {}), **self.values, **(values or {})}
        return {path: value for path, value in given.items() if path.partition(".")[0] in loaded}
