"""A plain list of everything that happened in some environments, to hold a buffer against.

Every frame has a number of its own, and nothing is ever overwritten. Steps are written as one sign for each
environment: "." goes on, "t" terminates, "u" is truncated, "b" is both, "-" makes no transition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from framework.types import Returns, Spaces, Step

SHOWN = 14
"""Transitions of an environment that an example shows."""


@dataclass(frozen=True)
class Happened:
    """One transition, frames by their numbers.

    place: of its observation among all frames of its environment, from 0.
    seen: the episode's frames so far, oldest first; the last is the observation.
    """

    env: int
    place: int
    seen: tuple[int, ...]
    action: int
    reward: float
    sign: str
    successor: int

    @property
    def terminated(self) -> bool:
        return self.sign in "tb"

    @property
    def ended(self) -> bool:
        return self.sign in "tub"


class History:
    """What happened since the start; `step` makes something happen."""

    def __init__(self, spaces: Spaces) -> None:
        self.spaces = spaces
        self.made: list[list[Happened]] = [[] for _ in range(spaces.num_envs)]
        self.frames = [0] * spaces.num_envs
        self._shape = spaces.frame.shape or ()
        self._size = math.prod(self._shape)
        self._seen: list[tuple[int, ...]] = [()] * spaces.num_envs
        self._number = 0

    def step(self, signs: Sequence[str]) -> Step:
        """The transitions that these signs stand for, as a buffer is given them."""
        rows = []
        first = []
        for env, sign in enumerate(signs):
            if sign == "-":
                continue
            first.append(not self._seen[env])
            if first[-1]:
                self._seen[env] = (self._next(env),)
            seen, successor = self._seen[env], self._next(env)
            action = (len(self.made[env]) + env) % self.spaces.num_actions
            rows.append(Happened(env, self.frames[env] - 2, seen, action, float(successor), sign, successor))
            self.made[env].append(rows[-1])
            self._seen[env] = () if rows[-1].ended else (*seen, successor)
        reward = np.array([row.reward for row in rows], np.float64)
        return Step(
            env_id=np.array([row.env for row in rows], np.int64),
            first=np.array(first, np.bool_),
            obs=self.paint([row.seen[-1] for row in rows]),
            action=np.array([row.action for row in rows], np.int64),
            reward=reward,
            raw_reward=reward.copy(),
            terminated=np.array([row.terminated for row in rows], np.bool_),
            truncated=np.array([row.sign in "ub" for row in rows], np.bool_),
            next_obs=self.paint([row.successor for row in rows]),
        )

    def _next(self, env: int) -> int:
        self._number += 1
        self.frames[env] += 1
        return self._number

    def paint(self, numbers: Sequence[int]) -> np.ndarray:
        """Frames, [M, *frame], no two of whose numbers are the same and none of which is 0."""
        content = np.array(numbers, np.int64)[:, None] * self._size + np.arange(self._size)
        return content.reshape(-1, *self._shape).astype(self.spaces.frame.dtype)

    def number(self, observation: np.ndarray) -> int:
        """The number of an observation's newest frame, as far as it can be told."""
        frame = observation[-1] if self.spaces.frame_stack > 1 else observation
        return int(frame.flat[0]) // self._size

    def stack(self, seen: Sequence[int]) -> np.ndarray:
        """The observation of an agent that saw these frames of an episode."""
        k = self.spaces.frame_stack
        if k == 1:
            return self.paint(seen[-1:])[0]
        frames = self.paint(seen[-k:])
        before = np.zeros_like(frames[:1]) if self.spaces.stack_padding == "zero" else self.paint(seen[:1])
        return np.concatenate([np.repeat(before, k - len(frames), axis=0), frames])

    def windows(self, n: int) -> dict[int, list[Happened]]:
        """The windows of n steps, or up to their episode's end, that are whole, by their first frame's number."""
        found = {}
        for made in self.made:
            for index, start in enumerate(made):
                window = self.from_start(made, index, n)
                if len(window) == n or window[-1].ended:
                    found[start.seen[-1]] = window
        return found

    @staticmethod
    def from_start(made: Sequence[Happened], index: int, n: int) -> list[Happened]:
        """At most n transitions of one episode."""
        window = []
        for step in made[index : index + n]:
            window.append(step)
            if step.ended:
                break
        return window

    def kept(self, n: int, length: int) -> set[int]:
        """Starts of whole windows of whose stacks no frame is lost, if each environment keeps its last `length`."""
        k = self.spaces.frame_stack
        windows = self.windows(n)
        return {
            number
            for number, (start, *_) in windows.items()
            if start.place - min(len(start.seen), k) + 1 >= self.frames[start.env] - length
        }

    def action_after(self, last: Happened) -> int:
        """The action that was taken on a transition's successor; −1 if there is none (yet)."""
        made = self.made[last.env]
        following = made.index(last) + 1
        return -1 if last.ended or following == len(made) else made[following].action

    def shown(self) -> str:
        """As in "0: 1→2→3t 4→5": environment 0 saw frames 1 to 3, which terminated, and then 4 and 5."""
        return "; ".join(f"{env}: {_shown(made)}" for env, made in enumerate(self.made))


def _shown(made: Sequence[Happened]) -> str:
    text = "… " if len(made) > SHOWN else ""
    fresh = True
    for step in made[-SHOWN:]:
        text += f"{step.seen[-1]}→{step.successor}" if fresh else f"→{step.successor}"
        fresh = step.ended
        text += f"{step.sign} " if fresh else ""
    return text.strip() or "nothing"


FIELDS = ("obs", "action", "reward", "discount", "next_obs", "next_action")


def should(history: History, returns: Returns, window: Sequence[Happened], field: str) -> Any:
    """What a field of a batch holds in the row of a window."""
    start = window[0]
    if field == "obs":
        return history.stack(start.seen)
    if field == "action":
        return start.action
    reward, discount, length = folded(returns, window)
    if field in ("reward", "discount"):
        return {"reward": reward, "discount": discount}[field]
    last = window[min(length, len(window)) - 1]
    return history.action_after(last) if field == "next_action" else history.stack((*last.seen, last.successor))


def folded(returns: Returns, window: Sequence[Happened]) -> tuple[float, float, int]:
    """(return, discount, length) of a window, with nothing but zeros behind its end."""
    shape = (1, returns.horizon)
    reward, terminated, truncated = np.zeros(shape), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for column, step in enumerate(window):
        reward[0, column], terminated[0, column], truncated[0, column] = step.reward, step.terminated, step.sign in "ub"
    total, discount, length = returns.fold(reward, terminated, truncated)
    return float(total[0]), float(discount[0]), int(length[0])
