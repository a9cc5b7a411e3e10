"""The hooks of `dqn`: the parts of its network, its bootstrap and its bonus.

Every hook here is a slot with a default. dqn calls each hook once, while the run is assembled, and gets a function:

* `dqn_torso`, `dqn_linear`, `dqn_stream` and `dqn_head` return a *constructor*. dqn's `make_policy` builds the online
  network with it: torso → stream → head. The target network is a copy of the online network.
* `dqn_bootstrap` and `dqn_bonus` return a function of tensors. dqn's loss calls it for every batch.

An implementation names the arguments that it needs and leaves out the others. Arguments of more than one hook:

    spaces   what the policy observes and which actions it has (`framework.types.Spaces`)
    config   the options in force: `config[MyOptions].rate` reads an option of a section
    seeds    random generators of the run: `seeds.generator("a name of your own")`

In the shapes, B is the number of rows of a batch, A the number of actions and F the number of features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor, nn

from framework.hooks import slot

if TYPE_CHECKING:
    from framework.config import Config
    from framework.seeding import Seeds
    from framework.types import Spaces


class Output(Protocol):
    """What a head returns. `values` [B, A] are the action values.

    A head that represents distributions of returns keeps these in further fields; `values` are then their means.
    """

    @property
    def values(self) -> Float[Tensor, "B A"]: ...


class Head(Protocol):
    """Turns numbers into action values and computes their loss. One object does both, so that they always match."""

    width: int
    """How many numbers the stream gives for each action."""

    def __call__(self, features: Float[Tensor, "B F"], stream: Callable[[Tensor], Tensor]) -> Output:
        """Compute the output for the features of a batch.

        Args:
            features: the torso's output.
            stream: maps features [B, F] to numbers [B, A, width].
        """
        ...

    def loss(
        self,
        online: Output,
        action: Int64[Tensor, " B"],
        target: Output,
        next_distribution: Float[Tensor, "B A"],
        reward: Float[Tensor, " B"],
        discount: Float[Tensor, " B"],
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Return (loss, priority) of each transition. Only the loss has a gradient.

        Args:
            online: the online network's output at the observation. It alone has a gradient.
            action: the action taken.
            target: the target network's output at the next observation.
            next_distribution: the distribution over next actions to bootstrap from; one-hot for Q-learning.
            reward: the return of the transition's steps, plus the bonus.
            discount: the factor of the bootstrapped value. Where it is 0, `target` has no effect, even if it is NaN.
        """
        ...


@runtime_checkable
class DistributionalHead(Protocol):
    """A head that can show the distributions of returns behind its action values. The command `inspect` draws them."""

    def distribution(self, output: Any) -> tuple[Float[Tensor, "B A K"], Float[Tensor, "B A K"]]:
        """Return K possible returns of each action, and their probabilities, of an output of this head."""
        ...


Bonus: TypeAlias = Callable[
    [Callable[[], "Output"], Int64[Tensor, " B"], "Output", Float[Tensor, " B"]], Float[Tensor, " B"]
]
"""(target_before, action, target, discount) → the bonus [B], which the loss adds to each reward.

`target_before()` computes the target network's output at the observation; it costs one pass of the network. `action`
is the action taken there. `target` is the target network's output at the next observation. `discount` is the factor of
the bootstrapped value.
"""

Bootstrap: TypeAlias = Callable[["Output", Callable[[], "Output"]], Float[Tensor, "B A"]]
"""(target, online) → the distribution over next actions to bootstrap from: each row [A] sums to 1.

`target` is the target network's output at the next observation. `online()` computes the online network's output there;
it costs one pass of the network. The values of actions that the environment does not allow are −∞ in both, so an argmax
or a softmax of them is right as it stands; any other rule must give such actions the probability 0.
"""

TorsoConstructor: TypeAlias = Callable[[], nn.Module]
"""() → a module from observations [B, *obs] to features [B, F].

Its attribute `features` is F. It gets raw observations, such as uint8 images, and scales them itself.
"""

LinearConstructor: TypeAlias = Callable[[int, int], nn.Module]
"""(inputs, outputs) → a layer from [B, inputs] to [B, outputs]."""

StreamConstructor: TypeAlias = Callable[[int, int, int], nn.Module]
"""(F, A, width) → a module from features [B, F] to numbers [B, A, width]. The head decides the width."""

HeadConstructor: TypeAlias = Callable[[int], nn.Module]
"""(F) → a `Head`, which is a module."""


@slot
def dqn_torso(spaces: Spaces, leaf: str, config: Config) -> TorsoConstructor:
    """The torso: observations → features. Raise `UnsupportedSpace` for observations that it cannot serve.

    dqn calls this hook for each leaf of a Tuple or Dict observation, and joins the features. The default serves the
    leaves that you refuse; you must serve at least one.

    Default: one-hot vectors for Discrete and MultiDiscrete observations, convolutions for uint8 images, fully connected
    layers otherwise.

    Args:
        leaf: the leaf's name, such as "camera" or "robot.arm"; "observation" if there are no others. `spaces` has this
            leaf as its observation.
    """
    raise NotImplementedError


@slot
def dqn_linear(config: Config, seeds: Seeds) -> LinearConstructor:
    """The linear layers of the stream. Default: `torch.nn.Linear`."""
    raise NotImplementedError


@slot
def dqn_stream(linear: LinearConstructor, config: Config) -> StreamConstructor:
    """The stream: features → numbers for each action. Default: one hidden layer of `dqn.hidden` units.

    Where `dqn.precision` is bfloat16, the stream runs under torch's autocast. The last layer of the default does
    not, so that action values keep the digits of float32.

    Args:
        linear: the constructor from `dqn_linear`. Build every layer with it, so that a plugin such as `noisy` can
            replace the layers.
    """
    raise NotImplementedError


@slot
def dqn_head(spaces: Spaces, config: Config, seeds: Seeds) -> HeadConstructor:
    """The head: numbers → action values, and their loss. Default: one number for each action, its value."""
    raise NotImplementedError


@slot
def dqn_bootstrap(config: Config) -> Bootstrap:
    """The bootstrap: which next actions the loss bootstraps from. Default: the best action by the target network."""
    raise NotImplementedError


@slot
def dqn_bonus(config: Config) -> Bonus:
    """The bonus: what the loss adds to the rewards of a batch. Default: 0."""
    raise NotImplementedError
