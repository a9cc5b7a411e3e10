"""Showing an agent at play, in a window or as a video."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from framework.assembly import Agent
from framework.errors import UsageError
from framework.exploration import EpsilonGreedy
from framework.options import EvaluationOptions
from framework.types import Counters

FORMATS = (".mp4", ".gif")
FRAMES_PER_SECOND = 15


def show(agent: Agent, episodes: int, video: Path | None, seed: int = 0) -> Iterator[float]:
    """Play episodes before the user's eyes, yielding each one's raw return.

    Args:
        video: the file to write (.mp4 or .gif); None opens a window.
        seed: of the games.

    Raises:
        UsageError: if there is neither a screen nor a file to write, or the environment draws no pictures.
    """
    wrappers: list[Callable[[Any], gymnasium.Env[Any, Any]]] = []
    if video is None:
        if not has_screen():
            raise UsageError("there is no screen here: write a video instead with --video game.mp4")
        _need("pygame", "a window")
        wrappers = [gymnasium.wrappers.HumanRendering]
    else:
        if video.suffix.lower() not in FORMATS:
            raise UsageError(f"--video {video}: the name must end in {' or '.join(FORMATS)}")
        if not video.absolute().parent.is_dir():
            raise UsageError(f"--video {video}: there is no folder '{video.absolute().parent}'")
        _need("imageio", "a video")
    name = f"watch/{seed}"
    epsilon = agent.config[EvaluationOptions].epsilon
    exploration = EpsilonGreedy(lambda counters: epsilon, agent.seeds.generator(f"evaluation/{name}"))
    stream = agent.open_stream("watch", 1, name, wrappers)
    counters, total = Counters(), 0.0
    writer = _writer(video) if video else None
    try:
        while counters.episodes < episodes:
            if writer is not None:
                pictures = stream.env.render()
                if not pictures or pictures[0] is None:
                    raise UsageError("this environment draws no pictures (its render_mode must be 'rgb_array')")
                writer.append_data(np.asarray(pictures[0]))
            obs = stream.observations
            stream.begin(exploration.choose(agent.policy.action_values(obs, explore=False), obs, counters))
            step = stream.finish()
            counters.advance(step)
            total += float(step.raw_reward.sum())
            if step.ended.any():
                yield total
                total = 0.0
    finally:
        stream.close()
        if writer is not None:
            writer.close()


def has_screen() -> bool:
    """Whether a window could be opened."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _writer(video: Path) -> Any:
    import imageio

    if video.suffix.lower() == ".gif":
        return imageio.get_writer(video, duration=1000 / FRAMES_PER_SECOND, loop=0)
    # sizes are rounded up to what the codec wants, so that players need no scaling
    return imageio.get_writer(video, fps=FRAMES_PER_SECOND, macro_block_size=2)


def _need(module: str, what: str) -> None:
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise UsageError(f"{what} needs {module}: pip install 'pluggable-q[video]'")
