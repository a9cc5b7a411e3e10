"""Stands for a family with a rollout buffer of its own, which has no use for a sampler or one-step returns."""

from framework.hookspecs import hookimpl
from framework.types import Spaces
from plugins.dqn import (
    add_hookspecs,
    config_sections,
    dqn_bootstrap,
    dqn_head,
    dqn_linear,
    dqn_stream,
    dqn_torso,
    make_loss,
    make_optimizer,
    make_policy,
)


class Rollout:
    def add(self, step: object) -> None: ...

    def sample(self, n: int, counters: object) -> None: ...

    def reprioritize(self, ids: object, priorities: object) -> None: ...

    def __len__(self) -> int:
        return 0


@hookimpl
def make_buffer(spaces: Spaces) -> Rollout:
    return Rollout()


__all__ = [
    "add_hookspecs",
    "config_sections",
    "dqn_bootstrap",
    "dqn_head",
    "dqn_linear",
    "dqn_stream",
    "dqn_torso",
    "make_loss",
    "make_optimizer",
    "make_policy",
]
