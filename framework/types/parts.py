"""The protocols of the parts: what each slot of a composition holds.

The letters in the shapes are those of `framework.types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped

from framework.types.data import Batch, Counters, State, Step, TDErrors


@runtime_checkable
class Policy(Protocol):
    """Estimates action values, of actions that the environment does not allow, too. Its weights are its state.

    `explore` is true during training: a policy that explores by itself (noisy layers) does so only then.
    """

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float[np.ndarray, "N A"]: ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


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
