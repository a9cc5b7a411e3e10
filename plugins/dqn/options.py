"""The options of `dqn`."""

from __future__ import annotations

from typing import Annotated, Literal

from framework.config import Field, Section
from plugins.dqn.precision import Precision


class DQNOptions(
    Section,
    name="dqn",
    searched={"learning_rate": "log(1e-4, 1e-2)", "learning.batch_size": "choice(32, 64, 128)"},
):
    """The network, its loss and its optimiser."""

    hidden: int = Field(256, ge=0, description="units of the hidden layer before the action values; 0: no hidden layer")
    mlp: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (64,), description="units of each layer of the torso for flat observations"
    )
    loss: Literal["squared", "huber"] = Field(
        "huber",
        description="of the temporal-difference error δ; squared: δ²; huber: δ²/2 up to |δ| = 1, |δ| − ½ beyond",
    )
    optimizer: Literal["adam", "adamw", "rmsprop"] = Field(
        "adam",
        description="Adam; AdamW, which also shrinks the weights; or the centred RMSprop of Mnih et al. 2015",
    )
    learning_rate: float = Field(1e-3, gt=0, description="learning rate of the optimiser at the start of the run")
    learning_rate_left: float = Field(
        1.0,
        ge=0,
        le=1,
        description="share of the learning rate that is left at the end of the run's planned steps, to which it falls "
        "linearly; 1, or a run without planned steps: constant",
    )
    adam_epsilon: float = Field(
        1e-8, gt=0, description="ε of Adam and AdamW, which is added to the denominator of their steps"
    )
    weight_decay: float = Field(
        0.01, ge=0, description="AdamW: each update shrinks the weights by the learning rate times this share"
    )
    rmsprop_decay: float = Field(
        0.95, gt=0, lt=1, description="RMSprop: share of the old averages of the gradient and its square that is kept"
    )
    rmsprop_epsilon: float = Field(
        0.01 / 32**2, gt=0, description="RMSprop: ε, which is added to the variance of the gradient under the root"
    )
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
