"""What a program that runs an exported policy has to know: inputs, frames, actions, masks, and where it comes from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete

from framework.assembly.parts import Agent
from framework.exporting import OUTPUT
from framework.spaces import Record
from framework.training.run_folder import versions
from framework.types import Described, ModelInput

FORMAT = 1
"""The version of the description."""

PADDING = {"repeat": "copies of the episode's first frame", "zero": "zeros"}


def describe(agent: Agent, inputs: Sequence[ModelInput], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The description, as JSON values.

    Args:
        facts: what is known of the weights: their name, SHA-256 and environment steps.
    """
    spaces = agent.spaces
    action = spaces.declared[1] if spaces.declared else spaces.action
    masked = isinstance(spaces.frame, Record) and bool(spaces.frame.actions)
    return {
        "format": FORMAT,
        "inputs": [_input(given) for given in inputs],
        "output": {"name": OUTPUT, "dtype": "float32", "shape": ["batch", spaces.num_actions]},
        "frame_stack": {
            "frames": spaces.frame_stack,
            "order": "oldest first",
            "before the first frame": PADDING[spaces.stack_padding],
        }
        if spaces.frame_stack > 1
        else None,
        "actions": {"count": spaces.num_actions, **_actions(action)},
        "masks": "the environment gives masks: leave out the values of actions that it does not allow"
        if masked
        else None,
        "plugins": list(agent.plugins.names),
        "slots": dict(agent.filled),
        "policy": dict(agent.policy.manifest()) if isinstance(agent.policy, Described) else {},
        "options": agent.config.flat(),
        "weights": dict(facts),
        "versions": {"python": platform.python_version(), **versions(agent.plugins)},
    }


def _input(given: ModelInput) -> dict[str, Any]:
    return {
        "name": given.name,
        "keys": list(given.keys),
        "dtype": given.dtype.name,
        "shape": ["batch", *given.shape],
        **({"image": "[..., height, width, channels]"} if given.channels_last else {}),
    }


def _actions(space: Any) -> dict[str, Any]:
    """How the number of an action, counted from 0, becomes an action of the environment."""
    if isinstance(space, Discrete):
        return {"space": "Discrete", "start": int(space.start)}
    order = "the combinations in the order of their parts, of which the last changes fastest"
    if isinstance(space, MultiDiscrete):
        start = np.broadcast_to(np.asarray(space.start), space.nvec.shape)
        return {"space": "MultiDiscrete", "factors": space.nvec.tolist(), "start": start.tolist(), "order": order}
    if isinstance(space, MultiBinary):
        return {"space": "MultiBinary", "factors": np.full(space.shape, 2).tolist(), "order": order}
    return {"space": str(space)}
