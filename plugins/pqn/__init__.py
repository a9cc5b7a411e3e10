"""The parallelised Q-network (PQN; Gallici et al. 2024, algorithm 1): many environments, no replay, no target network.

Every environment makes `rollout` steps. The targets are the λ-returns of these steps (eq. 8, Daley & Amato 2019),
G_t = r_t + γ · [(1 − λ) · max_a Q(s_{t+1}, a) + λ · G_{t+1}]. At the last step of a rollout or of a truncated episode,
G = r + γ · max_a Q(s', a). At the last step of a terminated episode, G = r. Several epochs of minibatches then fit
Q(s_t, a_t) to the targets with RAdam. Layer normalisation makes the target network unnecessary: `pqn,no:layer_norm`
shows what happens without it.

With `pqn.overlap`, the updates of a rollout are spread evenly over the steps of the next one. The environments step
while the network learns, which saves time where they have a core of their own. The agent acts with the newest weights.
The λ-returns are computed once, with the weights with which the round began.

Paper → here (Gallici et al. 2024, the authors' settings for Atari):

| option | paper | here | why |
| --- | --- | --- | --- |
| `run.num_envs` | 128 | 1 | as the environments need it |
| `pqn.rollout` | 32 | 8 | for fewer environments |
| `pqn.lam` | 0.65 | 0.65 | |
| `pqn.epochs` | 2 | 4 | the same |
| `pqn.minibatches` | 32 | 4 | the same |
| `pqn.overlap` | false | false | true saves time where environments are slow |
| `dqn.learning_rate` | 0.00025 (RAdam) | 0.001 | as the environments need it; RAdam, too |
| `dqn.max_grad_norm` | 10 | 10.0 | |
| `returns.gamma` | 0.99 | 0.99 | |
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from framework.config import Config, Section
from framework.conformance.check import Check, checks_in
from framework.defaults.pacing import NoSync
from framework.errors import UsageError
from framework.hooks import Bundle, hookimpl
from framework.options import ReturnsOptions, RunOptions
from framework.seeding import Seeds
from framework.types import (
    Averaged,
    Batch,
    Buffer,
    Cadence,
    Counters,
    Loss,
    Optimizer,
    Policy,
    Spaces,
    TargetSync,
    TDErrors,
)
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.gradient_step import GradientStep
from plugins.dqn.optimizers import RectifiedAdam, learning_rate
from plugins.dqn.options import DQNOptions
from plugins.pqn.options import PQNOptions
from plugins.pqn.returns import lambda_returns
from plugins.pqn.rollout import Rollout, RolloutCadence

__all__ = ["PQNOptions", "Rollout", "RolloutCadence", "lambda_returns"]


class Regression:
    """The head's loss between Q(s, a) and the λ-return, which is in `batch.reward`. It works with any head."""

    def __init__(self, policy: DQNPolicy) -> None:
        self._policy = policy

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        policy = self._policy
        policy.set_training(True)
        online = policy.online(policy.tensors(batch.obs))
        reward, discount = policy.tensor(batch.reward), policy.tensor(batch.discount)
        # the discount is 0, so the head ignores the target output that it gets here
        loss, priority = policy.online.head.loss(
            online, policy.tensor(batch.action), online, torch.zeros_like(online.values), reward, discount
        )
        return TDErrors(
            loss=loss.detach().cpu().numpy(), priority=priority.cpu().numpy().astype(np.float64), update=loss
        )


@hookimpl
def bundle(plugins: Sequence[str]) -> Bundle:
    values = {"run.num_envs": 16, "dqn.loss": "squared", "dqn.learning_rate": 5e-4}
    if "pong" in plugins:
        del values["run.num_envs"]  # it recommends a number with which its other values were measured
    return Bundle(("dqn", "layer_norm"), values)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [PQNOptions]


@hookimpl
def make_buffer(spaces: Spaces, policy: Policy, config: Config, seeds: Seeds) -> Buffer:
    learner = policy.learner if isinstance(policy, Averaged) else policy
    values = partial(learner.action_values, explore=False)
    return Rollout(spaces, values, config[PQNOptions], config[ReturnsOptions].gamma, seeds.generator("pqn"))


@hookimpl
def make_loss(policy: DQNPolicy) -> Loss:
    return Regression(policy)


@hookimpl
def make_optimizer(policy: DQNPolicy, config: Config, counters: Counters) -> Optimizer:
    options = config[DQNOptions]
    radam = RectifiedAdam(policy.trainable(), options.learning_rate, options.adam_epsilon)
    return GradientStep(policy, radam, options.max_grad_norm, learning_rate(options, config[RunOptions], counters))


@hookimpl
def make_target_sync() -> TargetSync:
    return NoSync()


@hookimpl
def make_cadence(config: Config) -> Cadence:
    options, num_envs = config[PQNOptions], config[RunOptions].num_envs
    steps = options.rollout * num_envs
    if options.minibatches > steps - num_envs + 1:
        raise UsageError(
            f"pqn.minibatches = {options.minibatches} is too large for rollouts of {options.rollout} steps in "
            f"{num_envs} environments: lower it, or raise pqn.rollout or run.num_envs"
        )
    updates = options.epochs * options.minibatches
    return RolloutCadence(steps // options.minibatches, steps, updates, options.overlap, num_envs)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.pqn import checks

    return checks_in(checks)
