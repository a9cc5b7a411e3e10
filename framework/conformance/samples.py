"""Spaces and batches of prime sizes, to build single parts on and to show to losses."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from framework.types import Batch, Spaces

B, A, N = 7, 3, 5
"""Rows of a batch, actions, environments: distinct primes, so that one axis cannot pass for another."""


def frames_of(shape: tuple[int, ...] = (), dtype: Any = np.int64, stack: int = 1, envs: int = N, **more: Any) -> Spaces:
    """Spaces for buffers and explorations: frames of this shape and dtype, any value, and `A` actions.

    Args:
        more: `padding`, "repeat" or "zero"; `actions`.
    """
    info = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
    frame = gymnasium.spaces.Box(info.min, info.max, shape, dtype)
    stacked = gymnasium.spaces.Box(info.min, info.max, (stack, *shape), dtype) if stack > 1 else frame
    return Spaces(
        observation=stacked,
        action=gymnasium.spaces.Discrete(more.get("actions", A)),
        frame=frame,
        frame_stack=stack,
        stack_padding=more.get("padding", "repeat"),
        num_envs=envs,
    )


def some_batch(spaces: Spaces, rng: np.random.Generator, rows: int = B, **given: Any) -> Batch:
    """A batch of random transitions as a loss gets it: rewards and next observations of any kind, discounts of 0.9.

    Args:
        given: arrays that replace fields; `next_obs` and `next_action` as arrays.
    """
    space = spaces.observation
    space.seed(int(rng.integers(2**31)))

    def observations() -> np.ndarray:
        if isinstance(space, gymnasium.spaces.Discrete):
            return rng.integers(space.n, size=rows)
        return np.stack([_bounded(space, rng) for _ in range(rows)])

    next_obs = given.pop("next_obs", None)
    next_obs = observations() if next_obs is None else next_obs
    next_action = given.pop("next_action", None)
    next_action = rng.integers(spaces.num_actions, size=rows) if next_action is None else next_action
    fields: dict[str, Any] = {
        "ids": np.arange(rows),
        "obs": observations(),
        "action": rng.integers(spaces.num_actions, size=rows),
        "reward": rng.normal(size=rows),
        "discount": np.full(rows, 0.9),
        "weights": np.ones(rows),
        **given,
    }
    return Batch(**fields, read_next_obs=lambda: next_obs, read_next_action=lambda: next_action)


def _bounded(space: gymnasium.Space[Any], rng: np.random.Generator) -> np.ndarray:
    if space.dtype is not None and np.dtype(space.dtype).kind == "f":
        return rng.normal(size=space.shape or ()).astype(space.dtype)
    return np.asarray(space.sample())
