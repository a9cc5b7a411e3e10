"""Environments whose `info` is scripted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium

Script = Sequence[Sequence[Mapping[str, Any]]]
"""Episodes, in turn: the info of each step."""


class Informing(gymnasium.Env[int, int]):
    """Episodes as long as their scripts. Each reset says "reset" under every key, which nobody may record."""

    observation_space, action_space = gymnasium.spaces.Discrete(99), gymnasium.spaces.Discrete(2)

    def __init__(self, script: Script) -> None:
        self.script, self.episode, self.time = script, -1, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1, 0
        return 0, {key: -777.0 for infos in self.script for info in infos for key in info}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        infos = self.script[self.episode % len(self.script)]
        self.time += 1
        return self.time, 1.0, self.time == len(infos), False, dict(infos[self.time - 1])
