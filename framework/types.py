"""The data that flows through a run, and the protocols of the parts that move it.

Everything is batched. In the annotations N is the number of environments, M the rows of a step
(M = N unless some rows are not transitions), B the batch, A the number of actions; `*frame` is the
shape of one environment's raw observation and `*obs` that of what a policy sees, which is the same
unless the environment declares a frame stack k: then `*obs` is `k *frame`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

import gymnasium
import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped

State = Mapping[str, Any]
"""What a stateful part saves: a nested dict of numpy arrays and JSON scalars."""

Unit = Literal["env_steps", "frames", "updates", "episodes"]
"""What a schedule or a period counts."""

Role = Literal["train", "evaluate", "watch"]
"""What an environment is for."""


@dataclass(frozen=True)
class Mirror:
    """A symmetry of an environment: what a game looks like in a mirror is a game as well."""

    axis: int
    """Of a frame, counted from its end (−1, −2, …): the one that the mirror turns round."""
    actions: tuple[int, ...]
    """Action → the same in the mirror."""


@dataclass(frozen=True)
class Spaces:
    """What an agent sees and may do, the same for every parallel environment.

    `observation` is what a policy sees; `frame` is what the environment emits. They differ where the
    environment's metadata declares `frame_stack` = k > 1: observations are then the last k frames,
    oldest first, and `stack_padding` says what stands before an episode's first frame.
    """

    observation: gymnasium.Space[Any]
    action: gymnasium.spaces.Discrete
    frame: gymnasium.Space[Any]
    frame_stack: int
    stack_padding: Literal["repeat", "zero"]
    num_envs: int
    mirror: Mirror | None = None
    """The symmetry that the environment's metadata declares, if any."""

    @property
    def num_actions(self) -> int:
        return int(self.action.n)

    def describe(self) -> str:
        """The observations in words, e.g. "4 stacked (84, 84) uint8 frames" or "Discrete(5) observations"."""
        if self.frame_stack > 1:
            return f"{self.frame_stack} stacked {self.frame.shape} {self.frame.dtype} frames"
        if isinstance(self.observation, gymnasium.spaces.Discrete):
            return f"Discrete({self.observation.n}) observations"
        return f"{self.observation.shape} {self.observation.dtype} observations"


@dataclass(frozen=True)
class Step:
    """M transitions, one of each environment that made one, in the order of `env_id`.

    `terminated` ends the Markov process, so nothing may be bootstrapped from `next_obs`; `truncated`
    only ends the episode. `next_obs` is always the true successor, never a reset observation.
    `reward` is what the learner sees (clipped where the environment's metadata says so), `raw_reward`
    what is reported. `first` marks rows whose `obs` is the first of an episode.
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
    """Emulator frames that one row stands for (the frame skip)."""

    def __len__(self) -> int:
        return len(self.env_id)

    @cached_property
    def ended(self) -> Bool[np.ndarray, " M"]:
        """Rows that are the last of their episode, for either reason."""
        return self.terminated | self.truncated


@dataclass
class Counters:
    """The run's clocks. Parts read them; only the loop advances them."""

    env_steps: int = 0
    frames: int = 0
    updates: int = 0
    episodes: int = 0

    def __getitem__(self, unit: Unit) -> int:
        value: int = getattr(self, unit)
        return value

    def advance(self, step: Step) -> None:
        """Count a step: its rows, their frames and the episodes that it ended."""
        self.env_steps += len(step)
        self.frames += len(step) * step.frames
        self.episodes += int(step.ended.sum())

    def state_dict(self) -> State:
        return asdict(self)

    def load_state_dict(self, state: State) -> None:
        for name, value in state.items():
            setattr(self, name, int(value))


@dataclass
class Batch:
    """B sampled transitions, ready for a loss.

    `reward` is already the n-step (or λ-) return and `discount` its γ^k, 0 where the window terminated,
    so that every loss is `reward + discount · bootstrap(next_obs)` with no special case.
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
        """The observations to bootstrap from, read when first asked for."""
        return self.read_next_obs()

    @cached_property
    def next_action(self) -> Int64[np.ndarray, " B"]:
        """The actions taken on `next_obs`, read when first asked for.

        −1 where there is none: the episode ended there, for either reason, or none has been taken yet.
        """
        return self.read_next_action()

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class TDErrors:
    """What a loss found in a batch: one loss and one priority for each row.

    `update` is for the optimiser of the same family (for torch the losses with their graph) and
    opaque to the engine.
    """

    loss: Float[np.ndarray, " B"]
    priority: Float64[np.ndarray, " B"]
    update: Any


@runtime_checkable
class Stateful(Protocol):
    """A part that a checkpoint must hold."""

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


@runtime_checkable
class Described(Protocol):
    """A part with something to say in the run's manifest: JSON values by name."""

    def manifest(self) -> Mapping[str, Any]: ...


@runtime_checkable
class Segmented(Protocol):
    """A stateful part with a long log, of which a checkpoint writes only what is new since the one before."""

    def cut(self) -> tuple[State, Mapping[str, Callable[[], State]]]:
        """The state in pieces: (what is written anew each time, name → how to read a segment, the oldest first).

        A segment is what came in between two cuts. It never changes, and its name is never that of another; it is
        among the pieces until nothing of it is needed any more.
        """
        ...

    def join(self, state: State, segments: Iterable[State]) -> None:
        """Load what `cut` gave, the segments in their order."""
        ...


@runtime_checkable
class Policy(Protocol):
    """Estimates the value of each action. Its weights are its state.

    `explore` is true while training: a policy that explores by itself (noisy layers) does so only then.
    """

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float[np.ndarray, "N A"]: ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


@runtime_checkable
class Averaged(Protocol):
    """A policy that plays evaluations with other weights than those it learns.

    A part that learns from action values asks `learner` for them.
    """

    @property
    def learner(self) -> Policy: ...


@runtime_checkable
class Targeted(Protocol):
    """A policy with a second, slower copy of itself to bootstrap from."""

    def update_target(self, fraction: float) -> None:
        """target ← fraction · online + (1 − fraction) · target, with fraction in (0, 1]; 1 is an exact copy."""
        ...


@runtime_checkable
class Exploration(Protocol):
    """Turns values into actions with a random stream of its own."""

    def choose(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Int64[np.ndarray, " N"]: ...

    def probabilities(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Float64[np.ndarray, "N A"]:
        """The distribution that `choose` draws from. Draws nothing."""
        ...

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        """Figures to report, such as ε."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """Chooses ids among the active ones.

    An id is never reused; ids that are active at the same time differ modulo the capacity, so
    `id % capacity` may index an array.
    """

    def allocate(self, capacity: int) -> None:
        """Called once, before anything else."""
        ...

    def activate(self, ids: Int64[np.ndarray, " K"]) -> None: ...

    def retire(self, ids: Int64[np.ndarray, " K"]) -> None:
        """These ids are about to be overwritten. Ids that are not active are ignored."""
        ...

    def sample(self, n: int, counters: Counters) -> tuple[Int64[np.ndarray, " B"], Float64[np.ndarray, " B"]]:
        """At most n active ids and their importance weights; fewer only where fewer can be given."""
        ...

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        """Ids that are no longer active are ignored."""
        ...

    def __len__(self) -> int:
        """How many ids could be sampled now."""
        ...


@runtime_checkable
class Returns(Protocol):
    """Folds a window of rewards into one transition. γ and episode ends appear here alone."""

    @property
    def horizon(self) -> int:
        """n, the most steps a window may span; at least 1. A start is not sampled before its window is whole."""
        ...

    def fold(
        self,
        reward: Float64[np.ndarray, "B n"],
        terminated: Bool[np.ndarray, "B n"],
        truncated: Bool[np.ndarray, "B n"],
    ) -> tuple[Float64[np.ndarray, " B"], Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
        """(return, discount, length): length k ≤ n steps were used; discount is γ^k, or 0 if the window terminated.

        Columns after an end hold whatever came next and must not be used.
        """
        ...


@runtime_checkable
class Buffer(Protocol):
    """Keeps transitions and gives batches of them."""

    def add(self, step: Step) -> None: ...

    def sample(self, n: int, counters: Counters) -> Batch: ...

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None: ...

    def __len__(self) -> int:
        """How many transitions could be sampled now."""
        ...


@runtime_checkable
class Loss(Protocol):
    """Computes the temporal-difference errors of a batch. Changes nothing."""

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors: ...


@runtime_checkable
class Optimizer(Protocol):
    """Moves the policy. The only reader of `batch.weights`. The loop has seen to it that every loss is finite."""

    def apply(self, batch: Batch, errors: TDErrors) -> None: ...


@runtime_checkable
class TargetSync(Protocol):
    """Decides when a target follows its online policy. Called after each update and after each step."""

    def tick(self, counters: Counters) -> None: ...


@runtime_checkable
class Cadence(Protocol):
    """Decides how much to learn."""

    @property
    def batch_size(self) -> int: ...

    @property
    def overlap(self) -> bool:
        """True: actions are chosen before the pending updates, which run while the environments step."""
        ...

    def due(self, counters: Counters) -> int:
        """How many updates the run should have made by now, in all. A pure function."""
        ...


@runtime_checkable
class Collector(Protocol):
    """Acts. `begin` chooses actions and lets the environments start; `finish` waits for their step."""

    def begin(self, counters: Counters) -> None: ...

    def finish(self) -> Step: ...


def __getattr__(name: str) -> Any:
    """The old name of `TDErrors`, for one version."""
    if name == "Errors":
        warnings.warn("framework.types.Errors is called TDErrors now", DeprecationWarning, stacklevel=2)
        return TDErrors
    raise AttributeError(f"module 'framework.types' has no attribute '{name}'")
