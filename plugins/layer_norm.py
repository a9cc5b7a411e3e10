"""Layer normalisation (Ba et al. 2016) before every activation of the network, which steadies learning off-policy.

y = γ ⊙ (x − E[x]) / √(Var[x] + ε) + β, over all units of a layer; over channels and pixels of a convolution, with one
γ and one β for each channel. Gallici et al. 2024 (section 4) show that it bounds the divergence of TD without targets.
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
    """The module, with a normalisation between each linear layer or convolution and a ReLU that follows it.

    Looks into every `nn.Sequential`; noisy layers count as linear ones.
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
