"""A replay of whole transitions in Python objects: each remembers its two stacks and the step that came after it.

Different from the engine's on purpose: it counts transitions instead of frames, numbers them as their windows become
whole (so that ids run on over all environments), walks from step to step when it samples, and a batch may be read late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from framework.config import Config
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.options import ReplayOptions
from framework.types import Batch, Buffer, Counters, Returns, Sampler, Spaces, State, Step

CHECK_WITH = "dqn,chain"

WAITING, GONE = -1, -2


class Moment:
    """One step of one environment; `after` is the next step of the same episode, once it has been made."""

    def __init__(self, env: int, before: np.ndarray, action: int, reward: float, ends: str, behind: np.ndarray) -> None:
        self.env, self.before, self.action, self.reward, self.behind = env, before, action, reward, behind
        self.ends = ends
        """Of t (terminated) and u (truncated) those that hold."""
        self.after: Moment | None = None
        self.number = WAITING


class WholeTransitions:
    def __init__(self, spaces: Spaces, sampler: Sampler, returns: Returns, capacity: int) -> None:
        if capacity < spaces.num_envs * returns.horizon:
            raise UsageError(f"replay.capacity = {capacity} holds no window of each of {spaces.num_envs} environments")
        self.spaces, self.sampler, self.returns, self.capacity = spaces, sampler, returns, capacity
        self.kept: deque[Moment] = deque()
        self.numbered: dict[int, Moment] = {}
        self.waiting: dict[int, list[Moment]] = {}
        self.last: dict[int, Moment] = {}
        self.total = 0
        sampler.allocate(capacity)

    def __len__(self) -> int:
        return len(self.sampler)

    def add(self, step: Step) -> None:
        for row, env in enumerate(step.env_id.tolist()):
            before = self._fresh(step.obs[row]) if step.first[row] else self.last[env].behind
            ends = "t" * bool(step.terminated[row]) + "u" * bool(step.truncated[row])
            behind = self._pushed(before, step.next_obs[row])
            moment = Moment(env, before, int(step.action[row]), float(step.reward[row]), ends, behind)
            if not step.first[row]:
                self.last[env].after = moment
            self.last[env] = moment
            queue = self.waiting.setdefault(env, [])
            queue.append(moment)
            while queue and (ends or len(queue) >= self.returns.horizon):
                self._number(queue.pop(0))

    def _number(self, moment: Moment) -> None:
        """Let a moment be sampled, at the cost of the oldest one where there is no room."""
        if len(self.kept) == self.capacity:
            oldest = self.kept.popleft()
            self.sampler.retire(np.array([oldest.number]))
            del self.numbered[oldest.number]
            oldest.number = GONE
        moment.number = self.total
        self.total += 1
        self.kept.append(moment)
        self.numbered[moment.number] = moment
        self.sampler.activate(np.array([moment.number]))

    def _fresh(self, frame: np.ndarray) -> np.ndarray:
        """What an agent sees when an episode has just begun."""
        if self.spaces.frame_stack == 1:
            return np.array(frame, self.spaces.frame.dtype)
        blank = np.zeros_like(frame) if self.spaces.stack_padding == "zero" else frame
        return np.array([blank] * (self.spaces.frame_stack - 1) + [frame], self.spaces.frame.dtype)

    def _pushed(self, stack: np.ndarray, frame: np.ndarray) -> np.ndarray:
        if self.spaces.frame_stack == 1:
            return np.array(frame, self.spaces.frame.dtype)
        return np.array([*stack[1:], frame], self.spaces.frame.dtype)

    def sample(self, n: int, counters: Counters) -> Batch:
        ids, weights = self.sampler.sample(n, counters)
        starts = [self.numbered[number] for number in ids.tolist()]
        shape = (len(starts), self.returns.horizon)
        reward, terminated, truncated = np.zeros(shape), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        paths: list[list[Moment]] = []
        for row, start in enumerate(starts):
            path: list[Moment] = []
            here: Moment | None = start
            while here is not None and len(path) < self.returns.horizon:
                cell = row, len(path)
                reward[cell], terminated[cell], truncated[cell] = here.reward, "t" in here.ends, "u" in here.ends
                path.append(here)
                here = here.after
            paths.append(path)
        folded, discount, length = self.returns.fold(reward, terminated, truncated)
        final = [path[k - 1] for path, k in zip(paths, length.tolist(), strict=True)]
        actions = np.array([moment.after.action if moment.after else -1 for moment in final], np.int64)
        return Batch(
            ids=ids,
            obs=self._gathered([start.before for start in starts]),
            action=np.array([start.action for start in starts], np.int64),
            reward=folded,
            discount=discount,
            weights=weights,
            read_next_obs=lambda: self._gathered([moment.behind for moment in final]),
            read_next_action=lambda: actions,
        )

    def _gathered(self, observations: Sequence[np.ndarray]) -> np.ndarray:
        result = np.empty((len(observations), *(self.spaces.observation.shape or ())), self.spaces.frame.dtype)
        for row, observation in enumerate(observations):
            result[row] = observation
        return result

    def reprioritize(self, ids: np.ndarray, priorities: np.ndarray) -> None:
        self.sampler.reprioritize(ids, priorities)

    def state_dict(self) -> State:
        """Every step that is still needed, in the order in which each environment made its own."""
        moments = [*self.kept, *(moment for queue in self.waiting.values() for moment in queue)]
        moments = [moment for moment in self.last.values() if moment.number == GONE] + moments
        return {
            "total": self.total,
            "steps": {
                "number": np.array([moment.number for moment in moments], np.int64),
                "env": np.array([moment.env for moment in moments], np.int64),
                "before": self._gathered([moment.before for moment in moments]),
                "behind": self._gathered([moment.behind for moment in moments]),
                "action": np.array([moment.action for moment in moments], np.int64),
                "reward": np.array([moment.reward for moment in moments]),
            },
            "ends": ",".join(moment.ends for moment in moments),
        }

    def load_state_dict(self, state: State) -> None:
        self.kept, self.numbered, self.waiting, self.last = deque(), {}, {}, {}
        self.total = int(state["total"])
        steps: Mapping[str, np.ndarray] = state["steps"]
        rows = zip(range(len(steps["number"])), state["ends"].split(","), strict=False)
        for row, ends in rows:
            env = int(steps["env"][row])
            before, behind = steps["before"][row].copy(), steps["behind"][row].copy()
            moment = Moment(env, before, int(steps["action"][row]), float(steps["reward"][row]), ends, behind)
            moment.number = int(steps["number"][row])
            if env in self.last and not self.last[env].ends:
                self.last[env].after = moment
            self.last[env] = moment
            if moment.number >= 0:
                self.kept.append(moment)
                self.numbered[moment.number] = moment
            elif moment.number == WAITING:
                self.waiting.setdefault(env, []).append(moment)


@hookimpl
def make_buffer(spaces: Spaces, sampler: Sampler, returns: Returns, config: Config) -> Buffer:
    return WholeTransitions(spaces, sampler, returns, config[ReplayOptions].capacity)
