"""Acts for one environment after the other: each is asked for its values and given its action by itself."""

from __future__ import annotations

import numpy as np

from framework.environments.stream import TransitionStream
from framework.hooks import hookimpl
from framework.types import Collector, Counters, Exploration, Policy, Step

CHECK_WITH = "dqn,chain"


class OneByOne:
    def __init__(self, stream: TransitionStream, policy: Policy, exploration: Exploration) -> None:
        self.stream, self.policy, self.exploration = stream, policy, exploration

    def begin(self, counters: Counters) -> None:
        chosen = []
        for seen in self.stream.observations:
            alone = np.array([seen])
            values = self.policy.action_values(alone, explore=True)
            chosen.append(int(self.exploration.choose(values, alone, counters)[0]))
        self.stream.begin(np.array(chosen, np.int64))

    def finish(self) -> Step:
        return self.stream.finish()


@hookimpl
def make_collector(stream: TransitionStream, policy: Policy, exploration: Exploration) -> Collector:
    return OneByOne(stream, policy, exploration)
