"""Double Q-learning (van Hasselt et al. 2016, eq. 4): the online network selects, the target network evaluates."""

from __future__ import annotations

from framework.hookspecs import hookimpl
from plugins.dqn.hookspecs import Bootstrap
from plugins.dqn.maths import greedy


@hookimpl
def dqn_bootstrap() -> Bootstrap:
    return lambda target, online: greedy(online().values)
