"""The default collector: acts in this process."""

from __future__ import annotations

from framework.environments.stream import TransitionStream
from framework.spaces import only_legal
from framework.types import Counters, Exploration, Policy, Step


class InProcess:
    """Chooses the actions of all environments at once. Environments with `step_async` step while the learner works."""

    def __init__(self, stream: TransitionStream, policy: Policy, exploration: Exploration) -> None:
        self._stream, self._policy, self._exploration = stream, policy, exploration

    def begin(self, counters: Counters) -> None:
        obs = self._stream.observations
        values = only_legal(self._policy.action_values(obs, explore=True), obs)
        self._stream.begin(self._exploration.choose(values, obs, counters))

    def finish(self) -> Step:
        return self._stream.finish()
