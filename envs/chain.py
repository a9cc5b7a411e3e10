"""The five-state chain, and the plugin `chain` that offers it: a tiny problem with a known optimum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import model_validator

from envs.model import DiscreteEnv, ModelEnv, Outcome, Transitions, recommended, stay_ended, time_limited
from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Role

MOVES = {"left": (0, -1), "right": (0, 1)}
"""Actions as (rows, columns) on a board of one row."""


def check_rewards(length: int, rewards: Sequence[float] | None) -> tuple[float, ...]:
    """The reward on entering each state. None means −1 at the lower end, +2 at the upper end and 0 between.

    Raises:
        ValueError: if length is below 3, a reward is not finite, or the number of rewards is not `length`.
    """
    if length < 3:
        raise ValueError(f"length must be at least 3, two ends and a state between them, got {length}")
    if rewards is None:
        return (-1.0, *[0.0] * (length - 2), 2.0)
    if len(rewards) != length:
        raise ValueError(f"rewards must have one entry for each of the {length} states, got {len(rewards)}")
    if not all(math.isfinite(reward) for reward in rewards):
        raise ValueError(f"rewards must be finite, got {tuple(rewards)}")
    return tuple(float(reward) for reward in rewards)


def chain_transitions(rewards: Sequence[float]) -> Transitions:
    """The model of a chain with these rewards on entering its states. No action leaves one of the two ends."""
    last = len(rewards) - 1

    def enter(state: int) -> list[Outcome]:
        return [Outcome(1.0, state, rewards[state], state in (0, last))]

    inner = [[enter(state - 1), enter(state + 1)] for state in range(1, last)]
    return [stay_ended(0, 2), *inner, stay_ended(last, 2)]


class ChainEnv(ModelEnv):
    """
    ## Description
    States 0 … length − 1 in a row. The walk starts in the middle and ends at either end. By default the lower end
    gives a negative reward and the upper end a positive reward. With γ = 0.9 the default chain has
    Q*(·, 1) = 1.62, 1.8, 2 and Q*(·, 0) = −1, 1.458, 1.62 in states 1, 2, 3.

    ## Observation space
    `Discrete(length)`: the index of the state.

    ## Action space
    `Discrete(2)`: 0 moves to the state below in index, 1 to the one above.

    ## Rewards
    `rewards[s]` on entering state s; by default (−1, 0, 0, 0, +2). An episode does not enter its first state, so that
    state earns nothing until the walk returns to it.

    ## Start
    State `length // 2`: the middle, or the upper of the two middle states.

    ## End
    Entering state 0 or `length − 1` terminates. The class has no time limit, so a walk back and forth never ends. The
    id `framework/Chain-v0` and the plugin truncate after 200 steps.

    ## Arguments
    length: number of states, at least 3.
    rewards: one for each state; None means −1, then zeros, then +2.
    render_mode: "ansi", "rgb_array" or None.

    Raises:
        ValueError: for any other argument.
    """

    def __init__(self, length: int = 5, rewards: Sequence[float] | None = None, render_mode: str | None = None) -> None:
        entry = check_rewards(length, rewards)
        lower, upper = ("G" if reward > 0 else "P" if reward < 0 else "E" for reward in (entry[0], entry[-1]))
        tiles = [f"{lower}{'.' * (length - 2)}{upper}"]
        super().__init__(chain_transitions(entry), length // 2, tiles, render_mode, MOVES)


class ChainOptions(Section, name="chain"):
    """The chain's options."""

    length: int = Field(default=5, ge=3, le=1_000_000, description="number of states, the two ends included")
    rewards: tuple[float, ...] | None = Field(
        default=None,
        description="reward on entering each state; not set: -1 at the lower end, +2 at the upper, 0 between",
    )
    max_steps: int = Field(default=200, ge=0, description="steps after which an episode is truncated; 0: no limit")

    @model_validator(mode="after")
    def _one_reward_a_state(self) -> ChainOptions:
        check_rewards(self.length, self.rewards)
        return self


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [ChainOptions]


@hookimpl
def make_env(config: Config, role: Role) -> Callable[[], DiscreteEnv]:
    options = config[ChainOptions]
    make = partial(ChainEnv, options.length, options.rewards, "rgb_array" if role == "watch" else None)
    return partial(time_limited, make, options.max_steps)


@hookimpl
def recommended_values(names: Sequence[str]) -> Mapping[str, Any]:
    return recommended(names, episodes=100, final=0.0, horizon=100, env_steps=5000)
