"""The parallelised Q-network (PQN; Gallici et al. 2024, algorithm 1): many environments, no replay, no target network.

Every environment makes `rollout` steps; λ-returns of them are the targets (eq. 8, Daley & Amato 2019),
G_t = r_t + γ · [(1 − λ) · max_a Q(s_{t+1}, a) + λ · G_{t+1}], with G of the last step of a rollout or of a truncated
episode r + γ · max_a Q(s', a), and r alone where the episode terminated. Several epochs of minibatches then fit
Q(s_t, a_t) to them with RAdam. Layer normalisation stands in for the target network: `pqn,no:layer_norm` shows why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from framework.config import Config, Field, Section
from framework.errors import UsageError
from framework.hookspecs import Bundle, hookimpl
from framework.options import ReturnsOptions, RunOptions
from framework.pacing import NoSync
from framework.replay.lanes import FrameReplay
from framework.replay.returns import NStepReturns
from framework.replay.samplers import InOrderSampler
from framework.seeding import Seeds
from framework.types import (
    Batch,
    Buffer,
    Cadence,
    Counters,
    Errors,
    Loss,
    Optimizer,
    Policy,
    Spaces,
    State,
    Step,
    TargetSync,
)
from plugins.dqn.agent import DQNPolicy, GradientStep
from plugins.dqn.options import DQNOptions


class PQNOptions(Section, name="pqn"):
    """How much is collected, and how it is learnt."""

    rollout: int = Field(8, ge=1, description="steps of each environment between two rounds of learning")
    lam: float = Field(0.65, ge=0, le=1, description="λ: 0 is the one-step target, 1 the return of the whole rollout")
    epochs: int = Field(4, ge=1, description="times that each transition of a rollout is learnt")
    minibatches: int = Field(4, ge=1, description="batches that make an epoch; their size follows")


def lambda_returns(
    lane: Int64[np.ndarray, " K"],
    reward: Float64[np.ndarray, " K"],
    discount: Float64[np.ndarray, " K"],
    next_value: Float64[np.ndarray, " K"],
    ended: Bool[np.ndarray, " K"],
    lam: float,
) -> Float64[np.ndarray, " K"]:
    """G of each of K transitions, which stand in the order in which they were made.

    Args:
        lane: the environment of each.
        discount: γ, or 0 where the episode terminated.
        next_value: max_a Q at the true successor, whatever it is where the discount is 0.
        ended: the last of an episode, terminated or truncated: nothing after it belongs to it.
    """
    one_step = reward + np.where(discount == 0, 0.0, discount * next_value)
    returns = one_step.copy()
    following: dict[int, int] = {}
    for row in range(len(lane) - 1, -1, -1):
        after = following.get(int(lane[row]))
        if after is not None and not ended[row]:
            # r + γ[(1 − λ)V + λG] = (r + γV) + γλ(G − V)
            returns[row] += discount[row] * lam * (returns[after] - next_value[row])
        following[int(lane[row])] = row
    return returns


@dataclass(frozen=True)
class RolloutCadence:
    """A round of updates each time that every environment has made `rollout` steps, counted in all."""

    batch_size: int
    steps: int
    updates: int
    overlap: bool = False

    def due(self, counters: Counters) -> int:
        return counters.env_steps // self.steps * self.updates


class Rollout:
    """The transitions since the last round of learning, and the minibatches that they make.

    A batch's `reward` is the λ-return and its `discount` 0: there is nothing left to bootstrap.
    """

    def __init__(
        self, spaces: Spaces, policy: Policy, options: PQNOptions, gamma: float, generator: np.random.Generator
    ) -> None:
        self._policy, self._options, self._generator = policy, options, generator
        self._sampler = InOrderSampler()
        # an episode takes a frame more than it has steps
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
        """The next minibatch; a rollout's λ-returns are computed when its first one is asked for."""
        if not self._batches:
            self._batches = self._split(self._returns(counters))
        return self._batches.pop()

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        """Every transition is learnt equally often."""

    def __len__(self) -> int:
        return max(len(self._sampler), sum(len(batch) for batch in self._batches))

    def _returns(self, counters: Counters) -> Batch:
        """Take everything that was collected, in order, with its λ-returns."""
        batch = self._frames.sample(len(self._sampler), counters)
        lanes, ended = np.concatenate(self._lanes), np.concatenate(self._ended)
        self._lanes, self._ended = [], []
        next_obs, _ = batch.next_obs, batch.next_action  # read before more is added
        pieces = np.array_split(np.arange(len(batch)), self._options.minibatches)
        next_value = np.concatenate(
            [self._policy.action_values(next_obs[piece], explore=False).max(axis=1) for piece in pieces if len(piece)]
        )
        batch.reward = lambda_returns(
            lanes, batch.reward, batch.discount, next_value.astype(np.float64), ended, self._options.lam
        )
        batch.discount = np.zeros(len(batch))
        return batch

    def _split(self, batch: Batch) -> list[Batch]:
        orders = [self._generator.permutation(len(batch)) for _ in range(self._options.epochs)]
        return [_rows(batch, rows) for order in orders for rows in np.array_split(order, self._options.minibatches)]

    def state_dict(self) -> State:
        """What was collected since the last round of learning, which is never interrupted."""
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


class Regression:
    """ℓ between Q(s, a) and the return that stands in `batch.reward`; any head will do."""

    def __init__(self, policy: DQNPolicy) -> None:
        self._policy = policy

    def __call__(self, batch: Batch, counters: Counters) -> Errors:
        policy = self._policy
        policy.set_training(True)
        online = policy.online(policy.tensor(batch.obs))
        reward, discount = policy.tensor(batch.reward), policy.tensor(batch.discount)
        # with a discount of 0 nothing that is given as the target comes through
        loss, priority = policy.online.head.loss(
            online, policy.tensor(batch.action), online, torch.zeros_like(online.values), reward, discount
        )
        return Errors(loss=loss.detach().cpu().numpy(), priority=priority.cpu().numpy().astype(np.float64), update=loss)


@hookimpl
def bundle() -> Bundle:
    return Bundle(("dqn", "layer_norm"), {"run.num_envs": 16, "dqn.loss": "squared", "dqn.learning_rate": 5e-4})


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [PQNOptions]


@hookimpl
def make_buffer(spaces: Spaces, policy: Policy, config: Config, seeds: Seeds) -> Buffer:
    return Rollout(spaces, policy, config[PQNOptions], config[ReturnsOptions].gamma, seeds.generator("pqn"))


@hookimpl
def make_loss(policy: DQNPolicy) -> Loss:
    return Regression(policy)


@hookimpl
def make_optimizer(policy: DQNPolicy, config: Config) -> Optimizer:
    options = config[DQNOptions]
    radam = torch.optim.RAdam(policy.online.parameters(), options.learning_rate, eps=options.adam_epsilon)
    return GradientStep(policy, radam, options.max_grad_norm)


@hookimpl
def make_target_sync() -> TargetSync:
    return NoSync()


@hookimpl
def make_cadence(config: Config) -> Cadence:
    options, num_envs = config[PQNOptions], config[RunOptions].num_envs
    steps = options.rollout * num_envs
    if options.minibatches > steps - num_envs + 1:
        raise UsageError(
            f"pqn.minibatches = {options.minibatches} are too many for rollouts of {options.rollout} steps in "
            f"{num_envs} environments: lower it, or raise pqn.rollout or run.num_envs"
        )
    return RolloutCadence(steps // options.minibatches, steps, options.epochs * options.minibatches)
