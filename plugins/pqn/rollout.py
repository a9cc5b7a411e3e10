"""The transitions between two rounds of learning, their minibatches, and the time at which a round is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped

from framework.replay.lanes import FrameReplay
from framework.replay.returns import NStepReturns
from framework.replay.samplers import InOrderSampler
from framework.spaces import only_legal
from framework.types import Batch, Counters, Spaces, State, Step
from plugins.pqn.options import PQNOptions
from plugins.pqn.returns import lambda_returns

Values: TypeAlias = Callable[[Shaped[np.ndarray, "N *obs"]], Float[np.ndarray, "N A"]]
"""Observations → the action values to bootstrap from."""


@dataclass(frozen=True)
class RolloutCadence:
    """A round of `updates` updates after every `steps` environment steps, counted over all environments."""

    batch_size: int
    steps: int
    updates: int
    overlap: bool = False

    def due(self, counters: Counters) -> int:
        return counters.env_steps // self.steps * self.updates


class Rollout:
    """The transitions since the last round of learning, and their minibatches.

    A batch's `reward` is the λ-return and its `discount` 0: there is nothing left to bootstrap.
    """

    def __init__(
        self, spaces: Spaces, values: Values, options: PQNOptions, gamma: float, generator: np.random.Generator
    ) -> None:
        self._values, self._options, self._generator = values, options, generator
        self._sampler = InOrderSampler()
        # an episode has one more frame than steps
        length = 2 * options.rollout + spaces.frame_stack + 4
        self._frames = FrameReplay(spaces, length * spaces.num_envs, self._sampler, NStepReturns(gamma))
        self._lanes: list[Int64[np.ndarray, " M"]] = []
        self._ended: list[Bool[np.ndarray, " M"]] = []
        self._batches: list[Batch] = []

    def add(self, step: Step) -> None:
        self._frames.add(step)
        self._lanes.append(step.env_id.copy())
        self._ended.append(step.ended.copy())

    def sample(self, n: int, counters: Counters) -> Batch:
        """Return the next minibatch. The first one of a rollout computes the λ-returns of all."""
        if not self._batches:
            self._batches = self._split(self._returns(counters))
        return self._batches.pop()

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        """Do nothing: every transition is learnt equally often."""

    def __len__(self) -> int:
        return max(len(self._sampler), sum(len(batch) for batch in self._batches))

    def _returns(self, counters: Counters) -> Batch:
        """Take out all collected transitions, in order, with their λ-returns."""
        batch = self._frames.sample(len(self._sampler), counters)
        lanes, ended = np.concatenate(self._lanes), np.concatenate(self._ended)
        self._lanes, self._ended = [], []
        next_obs, _ = batch.next_obs, batch.next_action  # read them now, before more steps are added
        pieces = np.array_split(np.arange(len(batch)), self._options.minibatches)
        next_value = np.concatenate([self._best(next_obs[piece]) for piece in pieces if len(piece)])
        batch.reward = lambda_returns(
            lanes, batch.reward, batch.discount, next_value.astype(np.float64), ended, self._options.lam
        )
        batch.discount = np.zeros(len(batch))
        return batch

    def _best(self, obs: Shaped[np.ndarray, "K *obs"]) -> Float[np.ndarray, " K"]:
        return only_legal(self._values(obs), obs).max(axis=1)

    def _split(self, batch: Batch) -> list[Batch]:
        orders = [self._generator.permutation(len(batch)) for _ in range(self._options.epochs)]
        return [_rows(batch, rows) for order in orders for rows in np.array_split(order, self._options.minibatches)]

    def state_dict(self) -> State:
        """Return the transitions since the last round of learning. No state is saved during a round."""
        return {
            "frames": self._frames.state_dict(),
            "sampler": self._sampler.state_dict(),
            "lanes": np.concatenate([np.empty(0, np.int64), *self._lanes]),
            "ended": np.concatenate([np.empty(0, np.bool_), *self._ended]),
            "generator": self._generator.bit_generator.state,
        }

    def load_state_dict(self, state: State) -> None:
        self._frames.load_state_dict(state["frames"])
        self._sampler.load_state_dict(state["sampler"])
        self._lanes, self._ended = [state["lanes"]], [state["ended"]]
        self._batches = []
        self._generator.bit_generator.state = state["generator"]


def _rows(batch: Batch, rows: Int64[np.ndarray, " B"]) -> Batch:
    arrays = {name: getattr(batch, name)[rows] for name in ("ids", "obs", "action", "reward", "discount", "weights")}
    return replace(
        batch,
        **arrays,
        read_next_obs=lambda: batch.next_obs[rows],
        read_next_action=lambda: batch.next_action[rows],
    )
