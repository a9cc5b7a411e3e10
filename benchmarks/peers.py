"""The agents of other libraries that are measured here. They print nothing and run on the processor."""

from __future__ import annotations

from typing import Any

LEARNING_RATE = 1e-4
"""Adam's learning rate in every arm that learns from images."""


def stable_baselines(
    env: Any, capacity: int, seed: int, policy: str = "CnnPolicy", learning_rate: float = LEARNING_RATE, **options: Any
) -> Any:
    """Returns stable-baselines3's DQN, by default with its network for images. It learns when its replay is full."""
    from stable_baselines3 import DQN
    from stable_baselines3.common.logger import Logger

    model = DQN(
        policy,
        env,
        learning_rate=learning_rate,
        buffer_size=capacity,
        learning_starts=capacity,
        seed=seed,
        device="cpu",
        **options,
    )
    model.set_logger(Logger(None, []))
    return model


def one_convolution() -> type[Any]:
    """Returns a class for stable-baselines3's policies: the convolution of Young & Tian 2019, for MinAtar's boards."""
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    from torch import nn

    class OneConvolution(BaseFeaturesExtractor):
        def __init__(self, observation_space: Any) -> None:
            super().__init__(observation_space, 16 * 8 * 8)
            self.layers = nn.Sequential(nn.Conv2d(observation_space.shape[0], 16, 3), nn.ReLU(), nn.Flatten())

        def forward(self, images: Any) -> Any:
            return self.layers(images)

    return OneConvolution
