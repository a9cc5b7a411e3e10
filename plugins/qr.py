"""Quantile regression (Dabney et al. 2018, algorithm 1) learns the return of each action as N equally likely values.

Paper → here (Dabney et al. 2018a, section 5):

| option | paper | here | why |
| --- | --- | --- | --- |
| `qr.quantiles` | 200 | 200 | |
| `qr.kappa` | 1 | 1.0 | |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from framework.config import Config, Field, Section
from framework.conformance.check import Check, Purpose, checks_in
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import HeadConstructor
from plugins.dqn.quantiles import QuantileLoss, Quantiles


class QROptions(Section, name="qr", searched={"quantiles": "choice(51, 101, 200)"}):
    """The quantiles and their loss."""

    quantiles: int = Field(200, ge=1, description="quantiles for each action")
    kappa: float = Field(1.0, gt=0, description="κ of the Huber loss (eq. 9): larger errors count linearly")


class QuantileHead(QuantileLoss):
    """The stream's outputs are the quantiles. Their levels are the midpoints of N equal parts of [0, 1]."""

    def __init__(self, quantiles: int, kappa: float) -> None:
        super().__init__(kappa)
        self.width = quantiles
        self.levels: Tensor
        self.register_buffer("levels", (torch.arange(quantiles) + 0.5) / quantiles)

    def forward(self, features: Float[Tensor, "B F"], stream: Callable[[Tensor], Tensor]) -> Quantiles:
        return Quantiles(stream(features), self.levels[None])


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [QROptions]


@hookimpl
def dqn_head(config: Config) -> HeadConstructor:
    options = config[QROptions]
    return lambda features: QuantileHead(options.quantiles, options.kappa)


@hookimpl
def conformance_values(purpose: Purpose) -> Mapping[str, Any]:
    # fewer than the default: the work grows with the square of their number
    return {"qr.quantiles": 20 if purpose == "parts" else 51}


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance import options, quantiles

    return [*checks_in(quantiles), *checks_in(options)]
