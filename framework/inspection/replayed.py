"""What the replay in a run's checkpoint holds: which observations, how often, and how wrong the agent is about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from framework.assembly.parts import Agent
from framework.checkpoints.folder import FOLDER, CheckpointFolder
from framework.errors import UnsupportedSpace
from framework.options import RunOptions
from framework.spaces import States, only_legal
from framework.training.contents import restored_buffer
from framework.types import Batch, Browsable

CHUNK = 256
"""Transitions that are read at once: stacks of frames take memory."""


@dataclass(frozen=True)
class Visit:
    """An observation and how often it is in the replay."""

    obs: Shaped[np.ndarray, "1 *obs"]
    count: int


@dataclass(frozen=True)
class Mistake:
    """A transition with the temporal-difference error under the weights that play evaluations."""

    id: int
    obs: Shaped[np.ndarray, "1 *obs"]
    action: int
    reward: float
    """The discounted sum of the rewards of the transition's n steps."""
    discount: float
    next_obs: Shaped[np.ndarray, "1 *obs"]
    predicted: float
    """Q(s, a)."""
    target: float
    """reward + discount · max_a' Q(s', a')."""

    @property
    def error(self) -> float:
        """The temporal-difference error: target − predicted."""
        return self.target - self.predicted


@dataclass(frozen=True)
class Contents:
    """What was found among `read` of the `held` transitions of a replay."""

    held: int
    read: int
    env_steps: int
    """Environment steps of the run when its checkpoint was written."""
    counts: Int64[np.ndarray, " S"] | None
    """For each state of a finite environment, how many of the transitions begin there."""
    visits: tuple[Visit, ...]
    """The most frequent observations, the most frequent first."""
    mistakes: tuple[Mistake, ...]
    """Different transitions with the largest temporal-difference errors but 0, the largest first."""


def contents_of(agent: Agent, run: Path, most: int, shown: int) -> tuple[Contents | None, list[str]]:
    """Look at the newest `most` transitions of the replay in a run's last intact checkpoint.

    The second result says what the user should know: why there is nothing to look at, or what is damaged.

    Args:
        shown: how many observations and transitions are returned.

    Raises:
        UsageError: if no checkpoint is intact, or its state does not fit the agent.
    """
    if not (run / FOLDER).is_dir():
        return None, ["replay: the run has no checkpoints, which hold it"]
    checkpoint, problems = CheckpointFolder(run).read()
    spaces = replace(agent.spaces, num_envs=agent.config[RunOptions].num_envs)
    buffer = restored_buffer(agent.builder.buffer(spaces, policy=agent.policy), checkpoint)
    if not isinstance(buffer, Browsable):
        owner = agent.filled["make_buffer"]
        return None, [*problems, f"replay: the buffer of '{owner}' keeps no transitions that can be read later"]
    ids = buffer.ids()
    if not len(ids):
        return None, [*problems, "replay: it holds no transitions"]
    newest = np.sort(ids)[-most:]
    visits, counts = _visits(agent, buffer, newest, shown)
    mistakes = _mistakes(agent, buffer, newest, shown)
    return Contents(len(ids), len(newest), checkpoint.env_steps, counts, visits, mistakes), problems


def td_errors(agent: Agent, batch: Batch) -> tuple[Float64[np.ndarray, " B"], Float64[np.ndarray, " B"]]:
    """(Q(s, a), reward + discount · max_a' Q(s', a')) of each transition, by the weights that play evaluations.

    It is the error of Q-learning, whatever the loss of the agent is. Where the discount is 0, the target is the reward.
    """
    rows = np.arange(len(batch))
    predicted = agent.policy.action_values(batch.obs, explore=False)[rows, batch.action].astype(np.float64)
    following = agent.policy.action_values(batch.next_obs, explore=False)
    best = only_legal(following, batch.next_obs).max(axis=1).astype(np.float64)
    return predicted, batch.reward + np.where(batch.discount == 0, 0.0, batch.discount * best)


def _chunks(buffer: Browsable, ids: Int64[np.ndarray, " K"]) -> Iterator[Batch]:
    for start in range(0, len(ids), CHUNK):
        yield buffer.read(ids[start : start + CHUNK])


def _visits(
    agent: Agent, buffer: Browsable, ids: Int64[np.ndarray, " K"], shown: int
) -> tuple[tuple[Visit, ...], Int64[np.ndarray, " S"] | None]:
    counted: dict[bytes, list[int]] = {}
    for batch in _chunks(buffer, ids):
        for row, id_ in enumerate(batch.ids.tolist()):
            digest = blake2b(np.ascontiguousarray(batch.obs[row]).tobytes(), digest_size=16).digest()
            counted.setdefault(digest, [id_, 0])[1] += 1
    most = sorted(counted.values(), key=lambda one: -one[1])
    visits = tuple(Visit(buffer.read(np.array([id_])).obs, count) for id_, count in most[:shown])
    try:
        states = States(agent.spaces.observation)
    except UnsupportedSpace:
        return visits, None
    if states.count > len(ids) * 100:
        return visits, None  # nearly all would be 0
    counts = np.zeros(states.count, np.int64)
    for batch in _chunks(buffer, ids):
        np.add.at(counts, states(batch.obs), 1)
    return visits, counts


def _mistakes(agent: Agent, buffer: Browsable, ids: Int64[np.ndarray, " K"], shown: int) -> tuple[Mistake, ...]:
    pairs = [td_errors(agent, batch) for batch in _chunks(buffer, ids)]
    predicted, target = (np.concatenate(column) for column in zip(*pairs, strict=True))
    found: dict[tuple[object, ...], Mistake] = {}
    for place in np.argsort(-np.abs(target - predicted), kind="stable").tolist():
        if len(found) == shown or predicted[place] == target[place]:
            break
        one = buffer.read(ids[place : place + 1])
        action, reward, discount = int(one.action[0]), float(one.reward[0]), float(one.discount[0])
        followed = one.next_obs.tobytes() if discount else b""
        same = (one.obs.tobytes(), action, reward, discount, followed)
        found.setdefault(
            same,
            Mistake(
                int(one.ids[0]),
                one.obs,
                action,
                reward,
                discount,
                one.next_obs,
                float(predicted[place]),
                float(target[place]),
            ),
        )
    return tuple(found.values())
