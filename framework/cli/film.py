"""Shows how an agent plays, in a window or as a video."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, SupportsFloat

import gymnasium
import numpy as np

from framework.assembly.parts import Agent
from framework.defaults.exploration import EpsilonGreedy
from framework.errors import UsageError
from framework.options import EvaluationOptions
from framework.types import Counters

FORMATS = (".mp4", ".gif")
FRAMES_PER_SECOND = 15


def show(agent: Agent, episodes: int, video: Path | None, seed: int = 0) -> Iterator[tuple[float, bool]]:
    """Play episodes in a window or into a video. Yield the raw return of each, and whether it was cut off.

    Args:
        video: the file to write (.mp4 or .gif); None opens a window.
        seed: the seed of the episodes.

    Raises:
        UsageError: if there is no screen, the file cannot be written, a library is missing, or the environment draws no
            pictures.
    """
    if video is None:
        if not has_screen():
            raise UsageError("there is no screen here: write a video instead with --video game.mp4")
        _need("pygame", "a window")
        writer = None
        wrapper: Callable[[Any], gymnasium.Env[Any, Any]] = gymnasium.wrappers.HumanRendering
    else:
        writer = _writer(video)
        wrapper = partial(Film, write=writer.append_data)
    name = f"watch/{seed}"
    epsilon = agent.config[EvaluationOptions].epsilon
    exploration = EpsilonGreedy(lambda counters: epsilon, agent.seeds.generator(f"evaluation/{name}"))
    try:
        stream = agent.open_stream("watch", 1, name, [wrapper])
        try:
            counters, total, played = Counters(), 0.0, 0
            while played < episodes:
                obs = stream.observations
                stream.begin(exploration.choose(agent.policy.action_values(obs, explore=False), obs, counters))
                step = stream.finish()
                counters.advance(step)
                total += float(step.raw_reward.sum())
                if step.ended.any() or stream.cut.any():
                    yield total, bool(stream.cut.any())
                    total = 0.0
                    played += 1
        finally:
            stream.close()
    finally:
        if writer is not None:
            writer.close()


class Film(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Passes a picture to `write` after each reset and each step, also after the last step of an episode."""

    def __init__(self, env: gymnasium.Env[Any, Any], write: Callable[[Any], None]) -> None:
        super().__init__(env)
        self._write = write

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        result = super().reset(seed=seed, options=options)
        self._take()
        return result

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        result = super().step(action)
        self._take()
        return result

    def _take(self) -> None:
        picture = self.env.render()
        if not isinstance(picture, np.ndarray):
            raise UsageError("draws no pictures: its render_mode must be 'rgb_array' for the role 'watch'")
        self._write(picture)


def has_screen() -> bool:
    """Whether a window can be opened."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _writer(video: Path) -> Any:
    if video.suffix.lower() not in FORMATS:
        raise UsageError(f"--video {video}: the name must end in {' or '.join(FORMATS)}")
    _need("imageio", "a video")
    import imageio

    # the codec needs even sizes; imageio's default, multiples of 16, would rescale most pictures
    options = (
        {"duration": 1000 / FRAMES_PER_SECOND, "loop": 0}
        if video.suffix.lower() == ".gif"
        else {"fps": FRAMES_PER_SECOND, "macro_block_size": 2}
    )
    try:
        return imageio.get_writer(video, **options)
    except OSError as error:
        raise UsageError(f"--video {video} cannot be written: {error.strerror or error}") from error


def _need(module: str, what: str) -> None:
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise UsageError(f"{what} needs {module}: pip install 'pluggable-q[video]'")
