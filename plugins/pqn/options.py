"""The options of `pqn`."""

from __future__ import annotations

from framework.config import Field, Section


class PQNOptions(
    Section,
    name="pqn",
    searched={"rollout": "choice(8, 16, 32)", "lam": "uniform(0.4, 0.95)", "epochs": "int(1, 4)"},
):
    """How much the agent collects before it learns, and how it learns."""

    rollout: int = Field(8, ge=1, description="steps of each environment between two rounds of learning")
    lam: float = Field(0.65, ge=0, le=1, description="λ: 0 is the one-step target, 1 the return of the whole rollout")
    epochs: int = Field(4, ge=1, description="how often each transition of a rollout is learnt")
    minibatches: int = Field(4, ge=1, description="batches in an epoch; their size follows from this number")
    overlap: bool = Field(
        False,
        description="learn the last rollout while the next one is collected; false: collect nothing while learning",
    )
