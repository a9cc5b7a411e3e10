"""The plugin of the harness's own environments: tiny, with answers that are known exactly.

`probe.env` names one of two kinds:

* `ledger` emits frames with a number of their own, ends episodes as it is told to, and writes down every transition;
* the others are decision processes of a few states (the probe ladder among them), with their optimal values.

All show the same thing in three ways, so that tables, flat networks and convolutional ones can be put on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Literal, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from framework.config import Config, Field, Section
from framework.hookspecs import hookimpl

TAGS = 499
"""Numbers of a ledger's frames before they come round again: more than any check looks at together, and prime."""

Env = gymnasium.Env[Any, Any]


class ProbeOptions(Section, name="probe"):
    """Which environment, and how it shows its state."""

    env: str = Field("ledger", description="ledger, or one of the decision processes")
    observations: Literal["discrete", "box", "image"] = Field("discrete", description="what a state looks like")
    shape: tuple[int, ...] = Field((10, 10), description="of an image, the last two axes its height and width")
    stack: int = Field(1, ge=1, description="frames that an observation is made of; not for discrete ones")
    padding: Literal["repeat", "zero"] = Field("repeat", description="what stands before an episode's first frame")
    autoreset: Literal["", "next_step", "same_step", "disabled"] = Field(
        "", description="make a vector environment of this mode; not set: single environments"
    )
    actions: int = Field(3, ge=1, description="of a ledger")
    lengths: tuple[int, ...] = Field((3, 1, 5, 2), description="of a ledger's episodes, in turn")
    endings: tuple[Literal["terminated", "truncated", "both"], ...] = Field(
        ("terminated", "truncated"), description="of a ledger's episodes, in turn"
    )
    stagger: bool = Field(
        False, description="each ledger begins its lengths and endings one further on than the one beside it"
    )
    clip: float = Field(0.0, ge=0, description="what the learner gets of a reward is cut off here, both ways; 0: all")
    nan_after: int = Field(0, ge=0, description="the ledger's transition whose reward is NaN, from 1; 0: none")
    reuse: bool = Field(False, description="the ledger hands out its internal array")


class Painter:
    """Shows a number in [0, count): as itself, as float32 numbers or as a uint8 image."""

    def __init__(self, options: ProbeOptions, count: int) -> None:
        self._options, self._count = options, count
        self.space: gymnasium.Space[Any]
        if options.observations == "discrete":
            self.space = Discrete(count)
        elif options.observations == "box":
            self.space = Box(0.0, 1.0, (count if count < 16 else 1,), np.float32)
        else:
            self.space = Box(0, 255, options.shape, np.uint8)

    def paint(self, number: int) -> Any:
        """A fresh observation."""
        if isinstance(self.space, Discrete):
            return np.int64(number)
        assert self.space.shape is not None
        frame = np.zeros(self.space.shape, self.space.dtype)
        if self._options.observations == "box":
            if self._count < 16:
                frame[number] = 1.0
            else:
                frame[0] = number / 512
        elif self._count < 16:
            width = frame.shape[-1]
            frame[..., number * width // self._count : (number + 1) * width // self._count] = 255
        else:
            frame[..., 0, 0], frame[..., 0, 1] = divmod(number, 256)
        return frame

    def read(self, frame: Any) -> int:
        """The number that a frame shows; of a stack, that of the newest."""
        if isinstance(self.space, Discrete):
            return int(frame)
        assert self.space.shape is not None
        newest = np.asarray(frame).reshape(-1, *self.space.shape)[-1]
        if self._options.observations == "box":
            return int(newest.argmax()) if self._count < 16 else round(float(newest[0]) * 512)
        if self._count < 16:
            width, left = newest.shape[-1], int(newest.reshape(-1, newest.shape[-1])[0].argmax())
            return (left * self._count + self._count - 1) // width
        return int(newest[..., 0, 0].flat[0]) * 256 + int(newest[..., 0, 1].flat[0])


class Entry(NamedTuple):
    """A transition as the ledger knows it, frames by their number."""

    first: bool
    obs: int
    action: int
    reward: float
    terminated: bool
    truncated: bool
    next_obs: int


class Ledger(Env):
    """Frames count on from the first reset's seed, over episodes' ends; nothing depends on the actions but rewards.

    `log` holds every transition that was made.
    """

    def __init__(self, options: ProbeOptions) -> None:
        self.painter = Painter(options, TAGS)
        self.observation_space, self.action_space = self.painter.space, Discrete(options.actions)
        self.metadata = _metadata(options)
        self.log: list[Entry] = []
        self._options = options
        self._episode = self._step = -1
        self._tag: int | None = None
        self._array: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._episode, self._step = self._episode + 1, 0
        self._tag = (seed or 0) % TAGS if self._tag is None else (self._tag + 1) % TAGS
        return self._show(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self._tag is not None
        before, first = self._tag, self._step == 0
        self._tag, self._step = (self._tag + 1) % TAGS, self._step + 1
        lengths, endings = self._options.lengths, self._options.endings
        ends = self._step >= lengths[self._episode % len(lengths)]
        ending = endings[self._episode % len(endings)]
        terminated, truncated = ends and ending != "truncated", ends and ending != "terminated"
        reward = float((before * 7 + int(action) * 3) % 11) / 10 - 0.5
        if len(self.log) + 1 == self._options.nan_after:
            reward = float("nan")
        self.log.append(Entry(first, before, int(action), reward, terminated, truncated, self._tag))
        return self._show(), reward, terminated, truncated, {}

    def _show(self) -> Any:
        assert self._tag is not None
        frame = self.painter.paint(self._tag)
        if not self._options.reuse or not isinstance(frame, np.ndarray) or frame.ndim == 0:
            return frame
        if self._array is None:
            self._array = frame
        self._array[...] = frame
        return self._array


class Outcome(NamedTuple):
    """One of the things that an action may lead to."""

    probability: float
    next_state: int
    reward: float
    terminated: bool


@dataclass(frozen=True)
class Process:
    """A decision process: outcomes[state][action], the states it may start in, and its optimal values by γ.

    `limit` truncates an episode after so many steps; 0 never does.
    """

    outcomes: Sequence[Sequence[Sequence[Outcome]]]
    starts: Sequence[int]
    q_star: Callable[[float], Sequence[Sequence[float]]]
    limit: int = 0


def _ends(*rewards: float) -> list[list[Outcome]]:
    """A state in which every action ends the episode, with these rewards."""
    return [[Outcome(1.0, 0, reward, True)] for reward in rewards]


def _moves(to: int, reward: float = 0.0) -> list[list[Outcome]]:
    return [[Outcome(1.0, to, reward, False)]] * 2


PROCESSES: Mapping[str, Process] = {
    "constant": Process([_ends(1, 1)], [0], lambda gamma: [[1, 1]]),
    "by_observation": Process([_ends(-1, -1), _ends(1, 1)], [0, 1], lambda gamma: [[-1, -1], [1, 1]]),
    "delayed": Process([_moves(1), _ends(1, 1)], [0], lambda gamma: [[gamma, gamma], [1, 1]]),
    "by_action": Process([_ends(-1, 1)], [0], lambda gamma: [[-1, 1]]),
    "by_both": Process([_ends(1, -1), _ends(-1, 1)], [0, 1], lambda gamma: [[1, -1], [-1, 1]]),
    "coin": Process(
        [[[Outcome(0.5, 0, -1.0, True), Outcome(0.5, 0, 1.0, True)], [Outcome(1.0, 0, 0.5, True)]]],
        [0],
        lambda gamma: [[0, 0.5]],
    ),
    "endless": Process([_moves(0, 1.0)], [0], lambda gamma: [[1 / (1 - gamma)] * 2], limit=5),
}
"""The probe ladder, each rung one more thing that must work; a coin, of two rewards; and one that is only cut off."""


class ProcessEnv(Env):
    """Samples a `Process`."""

    def __init__(self, options: ProbeOptions) -> None:
        self.process = PROCESSES[options.env]
        self.painter = Painter(options, len(self.process.outcomes))
        self.observation_space = self.painter.space
        self.action_space = Discrete(len(self.process.outcomes[0]))
        self.metadata = _metadata(options)
        self._state = self._steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._state, self._steps = int(self.np_random.choice(self.process.starts)), 0
        return self.painter.paint(self._state), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        outcomes = self.process.outcomes[self._state][int(action)]
        chosen = outcomes[int(self.np_random.choice(len(outcomes), p=[outcome.probability for outcome in outcomes]))]
        self._state, self._steps = chosen.next_state, self._steps + 1
        truncated = bool(self.process.limit) and self._steps >= self.process.limit
        return self.painter.paint(self._state), float(chosen.reward), chosen.terminated, truncated, {}


class Velocity(Env):
    """A bar moves round a circle for three frames; the right action is its direction, which no single frame shows."""

    PLACES = 3

    def __init__(self, options: ProbeOptions) -> None:
        self.painter = Painter(options, self.PLACES)
        self.observation_space, self.action_space = self.painter.space, Discrete(2)
        self.metadata = _metadata(options)
        self._place = self._direction = self._steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._place, self._direction = int(self.np_random.integers(self.PLACES)), int(self.np_random.integers(2))
        self._steps = 0
        return self.painter.paint(self._place), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        asked = self._steps > 0
        reward = (1.0 if int(action) == self._direction else -1.0) if asked else 0.0
        self._place = (self._place + 2 * self._direction - 1) % self.PLACES
        self._steps += 1
        return self.painter.paint(self._place), reward, self._steps == 3, False, {}


def _metadata(options: ProbeOptions) -> dict[str, Any]:
    stack = 1 if options.observations == "discrete" else options.stack
    shown: dict[str, Any] = {"render_modes": [], "frame_stack": stack, "stack_padding": options.padding}
    return {**shown, "reward_clip": (-options.clip, options.clip)} if options.clip else shown


def make_probe(options: ProbeOptions) -> Env:
    """A new environment."""
    kinds: Mapping[str, Callable[[ProbeOptions], Env]] = {"ledger": Ledger, "velocity": Velocity}
    return kinds.get(options.env, ProcessEnv)(options)


def _staggered(options: ProbeOptions) -> Callable[[], Env]:
    """Makes environments that do not end their episodes together."""
    numbers = count()

    def make() -> Env:
        number = next(numbers)
        first, ending = number % len(options.lengths), number % len(options.endings)
        lengths = (*options.lengths[first:], *options.lengths[:first])
        endings = (*options.endings[ending:], *options.endings[:ending])
        return make_probe(options.model_copy(update={"lengths": lengths, "endings": endings}))

    return make


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [ProbeOptions]


@hookimpl
def make_env(config: Config, num_envs: int) -> Callable[[], Env] | gymnasium.vector.VectorEnv[Any, Any, Any]:
    options = config[ProbeOptions]
    factory = _staggered(options) if options.stagger else partial(make_probe, options)
    if not options.autoreset:
        return factory
    env = SyncVectorEnv([factory] * num_envs, autoreset_mode=AutoresetMode[options.autoreset.upper()])
    env.metadata = {**env.metadata, **_metadata(options)}
    return env
