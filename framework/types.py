"""The data that flows through a run, and the protocols of the parts.

All data is in batches. In the annotations N is the number of environments, M the rows of a step (M = N
unless some rows are not transitions), B the size of a batch, K a number of ids, n the steps of a window
and A the number of actions. `*frame` is the shape of one raw observation of an environment. `*obs` is the
shape of one observation of a policy. Both are the same unless the environment declares a frame stack k:
then `*obs` is `k *frame`. Observations of several parts, and those with masks, are structured arrays: see
`framework.spaces`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

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


@runtime_checkable
class Stateful(Protocol):
    """A part whose state belongs in a checkpoint."""

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


@runtime_checkable
class SideBySide(Protocol):
    """A factory of single environments that also puts N of them side by side, such as in processes elsewhere.

    `make_env` may return one. Where the engine wants one environment in this process, it calls the factory.
    """

    def __call__(self) -> gymnasium.Env[Any, Any]: ...

    def side_by_side(
        self, num_envs: int, global_seeds: Sequence[int], wanted: Mapping[str, bool]
    ) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        """Return N environments, each with the wrappers of all plugins and behind the engine's `Edge`.

        Args:
            num_envs: N.
            global_seeds: for the global random state of each process that environments have for themselves.
            wanted: keys of `info` that must cross the edge: see `framework.environments.info.Wanted`.
        """
        ...


@runtime_checkable
class Described(Protocol):
    """A part that adds to the run's manifest: name → JSON value."""

    def manifest(self) -> Mapping[str, Any]: ...


@runtime_checkable
class Measured(Protocol):
    """A part with numbers that show whether learning is healthy, such as the norm of the last gradient."""

    def measures(self) -> Mapping[str, float]:
        """Return name → number, now. It is called for learning rows and checkpoints, and draws no random number."""
        ...


@runtime_checkable
class Segmented(Protocol):
    """A stateful part with a long log. A checkpoint writes only what is new since the previous checkpoint."""

    def cut(self) -> tuple[State, Mapping[str, Callable[[], State]]]:
        """Return the state in pieces: (what every checkpoint writes again, name → function that reads a segment).

        A segment holds what the part received between two cuts. The oldest segment comes first. A segment never
        changes, and no other segment ever has its name. It stays among the pieces as long as the part needs any of it.
        """
        ...

    def join(self, state: State, segments: Iterable[State]) -> None:
        """Load what `cut` returned, with the segments in the same order.

        After that, `state_dict` returns what it would have returned at the cut.
        """
        ...


@runtime_checkable
class Policy(Protocol):
    """Estimates action values, of actions that the environment does not allow, too. Its weights are its state.

    `explore` is true during training: a policy that explores by itself (noisy layers) does so only then.
    """

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float[np.ndarray, "N A"]: ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


@runtime_checkable
class Averaged(Protocol):
    """A policy that plays evaluations with other weights than those that it learns.

    `learner` is the policy with the learned weights. A part that learns from action values must ask it for them.
    """

    @property
    def learner(self) -> Policy: ...


@runtime_checkable
class Distributional(Protocol):
    """A policy that may learn the return of each action as a distribution. The command `inspect` draws it."""

    def return_distribution(
        self, obs: Shaped[np.ndarray, "N *obs"]
    ) -> tuple[Float[np.ndarray, "N A K"], Float[np.ndarray, "N A K"]] | None:
        """Return K possible returns of each action and their probabilities, for the weights that play evaluations.

        The probabilities of an action sum to 1, and the mean is the action value. None: this policy learns values only.
        """
        ...


@runtime_checkable
class Targeted(Protocol):
    """A policy with a target network: a second, slower copy of itself to bootstrap from."""

    def update_target(self, fraction: float) -> None:
        """target ← fraction · online + (1 − fraction) · target, with fraction in (0, 1]; 1 is an exact copy."""
        ...


@dataclass(frozen=True, eq=False)
class ModelInput:
    """An input of an exported policy: one leaf of the environment's observations, in the environment's own form."""

    name: str
    keys: tuple[str | int, ...]
    """The keys and indices on the way to the leaf in an observation of the environment; empty for the whole."""
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """The shape of one observation, without the batch; with a frame stack k, (k, *frame)."""
    start: Shaped[np.ndarray, "*shape"]
    """What the environment counts from. The policy gets the input minus this."""
    channels_last: bool
    """Whether the last three axes are an image [H, W, C]. The policy gets [C, H, W]."""


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """A policy as the content of a file, and two ways to compute its action values, float32 [B, A], to compare."""

    content: bytes
    run: Callable[[Sequence[Shaped[np.ndarray, "B *leaf"]]], Float[np.ndarray, "B A"]]
    """Loads the content and computes the action values of the inputs, in their order."""
    reference: Callable[[Shaped[np.ndarray, "B *obs"]], Float[np.ndarray, "B A"]]
    """The policy's own values of the same observations, in float32 where the policy computes with fewer digits."""


@runtime_checkable
class Exportable(Protocol):
    """A policy that can be exported as a file, for programs without this package."""

    def export(self, suffix: str, inputs: Sequence[ModelInput], metadata: str) -> ExportedModel:
        """The values of `action_values(obs, explore=False)` as a function of the inputs, with a dynamic batch.

        Args:
            suffix: the format: ".onnx" or ".pt2" (torch.export).
            inputs: the file's inputs, in this order. The output is called "action_values".
            metadata: JSON that becomes a part of the file, under the key `framework.exporting.METADATA`.

        Raises:
            UsageError: if a library is missing, or the policy cannot be exported in this format.
        """
        ...


@runtime_checkable
class Exploration(Protocol):
    """Turns action values into actions, with a random generator of its own.

    Where the environment gives masks, the values of actions that it does not allow are −∞, and they must not be chosen:
    see `framework.spaces.legal_actions`.
    """

    def choose(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Int64[np.ndarray, " N"]: ...

    def probabilities(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Float64[np.ndarray, "N A"]:
        """The distribution over actions that `choose` draws from. This method draws nothing."""
        ...

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        """Numbers to report, such as ε."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """Chooses transitions, by their ids, among the active ids.

    An id is never used again. Ids that are active at the same time differ modulo the capacity, so
    `id % capacity` may index an array.
    """

    def allocate(self, capacity: int) -> None:
        """Called once, before all other methods."""
        ...

    def activate(self, ids: Int64[np.ndarray, " K"]) -> None: ...

    def retire(self, ids: Int64[np.ndarray, " K"]) -> None:
        """Remove ids that are about to be overwritten. The sampler ignores ids that are not active."""
        ...

    def sample(self, n: int, counters: Counters) -> tuple[Int64[np.ndarray, " B"], Float64[np.ndarray, " B"]]:
        """Return at most n active ids and their importance weights; fewer than n only if no more are available."""
        ...

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        """Set the priorities of these ids. The sampler ignores ids that are no longer active."""
        ...

    def __len__(self) -> int:
        """How many ids can be sampled now."""
        ...


@runtime_checkable
class Returns(Protocol):
    """Folds a window of rewards into one return: applies the discount γ and stops at the end of an episode.

    A buffer that computes its own returns, such as the buffer of `pqn`, applies γ itself and does not use this part.
    """

    @property
    def horizon(self) -> int:
        """n ≥ 1, the largest number of steps in a window.

        A transition can be sampled as soon as its window is complete or its episode has ended.
        """
        ...

    def fold(
        self,
        reward: Float64[np.ndarray, "B n"],
        terminated: Bool[np.ndarray, "B n"],
        truncated: Bool[np.ndarray, "B n"],
    ) -> tuple[Float64[np.ndarray, " B"], Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
        """Return (return, discount, length). A window uses length = k ≤ n steps; its discount is γ^k.

        The discount is 0 if the window terminated. Columns after the end of an episode hold other episodes and must
        not be used.
        """
        ...


@runtime_checkable
class Buffer(Protocol):
    """Stores transitions and gives batches of them."""

    def add(self, step: Step) -> None: ...

    def sample(self, n: int, counters: Counters) -> Batch: ...

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None: ...

    def __len__(self) -> int:
        """How many transitions can be sampled now."""
        ...


@runtime_checkable
class Browsable(Protocol):
    """A buffer whose transitions can be read without its sampler. The command `inspect` reads them."""

    def ids(self) -> Int64[np.ndarray, " K"]:
        """Return the ids of the transitions that the buffer holds, each once, oldest first in each environment."""
        ...

    def read(self, ids: Int64[np.ndarray, " B"]) -> Batch:
        """Return these transitions, all with the importance weight 1."""
        ...


@runtime_checkable
class Loss(Protocol):
    """Computes the temporal-difference errors of a batch. It changes nothing."""

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors: ...


@runtime_checkable
class Optimizer(Protocol):
    """Updates the policy. Only this part applies `batch.weights`. The loop has checked that every loss is finite."""

    def apply(self, batch: Batch, errors: TDErrors) -> None: ...


@runtime_checkable
class TargetSync(Protocol):
    """Decides when the target network follows the online network. The loop calls it after each update and each step."""

    def tick(self, counters: Counters) -> None: ...


@runtime_checkable
class Cadence(Protocol):
    """Decides how many updates are due, and how large a batch is."""

    @property
    def batch_size(self) -> int: ...

    @property
    def overlap(self) -> bool:
        """True: the actions are chosen before the updates that are due, which run while the environments step."""
        ...

    def due(self, counters: Counters) -> int:
        """How many updates the run should have made by now, in total. A pure function of the counters."""
        ...


@runtime_checkable
class Collector(Protocol):
    """Acts in the environments. `begin` chooses the actions and starts a step; `finish` waits for its result."""

    def begin(self, counters: Counters) -> None: ...

    def finish(self) -> Step: ...


def __getattr__(name: str) -> Any:
    """Serve `Errors`, the old name of `TDErrors`, for one more version."""
    if name == "Errors":
        warnings.warn("framework.types.Errors is called TDErrors now", DeprecationWarning, stacklevel=2)
        return TDErrors
    raise AttributeError(f"module 'framework.types' has no attribute '{name}'")
