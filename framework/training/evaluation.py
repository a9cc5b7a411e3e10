"""Evaluation. It uses its own environments and random generator and does not change the state of training."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np

from framework.assembly.parts import Agent
from framework.defaults.exploration import EpsilonGreedy
from framework.environments.stream import TransitionStream
from framework.errors import UsageError
from framework.events import EvaluationResult
from framework.options import SUCCESS, EvaluationOptions, RecordOptions
from framework.training.episode_info import InfoMetrics, Metrics, by_metric
from framework.types import Counters, Step

ROUNDING = 1e-6
"""Sums of rewards may miss a bound by this much."""


def evaluate(
    agent: Agent,
    *,
    name: str = "evaluation",
    episodes: int | None = None,
    epsilon: float | None = None,
    after_step: Callable[[int], None] | None = None,
    first: int = 0,
    goal: float | None = None,
) -> EvaluationResult:
    """Play episodes ε-greedily and report raw returns.

    Every environment plays a fixed number of episodes. Otherwise short episodes, which finish first, would count too
    often. With `evaluation.groups`, the environments of one group step while the agent acts in another.

    Args:
        name: the seed of the episodes and of the random actions depends on it.
        episodes: how many in all; default: the option evaluation.episodes.
        epsilon: the probability of a random action; default: the option evaluation.epsilon.
        after_step: called after each step with the number of finished episodes. An exception that it raises ends the
            evaluation.
        first: after this many episodes, no more are played if none of them reaches the goal, or if the mean of all
            cannot reach it, whatever follows (`highest_return`). 0: all are.
        goal: the return that counts as reached; None: all episodes are played.

    Raises:
        UsageError: for fewer than one episode, an epsilon outside of [0, 1], or a return that is higher than the
            environment declares.
    """
    options = agent.config[EvaluationOptions]
    episodes = options.episodes if episodes is None else episodes
    epsilon = options.epsilon if epsilon is None else epsilon
    if episodes < 1 or not 0 <= epsilon <= 1:
        raise UsageError(f"an evaluation needs episodes ≥ 1 and 0 ≤ epsilon ≤ 1, not {episodes} and {epsilon:g}")
    began = time.monotonic()
    if goal is None or not 0 < first < episodes:
        first = episodes
    played, declared = _play(agent, name, first, epsilon, after_step)
    totals = [episode.total for episode in played]
    abandoned = goal is not None and first < episodes and _is_hopeless(totals, episodes, goal, declared.highest_return)
    if first < episodes and not abandoned:
        before = len(played)
        further = after_step and (lambda finished: after_step(before + finished))
        played += _play(agent, f"{name}/others", episodes - first, epsilon, further)[0]
    asked_for = first if abandoned else episodes
    info = by_metric([episode.info for episode in played])
    if SUCCESS not in agent.config[RecordOptions].info and all(number is None for number in info.get(SUCCESS, ())):
        info.pop(SUCCESS, None)  # nobody asked, and the environment has none
    returns = tuple(episode.total for episode in played)
    best = max((episode.total for episode in played if not episode.cut), default=-math.inf)
    if best > declared.highest_return + ROUNDING:
        raise UsageError(
            f"an episode returned {best:g}, and the environment declares {declared.highest_return:g} as its "
            "highest_return: correct its metadata"
        )
    reference = declared.reference_scores
    return EvaluationResult(
        returns=returns,
        lengths=tuple(episode.length for episode in played),
        distinct=len({episode.digest for episode in played}),
        epsilon=epsilon,
        seconds=time.monotonic() - began,
        unfinished=asked_for - len(played) + sum(episode.cut for episode in played),
        not_played=asked_for - len(played),
        abandoned=abandoned,
        info=info,
        human_normalised=reference.normalise(float(np.mean(returns))) if reference else None,
    )


def _is_hopeless(totals: Sequence[float], episodes: int, goal: float, highest: float) -> bool:
    """Whether no episode has reached the goal, or the mean of all cannot, even if all others return the highest."""
    best = sum(totals) + (episodes - len(totals)) * highest
    return all(total < goal for total in totals) or best / episodes < goal - ROUNDING


def _play(
    agent: Agent, name: str, episodes: int, epsilon: float, after_step: Callable[[int], None] | None
) -> tuple[list[_Episode], TransitionStream]:
    """The episodes, and a stream, which is closed, for what the environments declare."""
    options = agent.config[EvaluationOptions]
    num_envs = min(options.num_envs, episodes)
    quotas = [episodes // num_envs + (env_id < episodes % num_envs) for env_id in range(num_envs)]
    shares = [share.tolist() for share in np.array_split(quotas, min(options.groups, num_envs))]
    names = [name] if len(shares) == 1 else [f"{name}/{number}" for number in range(len(shares))]
    groups: list[_Group] = []
    with ExitStack() as opened:
        for share, own in zip(shares, names, strict=True):
            groups.append(_Group(agent, own, share, epsilon))
            opened.callback(groups[-1].close)
        for group in groups:
            group.begin()
        while any(group.playing for group in groups):
            for group in groups:
                if not group.playing:
                    continue
                group.finish()
                if group.playing:
                    group.begin()
                if after_step is not None:
                    after_step(sum(len(each.finished) for each in groups))
    return [episode for group in groups for episode in group.finished], groups[0].stream


class _Group:
    """Environments that step together. They play a fixed number of episodes each."""

    def __init__(self, agent: Agent, name: str, quotas: Sequence[int], epsilon: float) -> None:
        num_envs = len(quotas)
        self._agent = agent
        self._metrics = InfoMetrics([SUCCESS, *agent.config[RecordOptions].info], num_envs)
        self._games = [_Games(quota) for quota in quotas]
        self._exploration = EpsilonGreedy(lambda counters: epsilon, agent.seeds.generator(f"evaluation/{name}"))
        self._counters = Counters()
        self.stream = agent.open_stream("evaluate", num_envs, name)

    @property
    def playing(self) -> bool:
        """Whether an environment has not yet played all its episodes."""
        return any(game.playing for game in self._games)

    @property
    def finished(self) -> list[_Episode]:
        """The finished episodes, one environment after the other."""
        return [episode for game in self._games for episode in game.finished]

    def begin(self) -> None:
        """Choose the actions, and start a step."""
        obs = self.stream.observations
        values = self._agent.policy.action_values(obs, explore=False)
        self.stream.begin(self._exploration.choose(values, obs, self._counters))

    def finish(self) -> None:
        """Wait for the step, and count it."""
        step = self.stream.finish()
        self._counters.advance(step)
        self._metrics.add(step)
        for row, env_id in enumerate(step.env_id.tolist()):
            self._games[env_id].add(step, row, bool(self.stream.cut[env_id]), self._metrics)

    def close(self) -> None:
        """Close the environments."""
        self.stream.close()


class _Episode(NamedTuple):
    total: float
    length: int
    digest: bytes
    cut: bool
    info: Metrics


class _Games:
    """The episodes of one environment, at most `quota`."""

    def __init__(self, quota: int) -> None:
        self.finished: list[_Episode] = []
        self._quota = quota
        self._stuck = False
        self._begin()

    @property
    def playing(self) -> bool:
        return len(self.finished) < self._quota and not self._stuck

    def add(self, step: Step, row: int, cut: bool, metrics: InfoMetrics) -> None:
        """Add a transition. An episode that is cut off counts with its return so far.

        An environment that resets itself cannot begin another episode then, so it plays no more.
        """
        if not self.playing:
            return
        self._total += step.raw_reward[row]
        self._length += 1
        self._hash.update(step.action[row].tobytes() + step.raw_reward[row].tobytes())
        if step.over[row] or cut:
            info = metrics.end(step, row)
            self.finished.append(_Episode(float(self._total), self._length, self._hash.digest(), cut, info))
            self._stuck = not step.over[row]
            self._begin()

    def _begin(self) -> None:
        self._total, self._length = 0.0, 0
        self._hash = hashlib.blake2b(digest_size=8)
