"""The replay against a plain Python history, over every head position, stack, horizon and kind of end."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from framework.environments.frames import FrameStack, stacked_space
from framework.errors import UsageError
from framework.replay.lanes import FrameReplay, bytes_needed
from framework.replay.returns import NStepReturns
from framework.replay.samplers import UniformSampler
from framework.testing import enforce
from framework.types import Batch, Buffer, Counters, Spaces, Step

GAMMA = 0.5
FRAME = gymnasium.spaces.Box(0, 65535, (2,), np.uint16)


def spaces_for(num_envs: int, stack: int, padding: str = "repeat") -> Spaces:
    return Spaces(stacked_space(FRAME, stack), gymnasium.spaces.Discrete(3), FRAME, stack, padding, num_envs)


@dataclass
class Transition:
    """One transition in a plain list: the frames of its episode so far, and what followed."""

    position: int
    seen: list[int]
    action: int
    reward: float
    terminated: bool
    truncated: bool
    successor: int


class PlainHistory:
    """The whole history of one environment. Nothing is overwritten; frames are numbered in their order of arrival."""

    def __init__(self) -> None:
        self.transitions: list[Transition] = []
        self.frames = 0
        self.seen: list[int] = []

    def add(self, first: bool, obs: int, **rest: object) -> None:
        if first:
            self.frames += 1
            self.seen = [obs]
        self.transitions.append(Transition(position=self.frames - 1, seen=list(self.seen), **rest))
        self.frames += 1
        self.seen.append(self.transitions[-1].successor)

    def window(self, index: int, n: int) -> list[Transition] | None:
        """The transitions of the n-step window from `index`; None while it is not whole."""
        window = []
        for transition in self.transitions[index : index + n]:
            window.append(transition)
            if transition.terminated or transition.truncated:
                return window
        return window if len(window) == n else None

    def action_after(self, window: list[Transition]) -> int:
        """The action that followed a window in its episode; −1 if none did."""
        following = self.transitions.index(window[-1]) + 1
        if window[-1].terminated or window[-1].truncated or following == len(self.transitions):
            return -1
        return self.transitions[following].action

    def eligible(self, length: int, n: int, k: int) -> dict[int, list[Transition]]:
        """The windows that may be sampled from the last `length` frames, by the position of their start."""
        oldest = self.frames - length
        found = {}
        for index, start in enumerate(self.transitions):
            window = self.window(index, n)
            frames_of_stack = min(len(start.seen), k)
            if window is not None and start.position - frames_of_stack + 1 >= oldest:
                found[start.position] = window
        return found


def stacked(seen: list[int], k: int, padding: str) -> np.ndarray:
    last = seen[-k:]
    missing = k - len(last)
    filled = [0 if padding == "zero" else seen[0]] * missing + last
    return np.repeat(np.array(filled, np.uint16)[:, None], 2, axis=1)


class ReplayMachine(RuleBasedStateMachine):
    @initialize(
        num_envs=st.integers(1, 3),
        stack=st.integers(1, 4),
        n=st.integers(1, 4),
        spare=st.integers(0, 9),
        padding=st.sampled_from(["repeat", "zero"]),
    )
    def build(self, num_envs: int, stack: int, n: int, spare: int, padding: str) -> None:
        self.n, self.k, self.padding, self.num_envs = n, stack, padding, num_envs
        self.length = stack + n + 1 + spare
        self.spaces = spaces_for(num_envs, stack, padding)
        self.sampler = UniformSampler(np.random.default_rng(0))
        replay = FrameReplay(self.spaces, self.length * num_envs, self.sampler, NStepReturns(GAMMA, n))
        self.replay = enforce(replay, Buffer)
        self.plain = [PlainHistory() for _ in range(num_envs)]
        self.first = np.ones(num_envs, np.bool_)
        self.tag = 0
        self.obs = self.fresh(num_envs)
        self.acting = FrameStack(stack, padding)
        self.acting.push(self.pixels(self.obs), self.first)

    def fresh(self, count: int) -> np.ndarray:
        """New numbers, so that any mix-up shows. 0 is left for padding."""
        self.tag += count
        return np.arange(self.tag - count + 1, self.tag + 1) % 65535

    @staticmethod
    def pixels(tags: np.ndarray) -> np.ndarray:
        return np.repeat(tags.astype(np.uint16)[:, None], 2, axis=1)

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        # some environments may make no transition (a reset row)
        rows = np.array([i for i in range(self.num_envs) if data.draw(st.integers(0, 9)) > 0], np.int64)
        if not len(rows):
            return
        ends = np.array([data.draw(st.sampled_from(["", "", "", "terminated", "truncated", "both"])) for _ in rows])
        terminated, truncated = np.isin(ends, ["terminated", "both"]), np.isin(ends, ["truncated", "both"])
        successor = self.fresh(len(rows))
        action = successor % 3
        reward = successor.astype(np.float64)
        step = Step(
            env_id=rows,
            first=self.first[rows],
            obs=self.pixels(self.obs[rows]),
            action=action,
            reward=reward,
            raw_reward=reward,
            terminated=terminated,
            truncated=truncated,
            next_obs=self.pixels(successor),
        )
        self.replay.add(step)
        step.obs[...] = step.next_obs[...] = 0  # the buffer must have made copies
        for row, env_id in enumerate(rows):
            self.plain[env_id].add(
                bool(self.first[env_id]),
                int(self.obs[env_id]),
                action=int(action[row]),
                reward=float(reward[row]),
                terminated=bool(terminated[row]),
                truncated=bool(truncated[row]),
                successor=int(successor[row]),
            )
        ended = terminated | truncated
        self.first[rows] = ended
        self.obs[rows] = np.where(ended, self.fresh(len(rows)), successor)
        # environments without a row show the same frame again, and their stack must not move
        before = self.acting.observations
        self.acting.push(self.pixels(self.obs), self.first)
        still = np.setdiff1d(np.arange(self.num_envs), rows)
        self.acting.observations[still] = before[still]

    @invariant()
    def holds_exactly_what_may_be_sampled(self) -> None:
        expected = {
            position * self.num_envs + lane: window
            for lane, plain in enumerate(self.plain)
            for position, window in plain.eligible(self.length, self.n, self.k).items()
        }
        assert len(self.replay) == len(expected)
        batch = self.replay.sample(len(expected) + 5, Counters())
        assert sorted(batch.ids.tolist()) == sorted(expected)
        for row, id_ in enumerate(batch.ids.tolist()):
            window = expected[id_]
            start, last = window[0], window[-1]
            assert np.array_equal(batch.obs[row].reshape(-1, 2), stacked(start.seen, self.k, self.padding))
            after = [*last.seen, last.successor]
            assert np.array_equal(batch.next_obs[row].reshape(-1, 2), stacked(after, self.k, self.padding))
            assert batch.action[row] == start.action
            assert batch.next_action[row] == self.plain[id_ % self.num_envs].action_after(window)
            assert batch.reward[row] == sum(GAMMA**j * item.reward for j, item in enumerate(window))
            assert batch.discount[row] == (0 if last.terminated else GAMMA ** len(window))
            assert batch.weights[row] == 1
        self.reads_the_same_without_its_sampler(batch)

    def reads_the_same_without_its_sampler(self, sampled: Batch) -> None:
        unknown = {  # without a stack, only the frame before the oldest tells whether a transition starts there
            (plain.frames - self.length) * self.num_envs + lane
            for lane, plain in enumerate(self.plain)
            if self.k == 1 and plain.frames >= self.length
        }
        ids = self.replay.ids().tolist()
        assert sorted(ids) == sorted(set(sampled.ids.tolist()) - unknown)
        rows = [sampled.ids.tolist().index(id_) for id_ in ids]
        batch = self.replay.read(np.array(ids, np.int64))
        for name in ("obs", "action", "reward", "discount", "next_obs", "next_action", "weights"):
            assert np.array_equal(getattr(batch, name), getattr(sampled, name)[rows]), name

    @invariant()
    def acts_on_the_stack_that_it_will_sample(self) -> None:
        for env_id, plain in enumerate(self.plain):
            seen = [int(self.obs[env_id])] if self.first[env_id] else plain.seen
            expected = stacked(seen, self.k, self.padding)
            assert np.array_equal(self.acting.observations[env_id].reshape(-1, 2), expected)


ReplayMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
TestReplay = ReplayMachine.TestCase


def test_a_late_read_of_the_successor_is_refused() -> None:
    replay = FrameReplay(spaces_for(1, 1), 10, UniformSampler(np.random.default_rng(0)), NStepReturns(GAMMA))
    step = one_step()
    replay.add(step)
    batch = replay.sample(1, Counters())
    replay.add(step)
    for late in ("next_obs", "next_action"):
        with pytest.raises(RuntimeError, match=f"{late} was read after the buffer had changed"):
            getattr(batch, late)


def test_a_lane_too_short_for_one_window_is_refused_with_the_number() -> None:
    with pytest.raises(UsageError, match=r"replay.capacity = 15 gives .* 7 frames; .* at least 16"):
        FrameReplay(spaces_for(2, 4), 15, UniformSampler(np.random.default_rng(0)), NStepReturns(GAMMA, 3))


def test_a_million_pong_frames_take_about_seven_gigabytes() -> None:
    frame = gymnasium.spaces.Box(0, 255, (84, 84), np.uint8)
    spaces = Spaces(stacked_space(frame, 4), gymnasium.spaces.Discrete(6), frame, 4, "repeat", 1)
    assert 7.056e9 <= bytes_needed(spaces, 1_000_000) <= 7.1e9


def test_the_bytes_announced_are_the_bytes_held() -> None:
    spaces = spaces_for(2, 4)
    replay = FrameReplay(spaces, 1_000, UniformSampler(np.random.default_rng(0)), NStepReturns(GAMMA))
    held = sum(value.nbytes for value in vars(replay).values() if isinstance(value, np.ndarray) and len(value) == 1_000)
    assert held == bytes_needed(spaces, 1_000) == replay.manifest()["bytes"]


def test_a_saved_replay_gives_the_same_batches() -> None:
    def build() -> tuple[FrameReplay, UniformSampler]:
        sampler = UniformSampler(np.random.default_rng(3))
        return FrameReplay(spaces_for(1, 2), 12, sampler, NStepReturns(GAMMA, 2)), sampler

    replay, sampler = build()
    for index in range(30):
        replay.add(one_step(first=index % 7 == 0, tag=index, terminated=index % 7 == 6))
    other, other_sampler = build()
    other_sampler.load_state_dict(sampler.state_dict())
    other.load_state_dict(replay.state_dict())
    for _ in range(5):
        mine, theirs = replay.sample(4, Counters()), other.sample(4, Counters())
        assert np.array_equal(mine.ids, theirs.ids)
        assert np.array_equal(mine.obs, theirs.obs)
        assert np.array_equal(mine.next_obs, theirs.next_obs)


def one_step(first: bool = True, tag: int = 1, terminated: bool = False) -> Step:
    return Step(
        env_id=np.zeros(1, np.int64),
        first=np.array([first]),
        obs=np.full((1, 2), tag, np.uint16),
        action=np.zeros(1, np.int64),
        reward=np.ones(1),
        raw_reward=np.ones(1),
        terminated=np.array([terminated]),
        truncated=np.zeros(1, np.bool_),
        next_obs=np.full((1, 2), tag + 1, np.uint16),
    )


@pytest.mark.parametrize("stack", [255, 256, 257, 300])
def test_stacks_longer_than_a_byte_counts(stack: int) -> None:
    """Long episodes, so that ages reach the size of the stack: every stack must be the numbers that were seen."""
    spaces = spaces_for(1, stack)
    buffer = FrameReplay(spaces, 3 * stack, UniformSampler(np.random.default_rng(0)), NStepReturns(GAMMA))
    for number in range(2 * stack):
        frames = np.full((2, 1, 2), [[[number]], [[number + 1]]], np.uint16)
        one = np.zeros(1)
        buffer.add(
            Step(
                env_id=np.zeros(1, np.int64),
                first=np.array([number == 0]),
                obs=frames[0],
                action=np.zeros(1, np.int64),
                reward=one,
                raw_reward=one,
                next_obs=frames[1],
                terminated=one > 0,
                truncated=one > 0,
                frames=1,
            )
        )
    batch = buffer.sample(len(buffer), Counters())
    newest = batch.ids[:, None]
    assert np.array_equal(batch.obs[:, :, 0], np.maximum(newest + np.arange(1 - stack, 1), 0))
