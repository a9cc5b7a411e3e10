"""Other people's agents, as they are measured: silent, on the processor, with a replay that is full before learning."""

from __future__ import annotations

from typing import Any

LEARNING_RATE = 1e-4
"""Of Adam, for everybody."""


def stable_baselines(env: Any, capacity: int, seed: int, **options: Any) -> Any:
    """stable-baselines3's DQN with its network for images."""
    from stable_baselines3 import DQN
    from stable_baselines3.common.logger import Logger

    model = DQN(
        "CnnPolicy",
        env,
        learning_rate=LEARNING_RATE,
        buffer_size=capacity,
        learning_starts=capacity,
        seed=seed,
        device="cpu",
        **options,
    )
    model.set_logger(Logger(None, []))
    return model
