"""The arithmetic of targets."""

from __future__ import annotations

import torch

from plugins.dqn.maths import bootstrapped


def test_the_successor_of_a_terminal_state_has_no_effect() -> None:
    reward, discount, value = torch.ones(2), torch.tensor([0.0, 0.5]), torch.tensor([torch.nan, 4.0])
    assert bootstrapped(reward, discount, value).tolist() == [1.0, 3.0]
