"""Environments for one property each, too odd for options of the probes."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from framework.conformance.environments import ProbeOptions, make_probe


def _ledger() -> gymnasium.Env[Any, Any]:
    defaults: dict[str, Any] = {}
    return make_probe(ProbeOptions(**defaults))


class Numbers(gymnasium.Env[Any, Any]):
    """Shows the extremes of a dtype, and ends at each step."""

    def __init__(self, dtype: Any) -> None:
        info: Any = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
        # numbers that a shorter type, or one with another sign, cannot hold
        self.frame = np.array([info.min, info.max, info.max - info.max // 3], dtype)
        self.observation_space = Box(info.min, info.max, (3,), dtype)
        self.action_space = Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.frame.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.frame.copy(), 0.0, True, False, {}


class FewBits(SyncVectorEnv):
    """Two ledgers whose rewards are the largest int8, in an array of some dtype."""

    def __init__(self, dtype: Any) -> None:
        super().__init__([_ledger] * 2, autoreset_mode=AutoresetMode.DISABLED)
        self._dtype = dtype

    def step(self, actions: Any) -> Any:
        obs, rewards, *rest = super().step(actions)
        return obs, np.full(len(rewards), np.iinfo(np.int8).max, self._dtype), *rest


class HandedOver(SyncVectorEnv):
    """Two ledgers that are stepped by `step_async` and `step_wait`; `calls` says how."""

    def __init__(self) -> None:
        super().__init__([_ledger] * 2, autoreset_mode=AutoresetMode.DISABLED)
        self.calls: list[str] = []
        self._waiting: Any = None

    def step(self, actions: Any) -> Any:
        self.calls.append(f"step({np.asarray(actions).tolist()})")
        return super().step(actions)

    def step_async(self, actions: Any) -> None:
        """Begin a step."""
        self.calls.append(f"step_async({np.asarray(actions).tolist()})")
        self._waiting = actions

    def step_wait(self) -> Any:
        """End it."""
        self.calls.append("step_wait()")
        return super().step(self._waiting)
