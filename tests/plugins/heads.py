"""What the tests of the distributional heads of `dqn` share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from framework.assembly.assemble import assemble
from framework.training.loop import Loop
from plugins.dqn.maths import greedy

TWO_REWARDS = """
import gymnasium
import numpy as np
from framework.hookspecs import hookimpl

class Arm(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0.0, 1.0, (8,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(8, np.float32), {}

    def step(self, action):
        return np.ones(8, np.float32), float(self.np_random.choice([-1.0, 1.0])), True, False, {}

@hookimpl
def make_env():
    return Arm
"""
"""An environment of one step, whose reward is +1 or −1 with equal chances."""


def identity(x: torch.Tensor) -> torch.Tensor:
    """Stands in for the layers before a head."""
    return x


def check_the_successor_of_a_terminal_state_has_no_effect(head: nn.Module) -> None:
    """Where the discount is 0, outputs of NaN for the next state leave the loss as it is."""
    rows, actions = 7, 3
    head = head.double()
    online = head(torch.randn(rows, actions, 5), identity)
    clean = head(torch.randn(rows, actions, 5), identity)
    spoilt = head(torch.full((rows, actions, 5), torch.nan), identity)
    action, reward, discount = torch.arange(rows) % actions, torch.randn(rows), torch.zeros(rows)
    policy = greedy(torch.randn(rows, actions))
    expected, _ = head.loss(online, action, clean, policy, reward, discount)
    found, _ = head.loss(online, action, spoilt, policy * torch.nan, reward, discount)
    assert torch.allclose(found, expected)


def check_it_composes_with_the_rest(head: str) -> None:
    names = f"dqn,{head},double,dueling,nstep,per,polyak,chain,framework.testing"
    parts = assemble(names, {"run.steps": 220, "learning.starts": 40})
    Loop(parts).run()
    assert parts.counters.updates > 20
    state = parts.policy.state_dict()
    parts.policy.load_state_dict(state)
    assert np.isfinite(parts.policy.action_values(np.arange(5), False)).all()


def learn_two_rewards(head: str, options: dict[str, float], folder: Path) -> tuple[Any, Any]:
    """Train on a reward of +1 or −1. Returns the network and its output, whose mean must be near 0."""
    arm = folder / "arm.py"
    arm.write_text(TWO_REWARDS)
    values = {
        "run.steps": 3_000,
        "dqn.hidden": 0,
        "dqn.mlp": (),
        "dqn.learning_rate": 0.01,
        "exploration.final": 1.0,
        **options,
    }
    parts = assemble(["dqn", head, str(arm)], values)
    Loop(parts).run()
    with torch.no_grad():
        output = parts.policy.online.eval()(torch.ones(1, 8))
    assert output.values.abs().max() < 0.25
    return parts.policy.online, output


def check_quantiles_of_two_rewards(output: Any) -> None:
    """The lower quantiles are near −1, the upper ones near +1."""
    levels, quantiles = output.levels[0], output.quantiles[0, 0]
    for value, where in ((-1.0, (levels > 0.1) & (levels < 0.35)), (1.0, (levels > 0.65) & (levels < 0.9))):
        assert (quantiles[where] - value).abs().max() < 0.2
