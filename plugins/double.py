"""Double Q-learning (van Hasselt et al. 2016, eq. 4): the online network selects the next action, the target
network evaluates it."""

from __future__ import annotations

from collections.abc import Sequence

from framework.conformance.check import Check
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import Bootstrap
from plugins.dqn.maths import greedy


@hookimpl
def dqn_bootstrap() -> Bootstrap:
    return lambda target, online: greedy(online().values)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance.bootstrap import selects_with_the_online_network

    return [selects_with_the_online_network]
