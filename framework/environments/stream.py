"""Turns any gymnasium vector environment into a stream of true transitions.

The three autoreset modes give the same transitions as a plain loop over single environments:

* DISABLED: the stream starts the next episode at once, by a masked reset with a seed for that episode. Where a reset
  with a seed is slow, the metadata's `episodes_per_seed` = K lets it give a seed to every Kth episode only.
* NEXT_STEP: the row on which an environment resets itself is not a transition; the stream leaves it out.
* SAME_STEP: the stream reads the true successor from `final_obs`; the returned observation starts the next episode.
  (If an environment returns its internal array, gymnasium itself overwrites `final_obs` before the stream reads it.)

If the `info` of a step has `life_lost`, the learner's episode ends where it is true, and the environment plays on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from jaxtyping import Bool, Float64, Int64, Shaped

from framework.environments.declared import episodes_per_seed_of, highest_return_of, reward_limits_of, spaces_of
from framework.environments.edge import LIFE_LOST, Edge
from framework.environments.frames import FrameStack
from framework.environments.history import History, Opening, play_again
from framework.environments.info import NOTHING, InfoReader, Wanted
from framework.environments.processes import EnvProcesses
from framework.environments.scores import ReferenceScores
from framework.environments.vector import VectorEdge, legal_or_named
from framework.errors import NotRepeated
from framework.types import Measured, State, Stateful, Step

EpisodeSeed = Callable[[int, int], int]
"""(environment, episode) → the seed of its reset, if it gets one; both count from 0."""


def vectorise(
    factory: Callable[[], gymnasium.Env[Any, Any]],
    num_envs: int,
    processes: bool = False,
    seconds: float = 0,
    global_seeds: Sequence[int] = (),
    wanted: Wanted = NOTHING,
) -> VectorEnv[Any, Any, Any]:
    """Put single environments side by side, in this process or each in a process of its own. Each is behind an `Edge`.

    Args:
        factory: makes one environment.
        num_envs: the number of environments.
        processes: whether each environment gets a process of its own.
        seconds: limit for every answer of such a process; 0: no limit.
        global_seeds: for the global random state of each process. Without them, forked processes would draw the same.
        wanted: the keys of `info` that cross the edge.
    """

    def make() -> gymnasium.Env[Any, Any]:
        return Edge(factory(), wanted)

    if processes:
        return EnvProcesses(make, num_envs, seconds, global_seeds)
    return SyncVectorEnv([make] * num_envs, autoreset_mode=AutoresetMode.DISABLED)


class TransitionStream:
    """N environments as one stream of transitions.

    `observations` is what a policy sees now; `begin(actions)` starts a step and `finish()` returns it.
    Environments with `step_async` and `step_wait` work between the two calls.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        episode_seed: EpisodeSeed,
        max_steps: int = 0,
        wanted: Wanted = NOTHING,
    ) -> None:
        """
        Args:
            env: the environments. The stream closes them.
            episode_seed: the seeds of the episodes.
            max_steps: cut off episodes after this many steps; 0: never. See `cut`.
            wanted: the keys of `info` whose numbers are part of a `Step`.
        """
        self.env = env
        self._edge = VectorEdge(env)
        self.cut: Bool[np.ndarray, " N"] = np.zeros(env.num_envs, np.bool_)
        """The environments whose episode reached `max_steps` in the last step and did not end by itself.

        Under DISABLED, the stream truncates such an episode and begins the next one. Environments that reset themselves
        play on.
        """
        self._max_steps = max_steps
        self._lengths = np.zeros(env.num_envs, np.int64)
        self.metadata = dict(env.metadata)
        self.reference_scores = ReferenceScores.of(self.metadata)
        self.highest_return = highest_return_of(self.metadata)
        self.mode = self._edge.mode
        self.infos = InfoReader(wanted, self.mode is AutoresetMode.SAME_STEP)
        """Reads `info`, and knows its keys."""
        self._clip, self._scale = reward_limits_of(self.metadata)
        # environments that reset themselves get a seed at the beginning only
        self._per_seed = episodes_per_seed_of(self.metadata) if self.mode is AutoresetMode.DISABLED else 1
        self._skip = int(self.metadata.get("frame_skip", 1))
        self._episode_seed = episode_seed
        self._episode = np.zeros(env.num_envs, np.int64)
        self._resetting = np.zeros(env.num_envs, np.bool_)
        self._first = np.ones(env.num_envs, np.bool_)
        self._actions: Int64[np.ndarray, " N"] = np.empty(0, np.int64)
        self._history = History(env.num_envs)
        self._frames = self._opening().begin(self._edge)
        self.spaces = spaces_of(self._edge)
        self._stack = FrameStack(self.spaces.frame_stack, self.spaces.stack_padding)
        self._stack.push(self._frames, self._first)

    @property
    def observations(self) -> Shaped[np.ndarray, "N *obs"]:
        """What a policy sees now. A stack has its oldest frame first."""
        return self._stack.observations

    def begin(self, actions: Int64[np.ndarray, " N"]) -> None:
        """Start a step with one action for each environment. One that is about to reset itself ignores its action."""
        legal_or_named(actions, self.observations)
        self._actions = actions
        self._edge.send(actions)

    def finish(self) -> Step:
        """Wait for the step that `begin` started. Rows that are not transitions are left out."""
        successors, rewards, terminated, truncated, info = self._edge.receive()
        if self._max_steps:
            self._cut_off(terminated, truncated)
        ended, resetting = terminated | truncated, self._resetting
        current, first = successors, resetting
        if self.mode is AutoresetMode.NEXT_STEP:
            rows = np.flatnonzero(~self._resetting)
            self._resetting = ended
        else:
            rows = np.arange(len(ended))
            if ended.any():
                first = ended
                self._episode[ended] += 1
                if self.mode is AutoresetMode.DISABLED:
                    current = self._edge.reset(self._next_seeds(), ended)
                else:
                    successors = successors.copy()
                    for env_id in np.flatnonzero(ended).tolist():
                        successors[env_id] = self._edge.final_frame(info, env_id, bool(terminated[env_id]))
            else:
                first = ended
            self._history.add(self._actions, rewards, ended)
        lost = _lives_lost(info, ended, resetting)
        if lost is not None:
            terminated, first = terminated | lost, first | lost
        step = Step(
            env_id=rows,
            first=self._first[rows],
            obs=self._frames[rows],
            action=np.asarray(self._actions, np.int64)[rows],
            reward=self._learnt(rewards)[rows],
            raw_reward=rewards[rows],
            terminated=terminated[rows],
            truncated=truncated[rows],
            next_obs=successors[rows],
            frames=self._skip,
            info=self.infos.read(info, ended, rows),
            life_lost=None if lost is None else lost[rows],
        )
        self._frames, self._first = current, first
        self._stack.push(current, first)
        return step

    def _learnt(self, rewards: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
        scaled = rewards if self._scale == 1 else self._scale * rewards
        return np.clip(scaled, *self._clip) if self._clip else scaled

    def _cut_off(self, terminated: Bool[np.ndarray, " N"], truncated: Bool[np.ndarray, " N"]) -> None:
        """Find the episodes that reach `max_steps`. Truncate them where the stream can begin the next episode."""
        self._lengths = np.where(self._resetting, 0, self._lengths + 1)
        ended = terminated | truncated
        self.cut = (self._lengths >= self._max_steps) & ~ended
        self._lengths[ended] = 0
        if self.mode is AutoresetMode.DISABLED:
            truncated |= self.cut
            self._lengths[self.cut] = 0

    def measures(self) -> Mapping[str, float]:
        """What the environments measure; nothing, if they measure nothing."""
        return self.env.measures() if isinstance(self.env, Measured) else {}

    def close(self) -> None:
        self.env.close()

    @property
    def restorable(self) -> bool:
        """Whether a `state_dict` between two steps is enough to continue exactly.

        It is enough if the environments have their own `state_dict` and `load_state_dict`. It is also enough if the
        stream resets the environments (DISABLED): it then knows how the running episodes began, and plays them again.
        If environments reset themselves, an episode depends on everything before it.
        """
        return isinstance(self.env, Stateful) or self.mode is AutoresetMode.DISABLED

    def state_dict(self) -> State:
        return {
            "episode": self._episode.copy(),
            "resetting": self._resetting.copy(),
            "first": self._first.copy(),
            "frames": self._frames.copy(),
            "observations": self._stack.observations.copy(),
            "environments": self.env.state_dict() if isinstance(self.env, Stateful) else self._history.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Restore the stream and its environments.

        Raises:
            NotRepeated: if the environments do not repeat their episodes, so that the run cannot continue exactly.
        """
        self._episode[:] = state["episode"]
        self._resetting[:] = state["resetting"]
        if isinstance(self.env, Stateful):
            self.env.load_state_dict(state["environments"])
        else:
            self._history.load_state_dict(state["environments"])
            frames = play_again(self._edge, self._opening(), state["environments"])
            if frames.tobytes() != np.asarray(state["frames"]).tobytes():
                raise NotRepeated(
                    "the environments show other frames when the same seeds and actions are played again, so the run "
                    "cannot continue exactly: give the vector environment a state_dict() and a load_state_dict(), or "
                    "go on with new episodes (--force)"
                )
        self._frames = np.array(state["frames"], self.spaces.frame.dtype)
        self._first = np.array(state["first"], np.bool_)
        self._stack.observations = np.array(state["observations"], self.spaces.frame.dtype)

    def begin_anew(self, state: State) -> None:
        """Begin new episodes after those of a saved state, which the environments do not repeat."""
        self._episode[:] = np.asarray(state["episode"]) + 1
        self._resetting[:] = False
        self._first[:] = True
        self._lengths[:] = 0
        self._history = History(self.env.num_envs)
        self._frames = self._opening().begin(self._edge)
        self._stack.push(self._frames, self._first)

    def _opening(self) -> Opening:
        """How the running episodes began."""
        since = self._episode % self._per_seed
        seeded = (self._episode - since).tolist()
        return Opening([self._seed(env_id, episode) for env_id, episode in enumerate(seeded)], since)

    def _next_seeds(self) -> list[int | None]:
        """The seeds of the next resets; None where the environment's random generator continues."""
        episodes = enumerate(self._episode.tolist())
        return [None if episode % self._per_seed else self._seed(env_id, episode) for env_id, episode in episodes]

    def _seed(self, env_id: int, episode: int) -> int:
        return self._episode_seed(env_id, episode)


def _lives_lost(
    info: Mapping[str, Any], ended: Bool[np.ndarray, " N"], resetting: Bool[np.ndarray, " N"]
) -> Bool[np.ndarray, " N"] | None:
    """The environments in which a step lost a life and did not end the episode; None if their info does not say."""
    lost = info.get(LIFE_LOST)
    return None if lost is None else np.asarray(lost, np.bool_) & ~ended & ~resetting
