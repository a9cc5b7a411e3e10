"""The data that flows through a run. The letters in the shapes are those of `framework.types`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

import gymnasium
import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped

from framework.errors import listed
from framework.spaces import Record, leaves_of, only_leaf

State = Mapping[str, Any]
"""What a stateful part saves: a nested dict of numpy arrays and JSON scalars."""

Unit = Literal["env_steps", "frames", "updates", "episodes"]
"""What a schedule or a period counts."""

Role = Literal["train", "evaluate", "watch"]
"""What an environment is for."""


@dataclass(frozen=True)
class Mirror:
    """A symmetry of an environment: the mirror image of an episode is a possible episode, too."""

    axis: int
    """The axis of a frame that the mirror reverses, counted from the end (−1, −2, …)."""
    actions: tuple[int, ...]
    """Action → the action that the mirror shows."""


@dataclass(frozen=True)
class Board:
    """How pictures lay out the states of a finite environment: what its metadata declares as `board`."""

    rows: int
    columns: int
    cells: tuple[tuple[int, int] | None, ...] | None
    """State → its cell (row, column) from the top left, or None if it has no cell. None: row by row."""
    moves: tuple[tuple[int, int] | None, ...]
    """Action → the direction (rows, columns) in which it means to move, for arrows; None: it has none."""
    labels: Mapping[int, str] = field(default_factory=dict)
    """State in which nobody acts, such as a goal → the short text in its cell."""

    def cell(self, state: int) -> tuple[int, int] | None:
        """The cell of a state (row, column), counted from the top left; None if it has no cell."""
        return divmod(state, self.columns) if self.cells is None else self.cells[state]


@dataclass(frozen=True)
class Spaces:
    """The observations and actions of an agent, the same for every parallel environment.

    `observation` is the space of what a policy sees, `frame` the space of what the environment emits. They
    differ if the environment's metadata declares `frame_stack` = k > 1: then an observation is the last k
    frames, oldest first, and `stack_padding` says what fills a stack before an episode's first frame.
    """

    observation: gymnasium.Space[Any]
    action: gymnasium.spaces.Discrete
    frame: gymnasium.Space[Any]
    frame_stack: int
    stack_padding: Literal["repeat", "zero"]
    num_envs: int
    mirror: Mirror | None = None
    """The symmetry that the environment's metadata declares, if any."""
    declared: tuple[gymnasium.Space[Any], gymnasium.Space[Any]] | None = None
    """The observation and action spaces that the environment declares, where they are known. Images are [C, H, W]."""
    channels_last: tuple[str, ...] = ()
    """The leaves that the environment itself shows as images [H, W, C]: the engine turns them."""
    action_names: tuple[str, ...] | None = None
    """Action → its name, if the environment's metadata declares names."""
    board: Board | None = None
    """How pictures lay out the states, if the environment's metadata declares a board."""

    @property
    def num_actions(self) -> int:
        """The number of actions."""
        return int(self.action.n)

    def name_of(self, action: int) -> str:
        """The name of an action; "action 3" where the environment declares no names."""
        return f"action {action}" if self.action_names is None else self.action_names[action]

    def describe(self) -> str:
        """Describe the observations in words, e.g. "4 stacked (84, 84) uint8 frames" or "Discrete(5) observations"."""
        frame = only_leaf(self.frame)
        masked = " with masks" if isinstance(self.frame, Record) and self.frame.actions else ""
        if frame is None:
            parts = [f"{name}: {_short(leaf)}" for name, leaf in leaves_of(self.frame).items()]
            return f"observations of {listed(parts)}{masked}"
        if self.frame_stack > 1:
            return f"{self.frame_stack} stacked {_short(frame)} frames{masked}"
        return f"{_short(frame)} observations{masked}"


def _short(space: gymnasium.Space[Any]) -> str:
    return f"{space.shape} {space.dtype}" if isinstance(space, gymnasium.spaces.Box) else str(space)


@dataclass(frozen=True)
class Step:
    """M transitions, at most one of each environment, in the order of `env_id`.

    `terminated` means that the Markov process ended, so that nothing is bootstrapped from `next_obs`;
    `truncated` means that only the episode ended. `next_obs` is always the true successor, never a reset
    observation. The learner sees `reward`, which is scaled and clipped as the environment's metadata say;
    reports show `raw_reward`. `first` marks rows whose `obs` is the first of an episode.

    `ended` is what a learner asks, and `over` what a report asks. They differ where a life was lost: the learner's
    episode terminates, and the environment's episode goes on.

    Arrays that can be written share no memory, neither with each other nor with those of another step.
    """

    env_id: Int64[np.ndarray, " M"]
    first: Bool[np.ndarray, " M"]
    obs: Shaped[np.ndarray, "M *frame"]
    action: Int64[np.ndarray, " M"]
    reward: Float64[np.ndarray, " M"]
    raw_reward: Float64[np.ndarray, " M"]
    terminated: Bool[np.ndarray, " M"]
    truncated: Bool[np.ndarray, " M"]
    next_obs: Shaped[np.ndarray, "M *frame"]
    frames: int = 1
    """Emulator frames of one row (the frame skip)."""
    info: Mapping[str, Float64[np.ndarray, " M"]] = field(default_factory=dict)
    """Key of the environment's `info` that is recorded → its numbers; NaN where a row has none."""
    life_lost: Bool[np.ndarray, " M"] | None = None
    """Rows that are `terminated` only because a life was lost. None: no row, as in most environments."""
    lost: Bool[np.ndarray, " M"] | None = None
    """Rows that are `first` although the episode before did not end: its process was lost. None: no row.

    No transition leads over such a gap, and reports forget the episode that was lost.
    """
    priority: Float64[np.ndarray, " M"] | None = None
    """The priority with which a sampler begins for the transition that starts at each row. None: the sampler's own."""

    def __len__(self) -> int:
        return len(self.env_id)

    @cached_property
    def ended(self) -> Bool[np.ndarray, " M"]:
        """Rows that end the learner's episode: terminated or truncated."""
        return self.terminated | self.truncated

    @cached_property
    def over(self) -> Bool[np.ndarray, " M"]:
        """Rows that end the environment's episode, which reports count: those of `ended`, without lost lives."""
        return self.ended if self.life_lost is None else self.ended & ~self.life_lost


@dataclass
class Counters:
    """The counters of a run. Parts read them; only the loop advances them."""

    env_steps: int = 0
    frames: int = 0
    updates: int = 0
    episodes: int = 0

    def __getitem__(self, unit: Unit) -> int:
        value: int = getattr(self, unit)
        return value

    def advance(self, step: Step) -> None:
        """Count a step: its rows, their frames and the environments' episodes that are over (`Step.over`)."""
        self.env_steps += len(step)
        self.frames += len(step) * step.frames
        self.episodes += int(step.over.sum())

    def state_dict(self) -> State:
        return asdict(self)

    def load_state_dict(self, state: State) -> None:
        for name, value in state.items():
            setattr(self, name, int(value))


@dataclass
class Batch:
    """B sampled transitions, ready for a loss.

    `reward` is the n-step return. `discount` is γ^k, or 0 if the window terminated. So the target of every
    loss is `reward + discount · bootstrap(next_obs)`, with no special case. A return that already contains its
    bootstrap, such as a λ-return, has discount 0.

    Arrays that can be written share no memory, neither with each other nor with those of another batch.
    """

    ids: Int64[np.ndarray, " B"]
    obs: Shaped[np.ndarray, "B *obs"]
    action: Int64[np.ndarray, " B"]
    reward: Float64[np.ndarray, " B"]
    discount: Float64[np.ndarray, " B"]
    weights: Float64[np.ndarray, " B"]
    read_next_obs: Callable[[], Shaped[np.ndarray, "B *obs"]] = field(repr=False)
    read_next_action: Callable[[], Int64[np.ndarray, " B"]] = field(repr=False)

    @cached_property
    def next_obs(self) -> Shaped[np.ndarray, "B *obs"]:
        """The observations to bootstrap from, read on first use."""
        return self.read_next_obs()

    @cached_property
    def next_action(self) -> Int64[np.ndarray, " B"]:
        """The actions taken on `next_obs`, read on first use.

        −1 means "no action": the episode terminated or was truncated there, or no action has been taken yet.
        """
        return self.read_next_action()

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class TDErrors:
    """The result of a loss: one loss and one priority for each row of a batch.

    `update` is for the optimiser of the same family (with torch: the losses with their graph). The engine
    does not read it. The arrays share no memory with those of the batch or of other errors.
    """

    loss: Float[np.ndarray, " B"]
    priority: Float64[np.ndarray, " B"]
    update: Any
