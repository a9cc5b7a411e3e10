"""Double Q-learning (van Hasselt et al. 2016, eq. 4), in which actions that are equally good share the target."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from framework.hooks import hookimpl
from plugins.dqn.hookspecs import Bootstrap, Output

CHECK_WITH = "dqn,chain"


def double(target: Output, online: Callable[[], Output]) -> Tensor:
    values = online().values
    best = values.ge(values.amax(dim=1, keepdim=True)).to(values.dtype)
    return best / best.sum(dim=1, keepdim=True)


@hookimpl
def dqn_bootstrap() -> Bootstrap:
    return double
