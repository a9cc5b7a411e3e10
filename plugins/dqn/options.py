"""The options of `dqn`."""

from __future__ import annotations

from typing import Literal

from framework.config import Field, Section
from plugins.dqn.precision import Precision


class DQNOptions(Section, name="dqn"):
    """The network, its loss and its optimiser."""

    hidden: int = Field(256, ge=0, description="units of the hidden layer before the action values; 0 is none")
    mlp: tuple[int, ...] = Field((64,), description="units of each layer of the torso for flat observations")
    loss: Literal["squared", "huber"] = Field("huber", description="of the temporal-difference error")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    adam_epsilon: float = Field(1e-8, gt=0, description="added to Adam's denominator")
    max_grad_norm: float = Field(10.0, ge=0, description="gradients are scaled down to this norm; 0 is never")
    precision: Precision = Field(
        "auto",
        description="in which layers compute; auto: bfloat16 for images on processors that declare units for it",
    )
    threads: int = Field(
        1,
        ge=1,
        le=1024,
        description="threads of torch; one leaves a core to the emulators, more pay for large networks",
    )
