"""Layer normalisation (Ba et al. 2016) between each linear layer or convolution and its ReLU, which makes off-policy
learning more stable.

y = γ ⊙ (x − E[x]) / √(Var[x] + ε) + β, with E and Var over all units of a layer. For a convolution they are over all
channels and pixels, and each channel has one γ and one β. Gallici et al. 2024 (section 4) show that layer normalisation
bounds the divergence of temporal-difference learning without target networks. The plugin
does not change the convolutions of `impala`: none of them is directly before an `nn.ReLU`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from torch import nn

from framework.conformance.check import Check, checks_in
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import StreamConstructor, TorsoConstructor

M = TypeVar("M", bound=nn.Module)


def normalised(module: M) -> M:
    """Insert a normalisation between each linear layer or convolution and a ReLU directly after it; return the module.

    It searches every `nn.Sequential`. Noisy layers count as linear layers.
    """
    for part in list(module.modules()):
        if not isinstance(part, nn.Sequential):
            continue
        layers = list(part)
        for index in reversed(range(len(layers) - 1)):
            if isinstance(layers[index + 1], nn.ReLU):
                normaliser = _normaliser(layers[index])
                if normaliser is not None:
                    part.insert(index + 1, normaliser)
    return module


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


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance import normalised

    return checks_in(normalised)
