"""What runs in an actor: environments, a policy on the CPU and an exploration. It collects steps when it is asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import ray

from framework.assembly.recipe import Recipe
from framework.defaults.collector import InProcess
from framework.environments.processes import own_random_state
from framework.environments.stream import TransitionStream
from framework.replay.lanes import FrameReplay
from framework.replay.samplers import InOrderSampler
from framework.training.initial import with_weights
from framework.types import Averaged, Counters, Loss, Policy, Spaces, State, Step
from plugins.ray_collect.fragments import Fragment, pack
from plugins.ray_collect.ladder import Ladder
from plugins.remote import Failure, answered, builder_of, prepare_actor

BATCH = 64
"""Transitions whose priorities are computed at once."""


@dataclass(frozen=True)
class Weights:
    """The learner's policy, as it was after `counters`."""

    counters: State
    policy: State


@dataclass(frozen=True)
class Collected:
    """A fragment, and where it comes from."""

    fragment: Fragment
    updates: int
    """The updates that the weights had seen with which its first action was chosen."""
    process: int
    """The number of the actor's process."""


def learner_of(policy: Policy) -> Policy:
    """The policy that learns, without an average of its weights."""
    return policy.learner if isinstance(policy, Averaged) else policy


class CollectingActor:
    """Some of the run's environments, with a policy that acts in them."""

    def __init__(self, recipe: Recipe, actor: int, actors: int, num_envs: int, prioritised: bool) -> None:
        """
        Args:
            recipe: with `ray_collect.actors` = 0, and the seed of the run.
            actor: its number, from 0.
            actors: how many there are in the run.
            num_envs: how many environments it has.
            prioritised: whether it computes the priorities of new transitions.
        """
        self._recipe, self._actor, self._actors = recipe, actor, actors
        self._num_envs, self._prioritised = num_envs, prioritised
        self._epoch = self._version = -1
        self._stream: TransitionStream | None = None
        self._ready: list[Step] = []
        self._before = 0
        """The updates that the weights of the request before had seen."""

    def collect(self, epoch: int, seed: int, length: int, version: int, weights: Sequence[Any]) -> Collected | Failure:
        """Make steps of all environments, and return those whose priorities are known: the newest may have to wait.

        Args:
            epoch: with another number than before, the episodes under way are abandoned, and new ones begin.
            seed: of every random generator from there on.
            length: the number of steps.
            version: of the weights.
            weights: Ray's reference to the `Weights`, in a list, so that it is read only if the version is a new one.
        """
        return answered(lambda: self._collect(epoch, seed, length, version, weights[0]))

    def _collect(self, epoch: int, seed: int, length: int, version: int, weights: Any) -> Collected:
        if epoch != self._epoch:
            self._begin(seed)
            self._epoch = epoch
        if version != self._version:
            given: Weights = ray.get(weights)
            self._policy.load_state_dict(with_weights(self._policy.state_dict(), given.policy))
            self._counters.load_state_dict(given.counters)
            self._version = version
        assert self._stream is not None
        collector = InProcess(self._stream, self._policy, self._exploration)
        # a step of the request before may have waited for its priority
        updates = self._counters.updates if self._priorities is None else self._before
        self._before = self._counters.updates
        for _ in range(length):
            collector.begin(self._counters)
            step = collector.finish()
            self._ready.append(step) if self._priorities is None else self._priorities.add(step)
        if self._priorities is not None:
            self._ready += self._priorities.take()
        # not more than were asked for: steps that had waited go with the next fragment
        steps, self._ready = self._ready[:length], self._ready[length:]
        return Collected(pack(steps), updates, os.getpid())

    def _begin(self, seed: int) -> None:
        """Build everything anew, with random generators that no other actor has."""
        if self._stream is None:
            prepare_actor(seed)
        else:
            self._stream.close()
            own_random_state(seed)
        builder = builder_of(self._recipe.changed({"run.seed": seed}))
        self._stream = stream = builder.stream("train", self._num_envs, "train")
        self._policy = learner_of(builder.policy(stream.spaces))
        self._exploration = builder.exploration(stream.spaces)
        if isinstance(self._exploration, Ladder):
            self._exploration.take_place(self._actor, self._actors)
        self._counters, self._version, self._before = Counters(), -1, 0
        self._ready = []
        self._priorities: Priorities | None = None
        if self._prioritised:
            returns = builder.returns()
            replay = FrameReplay(stream.spaces, capacity(stream.spaces, returns.horizon), InOrderSampler(), returns)
            loss = builder.loss(self._policy, self._exploration)
            self._priorities = Priorities(replay, loss, stream.spaces, self._counters)


def capacity(spaces: Spaces, horizon: int) -> int:
    """Frames of a small replay that holds every transition until its priority is known."""
    return spaces.num_envs * (spaces.frame_stack + 4 * horizon + 2 * BATCH)


class Priorities:
    """Computes the priorities of new transitions with the run's own loss and returns, as the learner would.

    A step waits until the windows of all its rows are complete.
    """

    def __init__(self, replay: FrameReplay, loss: Loss, spaces: Spaces, counters: Counters) -> None:
        self._replay, self._loss, self._lanes = replay, loss, spaces.num_envs
        self._counters = counters
        self._head = np.full(spaces.num_envs, -1, np.int64)
        self._waiting: list[tuple[Step, list[int]]] = []
        self._known: dict[int, float] = {}
        self._since = 0

    def add(self, step: Step) -> None:
        """Add a step."""
        self._replay.add(step)
        # as `framework.replay.lanes` numbers them: an episode has one frame more than transitions
        self._head[step.env_id[step.first]] += 1
        self._waiting.append((step, (self._head[step.env_id] * self._lanes + step.env_id).tolist()))
        self._head[step.env_id] += 1
        self._since += 1
        if self._since >= BATCH // 2:
            self._compute()

    def take(self) -> list[Step]:
        """The oldest steps, as far as all priorities are known, with them."""
        self._compute()
        ready = []
        while self._waiting and all(number in self._known for number in self._waiting[0][1]):
            step, numbers = self._waiting.pop(0)
            ready.append(replace(step, priority=np.array([self._known.pop(number) for number in numbers])))
        return ready

    def _compute(self) -> None:
        self._since = 0
        while len(self._replay):
            batch = self._replay.sample(BATCH, self._counters)
            priority = self._loss(batch, self._counters).priority
            self._known.update(zip(batch.ids.tolist(), np.asarray(priority, np.float64).tolist(), strict=True))
