"""The loss of DQN: the head's loss between Q(s, a) and the bootstrapped target."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from framework.spaces import legal_actions
from framework.types import Batch, Counters, TDErrors
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.hookspecs import Bonus, Bootstrap
from plugins.dqn.masks import restricted


class DQNLoss:
    """The loss between Q(s, a) and r + bonus + discount · Σ_a' π(a') Q_target(s', a'). Only Q(s, a) has a gradient.

    π comes from the bootstrap. The head computes the loss; a distributional head compares return distributions.
    """

    def __init__(self, policy: DQNPolicy, bootstrap: Bootstrap, bonus: Bonus) -> None:
        self._policy, self._bootstrap, self._bonus = policy, bootstrap, bonus

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        policy = self._policy
        policy.set_training(True)
        obs, next_obs = policy.tensors(batch.obs), policy.tensors(batch.next_obs)
        action, reward, discount = (policy.tensor(array) for array in (batch.action, batch.reward, batch.discount))
        legal, next_legal = (self._legal(array) for array in (batch.obs, batch.next_obs))
        with torch.no_grad():
            target = policy.target(next_obs)
            allowed = restricted(target, next_legal)
            distribution = self._bootstrap(allowed, lambda: restricted(policy.online(next_obs), next_legal))
            bonus = self._bonus(lambda: restricted(policy.target(obs), legal), action, allowed, discount)
            reward = reward + bonus
        loss, priority = policy.online.head.loss(policy.online(obs), action, target, distribution, reward, discount)
        return TDErrors(
            loss=loss.detach().cpu().numpy(), priority=priority.cpu().numpy().astype(np.float64), update=loss
        )

    def _legal(self, obs: Shaped[np.ndarray, "B *obs"]) -> Bool[Tensor, "B A"] | None:
        legal = legal_actions(obs)
        return None if legal is None else self._policy.tensor(legal.copy())
