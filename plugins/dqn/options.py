"""The options of `dqn`."""

from __future__ import annotations

from typing import Annotated, Literal

from framework.config import Field, Section
from plugins.dqn.precision import Precision


class DQNOptions(Section, name="dqn"):
    """The network, its loss and its optimiser."""

    hidden: int = Field(256, ge=0, description="units of the hidden layer before the action values; 0: no hidden layer")
    mlp: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (64,), description="units of each layer of the torso for flat observations"
    )
    loss: Literal["squared", "huber"] = Field(
        "huber",
        description="of the temporal-difference error δ; squared: δ²; huber: δ²/2 up to |δ| = 1, |δ| − ½ beyond",
    )
    learning_rate: float = Field(1e-3, gt=0, description="learning rate of Adam")
    adam_epsilon: float = Field(1e-8, gt=0, description="ε of Adam, which is added to the denominator of its steps")
    max_grad_norm: float = Field(
        10.0, ge=0, description="gradients with a larger norm are scaled down to this norm; 0: no limit"
    )
    precision: Precision = Field(
        "auto",
        description="dtype in which layers compute; auto: bfloat16 for images of 18 pixels a side or more on CPUs with "
        "bfloat16 units, else float32",
    )
    threads: int = Field(
        1,
        ge=1,
        le=1024,
        description="threads of torch; 1 leaves the other cores to the environments, more speed up large networks",
    )
