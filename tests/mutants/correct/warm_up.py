"""Decorates whatever explores: the first steps of a run are uniformly random, as the replay is filled for DQN."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.spaces import legal_actions, nth_legal
from framework.types import Counters, Exploration, State, Stateful

CHECK_WITH = "dqn,chain"


class WarmUpOptions(Section, name="warm_up"):
    """How long."""

    steps: int = Field(60, ge=0, description="environment steps that are uniformly random")


class WarmUp:
    def __init__(self, inner: Exploration, steps: int, generator: np.random.Generator) -> None:
        self.inner, self.steps, self.generator = inner, steps, generator

    def choose(self, values: np.ndarray, obs: np.ndarray, counters: Counters) -> np.ndarray:
        if counters.env_steps >= self.steps:
            return self.inner.choose(values, obs, counters)
        legal = legal_actions(obs)
        legal = np.ones(values.shape, np.bool_) if legal is None else legal
        return nth_legal(legal, self.generator.random(len(values)))

    def probabilities(self, values: np.ndarray, obs: np.ndarray, counters: Counters) -> np.ndarray:
        if counters.env_steps >= self.steps:
            return self.inner.probabilities(values, obs, counters)
        legal = legal_actions(obs)
        allowed = np.ones(values.shape) if legal is None else legal.astype(np.float64)
        return allowed / allowed.sum(axis=1, keepdims=True)

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        return {**self.inner.metrics(counters), "warm_up": float(counters.env_steps < self.steps)}

    def state_dict(self) -> State:
        state: dict[str, Any] = {"own": self.generator.bit_generator.state}
        if isinstance(self.inner, Stateful):
            state["inner"] = self.inner.state_dict()
        return state

    def load_state_dict(self, state: State) -> None:
        self.generator.bit_generator.state = state["own"]
        if isinstance(self.inner, Stateful):
            self.inner.load_state_dict(state["inner"])


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [WarmUpOptions]


@hookimpl(wrapper=True)
def make_exploration(config: Config, seeds: Seeds) -> Generator[None, Exploration, Exploration]:
    inner = yield
    return WarmUp(inner, config[WarmUpOptions].steps, seeds.generator("warm_up"))
