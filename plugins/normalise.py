"""Normalises observations by their running mean and variance, which are part of the network's weights.

x̂ = clip((x − μ) / √(σ² + 10⁻⁸), −c, c), separately for each number of an observation. μ and σ² are over all
observations of training so far (Chan, Golub & LeVeque 1983, eq. 1.5, for a batch at a time). Online and target network
have the same. An evaluation, `watch` and a resumed run use those that were learnt; only training changes them. The
replay stores observations as they are. Bytes, Discrete, MultiDiscrete and MultiBinary observations are left alone:
networks scale bytes and turn the others into unit vectors. With `averaging`, an evaluation has averages of μ and σ²,
too.

Use it in the place of gymnasium's `NormalizeObservation`, whose statistics belong to one environment.

Paper → here (Huang et al. 2022, the 37 implementation details of PPO):

| option | paper | here | why |
| --- | --- | --- | --- |
| `normalise.clip` | 10 | 10.0 | |
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from framework.assembly.slots import Slots
from framework.config import Config, Field, Section
from framework.conformance.check import Check
from framework.defaults.collector import observed
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.spaces import leaves_of
from framework.types import (
    Averaged,
    Collector,
    Policy,
    Spaces,
    Step,
)
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.hookspecs import TorsoConstructor

CHECK_WITH = "dqn,cartpole"

SMALLEST = 1e-8
"""What is added to the variance."""


class NormaliseOptions(Section, name="normalise"):
    """How far a normalised observation may lie from 0."""

    clip: float = Field(10.0, gt=0, description="c: largest absolute value of a normalised number")


class Normalised(nn.Module):
    """A torso that first normalises its observations.

    The statistics are float64 buffers of one frame's shape. Of a single observation, the variance counts as 1.
    """

    def __init__(self, torso: nn.Module, leaf: str, shape: tuple[int, ...], clip: float) -> None:
        super().__init__()
        self.torso, self.leaf, self._clip = torso, leaf, clip
        self.features = cast(Any, torso).features
        self.mean: Tensor
        self.variance: Tensor
        self.count: Tensor
        self.register_buffer("mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(shape, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def forward(self, obs: Shaped[Tensor, "B *obs"]) -> Float[Tensor, "B F"]:
        scaled = (obs.to(torch.float64) - self.mean) / (self.variance + SMALLEST).sqrt()
        return cast(Tensor, self.torso(scaled.clamp(-self._clip, self._clip).to(torch.get_default_dtype())))

    def observe(self, frames: Shaped[np.ndarray, "M *frame"]) -> None:
        """Add frames to the statistics."""
        new = torch.from_numpy(frames.astype(np.float64)).to(self.mean.device)
        before, more = int(self.count), len(new)
        mean, total = new.mean(dim=0), before + more
        delta = mean - self.mean
        squares = (new - mean).square().sum(dim=0)
        if before:
            squares += (self.variance * before if before > 1 else 0) + delta.square() * before * more / total
        self.mean += delta * more / total
        self.variance.copy_(squares / total if total > 1 else torch.ones_like(squares))
        self.count.fill_(total)


def normalisable(space: gymnasium.Space[Any]) -> bool:
    """Whether a leaf is a Box of anything but bytes."""
    return isinstance(space, gymnasium.spaces.Box) and space.dtype != np.uint8


class Observer:
    """Takes what was observed in training into the statistics of both networks."""

    def __init__(self, policy: DQNPolicy) -> None:
        self._pairs = [
            (online, target)
            for online, target in zip(policy.online.modules(), policy.target.modules(), strict=True)
            if isinstance(online, Normalised)
        ]

    def __call__(self, step: Step) -> None:
        """Take the observations of a step."""
        for online, target in self._pairs if len(step) else ():
            online.observe(step.obs[online.leaf] if step.obs.dtype.names else step.obs)
            for name, statistic in online.named_buffers(recurse=False):
                target.get_buffer(name).copy_(statistic)


@hookimpl
def config_sections() -> list[type[Section]]:
    return [NormaliseOptions]


@hookimpl(wrapper=True)
def make_policy(spaces: Spaces, slots: Slots) -> Generator[None, Policy, Policy]:
    policy = yield
    if not any(map(normalisable, leaves_of(spaces.observation).values())):
        slots.idle("normalise", "no part of the observations is a Box of numbers other than bytes")
    return policy


@hookimpl(wrapper=True)
def dqn_torso(spaces: Spaces, leaf: str, config: Config) -> Generator[None, TorsoConstructor, TorsoConstructor]:
    build = yield
    if not normalisable(spaces.observation):
        return build
    shape, clip = spaces.frame.shape or (), config[NormaliseOptions].clip
    return lambda: Normalised(build(), leaf, shape, clip)


@hookimpl(wrapper=True)
def make_collector(policy: Policy) -> Generator[None, Collector, Collector]:
    collector = yield
    learner = policy.learner if isinstance(policy, Averaged) else policy
    if not isinstance(learner, DQNPolicy):
        raise UsageError(f"normalise works on the networks of 'dqn', and the policy is a {type(learner).__name__}")
    return observed(collector, Observer(learner))


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance.normalised import both_networks_have_the_statistics_of_training

    return [both_networks_have_the_statistics_of_training]
