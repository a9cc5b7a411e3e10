"""Fragments: whatever is lost on the way, the learner sees only what happened, once, with its successor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.replay.lanes import FrameReplay
from framework.replay.returns import NStepReturns
from framework.replay.samplers import InOrderSampler
from framework.types import Counters, Spaces, Step
from plugins.ray_collect.fragments import Unpacker, joined, most_bytes, pack

pytest.importorskip("ray")

ENVS = 3
FRAME = np.int64
Script = list[tuple[list[str], str]]
"""For each step: what each environment does, and what happens to the fragments after it."""

DOES = st.sampled_from(["goes on"] * 6 + ["terminates", "is truncated", "loses a life", "misses the step"])
HAPPENS = st.sampled_from(["nothing"] * 5 + ["sent"] * 3 + ["lost"])
SCRIPTS = st.lists(st.tuples(st.lists(DOES, min_size=ENVS, max_size=ENVS), HAPPENS), min_size=1, max_size=60)


@dataclass
class World:
    """Environments whose frames have numbers that are never used again: a frame's successor is its number plus one."""

    newest: list[int] = field(default_factory=lambda: [0] * ENVS)
    first: list[bool] = field(default_factory=lambda: [True] * ENVS)
    frames: Iterator[int] = field(default_factory=lambda: iter(range(1000, 10**9, 1000)))

    def restart(self) -> None:
        self.newest = [next(self.frames) for _ in range(ENVS)]
        self.first = [True] * ENVS

    def step(self, does: list[str]) -> Step:
        rows = [env for env in range(ENVS) if does[env] != "misses the step"]
        obs = np.array([self.newest[env] for env in rows], FRAME)
        kinds = [does[env] for env in rows]
        step = Step(
            env_id=np.array(rows, np.int64),
            first=np.array([self.first[env] for env in rows], np.bool_),
            obs=obs,
            action=obs % 5,
            reward=reward(obs),
            raw_reward=2 * reward(obs),
            terminated=np.array([kind in ("terminates", "loses a life") for kind in kinds], np.bool_),
            truncated=np.array([kind == "is truncated" for kind in kinds], np.bool_),
            next_obs=obs + 1,
            frames=4,
            info={"key": obs / 7} if rows and rows[0] == 0 else {},
            life_lost=np.array([kind == "loses a life" for kind in kinds]) if "loses a life" in kinds else None,
        )
        for env, kind in zip(rows, kinds, strict=True):
            self.newest[env] = next(self.frames) if kind in ("terminates", "is truncated") else self.newest[env] + 1
            self.first[env] = kind != "goes on"
        return step


def reward(frames: Any) -> Any:
    """The reward of the step that begins at a frame."""
    return np.sin(np.asarray(frames, np.float64))


def played(script: Script) -> tuple[list[Step], list[Step]]:
    """Play a script. Return the steps that reached the learner, as the actor made them, and rebuilt."""
    world, unpacker = World(), Unpacker(10, ENVS)
    world.restart()
    kept: list[Step] = []
    sent, rebuilt = [], []
    for does, happens in script:
        kept.append(world.step(does))
        if happens == "sent":
            fragment = pack(kept)
            assert len(fragment.frames) == sum(len(step) + int(step.first.sum()) for step in kept)
            sent += [step for step in kept if len(step)]
            rebuilt += list(unpacker.unpack(fragment))
            kept = []
        if happens == "lost":
            kept = []
            world.restart()
            unpacker.cut()
    return sent, rebuilt


@given(script=SCRIPTS)
def test_the_learner_gets_the_steps_of_the_actor(script: Script) -> None:
    sent, rebuilt = played(script)
    assert len(sent) == len(rebuilt)
    running: dict[int, bool] = {}
    for one, other in zip(sent, rebuilt, strict=True):
        np.testing.assert_array_equal(one.env_id + 10, other.env_id)
        for item in fields(Step):
            if item.name in ("env_id", "info", "life_lost", "lost", "priority", "frames"):
                continue
            np.testing.assert_array_equal(getattr(one, item.name), getattr(other, item.name))
            assert getattr(one, item.name).dtype == getattr(other, item.name).dtype
        assert other.frames == 4
        np.testing.assert_array_equal(one.over, other.over)
        if "key" in one.info:
            np.testing.assert_array_equal(one.info["key"], other.info["key"])
        for row, env in enumerate(one.env_id.tolist()):
            # an episode that begins while another one is under way replaces one that was lost; a new life does not
            lives_on = one.first[row] and running.get(env, 0) and one.obs[row] == running[env]
            lost = bool(one.first[row]) and bool(running.get(env, 0)) and not lives_on
            assert lost == bool(other.lost is not None and other.lost[row])
            running[env] = 0 if one.over[row] else int(one.next_obs[row])


@given(script=SCRIPTS, horizon=st.integers(1, 4))
def test_the_replay_has_each_transition_once_with_its_true_return(script: Script, horizon: int) -> None:
    """A transition is `horizon` frames long, or ends where its episode ends. What a loss cut off is never sampled."""
    sent, rebuilt = played(script)
    space = gymnasium.spaces.Discrete(10**9)
    spaces = Spaces(space, gymnasium.spaces.Discrete(5), space, 1, "repeat", ENVS)
    buffer = FrameReplay(spaces, 3 * 400, InOrderSampler(), NStepReturns(0.9, horizon))
    ends: dict[int, str] = {}
    for one in sent:
        for row, frame in enumerate(one.obs.tolist()):
            ends[frame] = "terminated" if one.terminated[row] else "truncated" if one.truncated[row] else ""
    expected = set()
    for frame in ends:
        length = next((k for k in range(1, horizon + 1) if ends.get(frame + k - 1, "gone") != ""), horizon)
        if ends.get(frame + length - 1, "gone") != "gone":
            expected.add((frame, length))
    seen = []
    for step in rebuilt:
        buffer.add(replace(step, env_id=step.env_id - 10))
        batch = buffer.sample(100, Counters())
        for row, frame in enumerate(batch.obs.tolist()):
            length = int(batch.next_obs[row]) - frame
            seen.append((frame, length))
            true = sum(0.9**k * reward(frame + k) for k in range(length))
            assert batch.reward[row] == pytest.approx(true, abs=1e-12)
            ended = ends[frame + length - 1] == "terminated"
            assert batch.discount[row] == pytest.approx(0.0 if ended else 0.9**length)
            assert batch.action[row] == frame % 5
    assert len(seen) == len(set(seen))
    assert set(seen) == expected
    for number in buffer.ids().tolist():  # what pictures read is among what happened, too
        batch = buffer.read(np.array([number]))
        frame = int(batch.obs[0])
        assert all(frame + k in ends for k in range(int(batch.next_obs[0]) - frame))
        assert batch.next_action[0] in (-1, int(batch.next_obs[0]) % 5)


def test_a_fragment_that_does_not_follow_is_refused() -> None:
    world, unpacker = World(), Unpacker(0, ENVS)
    world.restart()
    world.step(["goes on"] * ENVS)
    with pytest.raises(ValueError, match="goes on with an episode of environment 0 that was not begun"):
        list(unpacker.unpack(pack([world.step(["goes on"] * ENVS)])))


@given(script=SCRIPTS)
def test_the_bound_of_bytes_holds(script: Script) -> None:
    world = World()
    world.restart()
    steps = [world.step(does) for does, _ in script]
    fragment = pack([replace(step, priority=step.reward) for step in steps])
    arrays = [fragment.counts, fragment.frames, *fragment.columns.values()]
    assert sum(array.nbytes for array in arrays) <= most_bytes(len(steps), ENVS, np.dtype(FRAME).itemsize)


@given(script=SCRIPTS)
def test_steps_of_several_actors_are_one_step(script: Script) -> None:
    _, rebuilt = played(script)
    for step in rebuilt:
        other = replace(step, env_id=step.env_id + ENVS, lost=None, life_lost=None)
        both = joined([step, other])
        np.testing.assert_array_equal(both.env_id, [*step.env_id, *other.env_id])
        np.testing.assert_array_equal(both.obs, [*step.obs, *other.obs])
        assert int(both.over.sum()) == int(step.over.sum()) + int(other.over.sum())


class Recording:
    """A sampler that remembers its initial priorities."""

    def __init__(self) -> None:
        self.active: list[int] = []
        self.given: dict[int, float] = {}

    def allocate(self, capacity: int) -> None: ...

    def activate(self, ids: Any) -> None:
        self.active += ids.tolist()

    def retire(self, ids: Any) -> None: ...

    def sample(self, n: int, counters: Counters) -> Any:
        raise AssertionError

    def reprioritize(self, ids: Any, priorities: Any) -> None:
        assert set(ids.tolist()) <= set(self.active)
        self.given.update(zip(ids.tolist(), priorities.tolist(), strict=True))

    def __len__(self) -> int:
        return 0


@given(script=SCRIPTS, horizon=st.integers(1, 4))
def test_the_sampler_gets_the_priority_of_each_transition(script: Script, horizon: int) -> None:
    """Whether a step has priorities may change in the middle: then the sampler's own counts."""
    _, rebuilt = played(script)
    space = gymnasium.spaces.Discrete(10**9)
    sampler = Recording()
    spaces = Spaces(space, gymnasium.spaces.Discrete(5), space, 1, "repeat", ENVS)
    buffer = FrameReplay(spaces, 3 * 400, sampler, NStepReturns(0.9, horizon))
    without = set()
    for number, step in enumerate(rebuilt):
        own = number % 5 == 4
        without |= set(step.obs.tolist()) if own else set()
        buffer.add(replace(step, env_id=step.env_id - 10, priority=None if own else step.obs / 2.0))
    for number in sampler.active:
        frame = int(buffer.read(np.array([number])).obs[0])
        assert sampler.given.get(number) == (None if frame in without else frame / 2.0)
