"""Single parts of a composition, built one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from framework.config import Config, Source, build_config
from framework.manager import Plugins
from framework.seeding import Seeds
from framework.slots import Slots
from framework.types import Buffer, Exploration, Loss, Optimizer, Policy, Returns, Sampler, Spaces


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
