"""Action values without the actions that the environment does not allow, for the bootstrap and the bonus."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from plugins.dqn.hookspecs import Output


class Restricted:
    """An output whose action values are −∞ for actions that are not allowed. All else is the other output's.

    So an argmax never takes such an action, and a softmax gives it the probability 0. A head never sees this output: −∞
    would spoil a distribution.
    """

    def __init__(self, output: Output, legal: Bool[Tensor, "B A"]) -> None:
        self._output, self._legal = output, legal

    @property
    def values(self) -> Float[Tensor, "B A"]:
        return torch.where(self._legal, self._output.values, -torch.inf)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


def restricted(output: Output, legal: Bool[Tensor, "B A"] | None) -> Output:
    """Return the output without the actions that are not allowed; the output itself if there are no masks."""
    return output if legal is None else Restricted(output, legal)
