"""A small random Markov decision process, the same for the same seed; any step may end it."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from envs.model import DiscreteEnv, ModelEnv, Outcome, Transitions, time_limited
from framework.config import Config, Field, Section
from framework.hooks import hookimpl


class RandomMDPOptions(Section, name="random_mdp"):
    """Which process."""

    seed: int = Field(0, ge=0, description="of the process itself")
    states: int = Field(4, ge=1, description="number of states")
    actions: int = Field(2, ge=1, description="number of actions")
    max_steps: int = Field(7, ge=0, description="steps after which an episode is truncated; 0: no limit")


def random_transitions(options: RandomMDPOptions) -> Transitions:
    rng = np.random.default_rng(options.seed)

    def outcomes() -> list[Outcome]:
        probabilities = rng.dirichlet(np.ones(rng.integers(1, 4)))
        return [
            Outcome(float(p), int(rng.integers(options.states)), float(rng.normal()), bool(rng.random() < 0.15))
            for p in probabilities
        ]

    return [[outcomes() for _ in range(options.actions)] for _ in range(options.states)]


def make(options: RandomMDPOptions) -> DiscreteEnv:
    model = partial(ModelEnv, random_transitions(options), 0, ["." * options.states], None)
    return time_limited(model, options.max_steps)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [RandomMDPOptions]


@hookimpl
def make_env(config: Config) -> Callable[[], DiscreteEnv]:
    return partial(make, config[RandomMDPOptions])
