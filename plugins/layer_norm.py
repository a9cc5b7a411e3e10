"""Layer normalisation (Ba et al. 2016) between each linear layer or convolution and its ReLU, which makes off-policy
learning more stable.

y = γ ⊙ (x − E[x]) / √(Var[x] + ε) + β, with E and Var over all units of a layer. For a convolution they are over all
channels and pixels, and each channel has one γ and one β. (The published code of PQN takes them over the channels of
each pixel. Here they are over the whole layer, whose output one normalisation then bounds.) Gallici et al. 2024
(section 4) show that layer normalisation bounds the divergence of temporal-difference learning without target networks.

In `impala` the convolution of each stage and the first one of each residual block are normalised. The second one of a
block is not: its output is added to the block's input. In `iqn` the embedding of the levels is normalised, too.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from torch import nn

from framework.conformance.check import Check
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import HeadConstructor, StreamConstructor, TorsoConstructor

M = TypeVar("M", bound=nn.Module)


def normalised(module: M) -> M:
    """Insert a normalisation after each linear layer or convolution whose output goes to a ReLU; return the module.

    It searches every `nn.Sequential`. A pooling may stand before the ReLU, and the ReLU may be the first module of a
    nested `nn.Sequential`. Noisy layers count as linear layers.
    """
    for part in list(module.modules()):
        if not isinstance(part, nn.Sequential):
            continue
        layers = list(part)
        for index in reversed(range(len(layers) - 1)):
            if _activates(layers[index + 1 :]):
                normaliser = _normaliser(layers[index])
                if normaliser is not None:
                    part.insert(index + 1, normaliser)
    return module


def _activates(layers: Sequence[nn.Module]) -> bool:
    """Whether what these layers get goes to a ReLU, at most through poolings."""
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            return _activates(list(layer))
        if not isinstance(layer, nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveMaxPool2d | nn.AdaptiveAvgPool2d):
            return isinstance(layer, nn.ReLU)
    return False


def _normaliser(layer: nn.Module) -> nn.Module | None:
    if isinstance(layer, nn.Conv2d):
        return nn.GroupNorm(1, layer.out_channels)
    bias = getattr(layer, "bias", None)
    return nn.LayerNorm(len(bias)) if isinstance(bias, nn.Parameter) and bias.ndim == 1 else None


@hookimpl(wrapper=True)
def dqn_torso() -> Generator[None, TorsoConstructor, TorsoConstructor]:
    build = yield
    return lambda: normalised(build())


@hookimpl(wrapper=True)
def dqn_stream() -> Generator[None, StreamConstructor, StreamConstructor]:
    build: Callable[[int, int, int], nn.Module] = yield
    return lambda features, actions, width: normalised(build(features, actions, width))


@hookimpl(wrapper=True)
def dqn_head() -> Generator[None, HeadConstructor, HeadConstructor]:
    build = yield
    return lambda features: normalised(build(features))


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance.normalised import activations_are_normalised

    return [activations_are_normalised]
