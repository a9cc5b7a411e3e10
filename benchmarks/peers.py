"""The agents of other libraries that are measured here. They print nothing and run on the processor."""

from __future__ import annotations

from typing import Any

LEARNING_RATE = 1e-4
"""Adam's learning rate in every arm."""


def stable_baselines(env: Any, capacity: int, seed: int, **options: Any) -> Any:
    """Returns stable-baselines3's DQN with its network for images. It begins to learn when its replay is full."""
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
