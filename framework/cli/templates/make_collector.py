"""Acts in this process, and counts how often the agent takes a greedy action: one with the largest value."""

from __future__ import annotations

import numpy as np

from framework.environments.stream import TransitionStream
from framework.hooks import hookimpl
from framework.spaces import only_legal
from framework.types import Collector, Counters, Exploration, Policy, Step


class MyVariantCollector:
    """`begin` chooses actions and starts the environments; `finish` waits for their step. Updates run in between."""

    def __init__(self, stream: TransitionStream, policy: Policy, exploration: Exploration) -> None:
        self._stream, self._policy, self._exploration = stream, policy, exploration
        self.actions = 0
        self.greedy = 0

    def begin(self, counters: Counters) -> None:
        obs = self._stream.observations
        values = only_legal(self._policy.action_values(obs, explore=True), obs)
        actions = self._exploration.choose(values, obs, counters)
        self.actions += len(actions)
        self.greedy += int((values[np.arange(len(actions)), actions] == values.max(axis=1)).sum())
        self._stream.begin(actions)

    def finish(self) -> Step:
        return self._stream.finish()


@hookimpl
def make_collector(stream: TransitionStream, policy: Policy, exploration: Exploration) -> Collector:
    return MyVariantCollector(stream, policy, exploration)
