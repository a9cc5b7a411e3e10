"""The default collector, which acts in this process; and a decorator of any collector, which looks at its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from framework.environments.stream import TransitionStream
from framework.spaces import only_legal
from framework.types import Collector, Counters, Described, Exploration, Measured, Policy, State, Stateful, Step


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


def observed(collector: Collector, observe: Callable[[Step], None]) -> Collector:
    """The same collector, whose steps `observe` sees before anybody else. It measures, describes and saves the same."""
    return (_StatefulObserved if isinstance(collector, Stateful) else _Observed)(collector, observe)


class _Observed:
    def __init__(self, collector: Collector, observe: Callable[[Step], None]) -> None:
        self._collector, self._observe = collector, observe

    def begin(self, counters: Counters) -> None:
        self._collector.begin(counters)

    def finish(self) -> Step:
        step = self._collector.finish()
        self._observe(step)
        return step

    def measures(self) -> Mapping[str, float]:
        return self._collector.measures() if isinstance(self._collector, Measured) else {}

    def manifest(self) -> Mapping[str, Any]:
        return self._collector.manifest() if isinstance(self._collector, Described) else {}


class _StatefulObserved(_Observed):
    """Only what has a state is saved in checkpoints."""

    def state_dict(self) -> State:
        return cast(Stateful, self._collector).state_dict()

    def load_state_dict(self, state: State) -> None:
        cast(Stateful, self._collector).load_state_dict(state)
