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
    """A round of `updates` updates after every `steps` environment steps, counted over all environments.

    With `overlap`, the updates of a round are spread evenly over the next rollout. The loop then asks with the counters
    from before a vector step of `num_envs` environment steps, so the last updates of a round are made during the last
    vector step of the next rollout.
    """

    batch_size: int
    steps: int
    updates: int
    overlap: bool = False
    num_envs: int = 1

    def due(self, counters: Counters) -> int:
        if self.overlap:
            return max(0, counters.env_steps - self.steps + self.num_envs) * self.updates // self.steps
        return counters.env_steps // self.steps * self.updates


class Rollout:
    """The transitions since the last round of learning, and the minibatches of the round in progress.

    A round learns all transitions that were collected. With `pqn.overlap`, it learns the oldest whole rollout, and the
    transitions of the next rollout are collected meanwhile.

    A batch's `reward` is the λ-return and its `discount` 0: there is nothing left to bootstrap.
    """

    def __init__(
        self, spaces: Spaces, values: Values, options: PQNOptions, gamma: float, generator: np.random.Generator
    ) -> None:
        self._values, self._options, self._generator = values, options, generator
        self._sampler = InOrderSampler()
        # an episode has one more frame than steps; with overlap, a round may begin late, when it has one update, say
        length = (4 if options.overlap else 2) * options.rollout + spaces.frame_stack + 4
        self._frames = FrameReplay(spaces, length * spaces.num_envs, self._sampler, NStepReturns(gamma))
        self._lanes: list[Int64[np.ndarray, " M"]] = []
        self._ended: list[Bool[np.ndarray, " M"]] = []
        self._steps = options.rollout * spaces.num_envs
        self._collected = 0
        # the sizes of the rollouts that no round has learnt yet; the last one is being collected
        self._sizes = [0]
        self._round: Batch | None = None
        self._minibatches: list[Int64[np.ndarray, " B"]] = []

    def add(self, step: Step) -> None:
        self._frames.add(step)
        self._lanes.append(step.env_id.copy())
        self._ended.append(step.ended.copy())
        self._sizes[-1] += len(step)
        self._collected += len(step)
        # as the cadence counts: environments that reset themselves miss steps, so that rollouts may differ in size
        if self._options.overlap and self._collected >= self._steps:
            self._collected -= self._steps
            self._sizes.append(0)

    def sample(self, n: int, counters: Counters) -> Batch:
        """Return the next minibatch. The first one of a round computes the λ-returns of all."""
        if self._round is None:
            self._round = self._returns(counters)
            self._minibatches = self._split(len(self._round))
        batch = _rows(self._round, self._minibatches.pop())
        if not self._minibatches:
            self._round = None
        return batch

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        """Do nothing: every transition is learnt equally often."""

    def __len__(self) -> int:
        left = sum(len(rows) for rows in self._minibatches)
        if not self._options.overlap:
            return max(len(self._sampler), left)
        whole = self._sizes[0] if len(self._sizes) > 1 else 0
        return left or whole

    def _returns(self, counters: Counters) -> Batch:
        """Take out the transitions of the oldest rollout, in order, with their λ-returns."""
        size = self._sizes[0]
        self._sizes = self._sizes[1:] or [0]
        batch = self._frames.sample(size, counters)
        lanes, ended = np.concatenate(self._lanes), np.concatenate(self._ended)
        self._lanes, self._ended = [lanes[size:]], [ended[size:]]
        lanes, ended = lanes[:size], ended[:size]
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

    def _split(self, size: int) -> list[Int64[np.ndarray, " B"]]:
        """Return the rows of each minibatch of a round."""
        orders = [self._generator.permutation(size) for _ in range(self._options.epochs)]
        return [rows for order in orders for rows in np.array_split(order, self._options.minibatches)]

    def state_dict(self) -> State:
        """Return the transitions that no round has learnt yet, and what is left of the round in progress."""
        return {
            "frames": self._frames.state_dict(),
            "sampler": self._sampler.state_dict(),
            "lanes": np.concatenate([np.empty(0, np.int64), *self._lanes]),
            "ended": np.concatenate([np.empty(0, np.bool_), *self._ended]),
            "collected": self._collected,
            "sizes": np.array(self._sizes, np.int64),
            "round": {} if self._round is None else {name: getattr(self._round, name) for name in _LEARNT},
            "rows": np.concatenate([np.empty(0, np.int64), *self._minibatches]),
            "minibatches": np.array([len(rows) for rows in self._minibatches], np.int64),
            "generator": self._generator.bit_generator.state,
        }

    def load_state_dict(self, state: State) -> None:
        """Load what `state_dict` returned, also in the middle of a round."""
        self._frames.load_state_dict(state["frames"])
        self._sampler.load_state_dict(state["sampler"])
        self._lanes, self._ended = [state["lanes"]], [state["ended"]]
        self._collected, self._sizes = int(state["collected"]), state["sizes"].tolist()
        self._round = _restored(state["round"]) if state["round"] else None
        ends = state["minibatches"].cumsum()
        self._minibatches = [
            state["rows"][end - size : end] for end, size in zip(ends, state["minibatches"], strict=True)
        ]
        self._generator.bit_generator.state = state["generator"]


_LEARNT = ("ids", "obs", "action", "reward", "next_obs", "next_action")
"""What the state keeps of the transitions that are being learnt. Their discounts are 0 and their weights 1."""


def _restored(arrays: State) -> Batch:
    size = len(arrays["ids"])
    return Batch(
        **{name: arrays[name] for name in ("ids", "obs", "action", "reward")},
        discount=np.zeros(size),
        weights=np.ones(size),
        read_next_obs=lambda: arrays["next_obs"],
        read_next_action=lambda: arrays["next_action"],
    )


def _rows(batch: Batch, rows: Int64[np.ndarray, " B"]) -> Batch:
    arrays = {name: getattr(batch, name)[rows] for name in ("ids", "obs", "action", "reward", "discount", "weights")}
    return replace(
        batch,
        **arrays,
        read_next_obs=lambda: batch.next_obs[rows],
        read_next_action=lambda: batch.next_action[rows],
    )
