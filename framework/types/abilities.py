"""What a part may be able to do besides: a part that has the methods of such a protocol is asked for it.

The letters in the shapes are those of `framework.types`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from jaxtyping import Float, Int64, Shaped

from framework.types.data import Batch, State
from framework.types.parts import Policy


@runtime_checkable
class Stateful(Protocol):
    """A part whose state belongs in a checkpoint."""

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


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
class Averaged(Protocol):
    """A policy that plays evaluations with other weights than those that it learns.

    `learner` is the policy with the learned weights. A part that learns from action values must ask it for them.
    """

    @property
    def learner(self) -> Policy: ...


@runtime_checkable
class Targeted(Protocol):
    """A policy with a target network: a second, slower copy of itself to bootstrap from."""

    def update_target(self, fraction: float) -> None:
        """target ← fraction · online + (1 − fraction) · target, with fraction in (0, 1]; 1 is an exact copy."""
        ...


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
class Browsable(Protocol):
    """A buffer whose transitions can be read without its sampler. The command `inspect` reads them."""

    def ids(self) -> Int64[np.ndarray, " K"]:
        """Return the ids of the transitions that the buffer holds, each once, oldest first in each environment."""
        ...

    def read(self, ids: Int64[np.ndarray, " B"]) -> Batch:
        """Return these transitions, all with the importance weight 1."""
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
