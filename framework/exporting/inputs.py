"""The inputs of an exported policy: the observations of the environment, one input for each leaf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from framework.environments.leaves import leaves, name_of
from framework.spaces import leaves_of
from framework.types import ModelInput, Spaces


def model_inputs(spaces: Spaces) -> list[ModelInput]:
    """The inputs for these spaces, in the order of the leaves. A mask is no input.

    Images are [H, W, C] where the environment shows them so. Finite observations count from the environment's start.
    """
    declared = {name_of(keys): (keys, leaf) for keys, leaf in leaves(spaces.declared[0])} if spaces.declared else {}
    found = []
    for name, space in leaves_of(spaces.observation).items():
        keys, own = declared.get(name, ((), space))
        shape = tuple(space.shape or ())
        turned = name in spaces.channels_last
        if turned:
            *before, channels, height, width = shape
            shape = (*before, height, width, channels)
        assert space.dtype is not None
        dtype = np.dtype(space.dtype)
        start = np.broadcast_to(np.asarray(getattr(own, "start", 0), dtype), shape)
        found.append(ModelInput(name, keys, dtype, shape, start, turned))
    return found


def as_inputs(
    inputs: Sequence[ModelInput], observations: Shaped[np.ndarray, "B *obs"]
) -> list[Shaped[np.ndarray, "B *leaf"]]:
    """Observations of the engine as the environment shows them, one array for each input."""
    found: list[Any] = []
    for given in inputs:
        leaf = observations[given.name] if observations.dtype.names else observations
        array = np.moveaxis(leaf, -3, -1) if given.channels_last else leaf
        # a copy, because a field of a structured array has strides that other libraries refuse
        found.append(np.array(array + given.start if given.start.any() else array, given.dtype, order="C"))
    return found
