"""The hooks that `dqn` adds: what its network is made of, and what it bootstraps from.

Each returns a *constructor*, because a network builds many layers. They are called by dqn's make_policy
and make_loss, while the run is assembled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from jaxtyping import Float, Int64
from torch import Tensor, nn

from framework.hooks import slot

if TYPE_CHECKING:
    from framework.config import Config
    from framework.seeding import Seeds
    from framework.types import Spaces


class Output(Protocol):
    """What a head reads from a network. `values` [B, A] are the means, whatever the head represents."""

    @property
    def values(self) -> Float[Tensor, "B A"]: ...


class Head(Protocol):
    """How numbers become action values, and how two of them are compared: one object, so that they cannot mismatch."""

    width: int
    """Numbers for each action that the stream gives."""

    def __call__(self, features: Float[Tensor, "B F"], stream: Callable[[Tensor], Tensor]) -> Output:
        """Read action values through the stream, which maps [B, F] to [B, A, width]."""
        ...

    def loss(
        self,
        online: Output,
        action: Int64[Tensor, " B"],
        target: Output,
        policy: Float[Tensor, "B A"],
        reward: Float[Tensor, " B"],
        discount: Float[Tensor, " B"],
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """(loss, priority) of each transition.

        Args:
            target: of the target network at the next observation, without gradient.
            policy: the distribution over next actions to bootstrap from; one-hot for Q-learning.
            discount: 0 where nothing may be bootstrapped, not even a NaN.
        """
        ...


Bonus: TypeAlias = Callable[
    [Callable[[], "Output"], Int64[Tensor, " B"], "Output", Float[Tensor, " B"]], Float[Tensor, " B"]
]
"""(function giving the target network's output at the observation, action, its output at the next one, discount) →
what is added to each reward."""

Bootstrap: TypeAlias = Callable[["Output", Callable[[], "Output"]], Float[Tensor, "B A"]]
"""(target network's output, function giving the online one's) at the next observation → distribution over actions."""

TorsoConstructor: TypeAlias = Callable[[], nn.Module]
"""() → module from observations to features [B, F], F in its attribute `features`. It scales observations itself."""

LinearConstructor: TypeAlias = Callable[[int, int], nn.Module]
"""(inputs, outputs) → a linear layer."""

StreamConstructor: TypeAlias = Callable[[int, int, int], nn.Module]
"""(features, actions, width) → a module from [B, F] to [B, A, width]."""

HeadConstructor: TypeAlias = Callable[[int], nn.Module]
"""(features) → a `Head`."""


@slot
def dqn_torso(spaces: Spaces, config: Config) -> TorsoConstructor:
    """Observations → features. Default, by space: one-hot, fully connected, or convolutional."""
    raise NotImplementedError


@slot
def dqn_linear(config: Config, seeds: Seeds) -> LinearConstructor:
    """The layers of the stream. Default: `torch.nn.Linear`."""
    raise NotImplementedError


@slot
def dqn_stream(linear: LinearConstructor, config: Config) -> StreamConstructor:
    """Features → numbers for each action. Default: one hidden layer."""
    raise NotImplementedError


@slot
def dqn_head(spaces: Spaces, config: Config, seeds: Seeds) -> HeadConstructor:
    """Numbers → action values and their loss. Default: one number is the value."""
    raise NotImplementedError


@slot
def dqn_bootstrap(config: Config) -> Bootstrap:
    """Which next actions the target looks at. Default: the best one in the target network's eyes."""
    raise NotImplementedError


@slot
def dqn_bonus(config: Config) -> Bonus:
    """What the learner's rewards gain. Default: nothing."""
    raise NotImplementedError
