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
from framework.errors import UsageError, require
from framework.options import EvaluationOptions
from framework.recording.files import require_writable
from framework.types import Counters

FORMATS = (".mp4", ".gif")
PICTURES_PER_SECOND = 15
"""Where the environment's metadata declare no `render_fps`."""


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
        require("pygame", "a window", "video")
        film = None
        wrapper: Callable[[Any], gymnasium.Env[Any, Any]] = gymnasium.wrappers.HumanRendering
    else:
        film = _VideoFile(video)
        wrapper = partial(Film, write=film.add)
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
                if step.over.any() or stream.cut.any():
                    yield total, bool(stream.cut.any())
                    total = 0.0
                    played += 1
        finally:
            stream.close()
    finally:
        if film is not None:
            film.close()


class Film(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Passes a picture to `write` after each reset and each step, also after the last step of an episode."""

    def __init__(self, env: gymnasium.Env[Any, Any], write: Callable[[np.ndarray, float], None]) -> None:
        super().__init__(env)
        self._write = write
        self._rate = float(env.metadata.get("render_fps") or PICTURES_PER_SECOND)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        result = super().reset(seed=seed, options=options)
        self._take()
        return result

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        result = super().step(action)
        self._take()
        return result

    def _take(self) -> None:
        try:
            picture: Any = self.env.render()
        except NotImplementedError:
            picture = None
        if not isinstance(picture, np.ndarray):
            raise UsageError("draws no pictures: its render_mode must be 'rgb_array' for the role 'watch'")
        self._write(picture, self._rate)


def has_screen() -> bool:
    """Whether a window can be opened."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class _VideoFile:
    """A video that is begun with its first picture.

    Raises:
        UsageError: if the file's name or folder will not do, or a library is missing.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in FORMATS:
            raise UsageError(f"--video {path}: the name must end in {' or '.join(FORMATS)}")
        require_writable(path, f"--video {path}")
        require("imageio", "a video", "video")
        self._path = path
        self._writer: Any = None
        self._size: tuple[int, ...] = ()

    def add(self, picture: np.ndarray, rate: float) -> None:
        """Add a picture [H, W, 3]; `rate` pictures are shown in a second.

        Raises:
            UsageError: if the file cannot be written, or holds pictures of one size and this one has another.
        """
        if self._writer is None:
            self._size = picture.shape
            self._writer = self._begin(rate)
        if picture.shape != self._size and self._path.suffix.lower() != ".gif":
            self.close()
            self._path.unlink(missing_ok=True)
            raise UsageError(
                f"--video {self._path}: a picture of {picture.shape[:2]} follows pictures of {self._size[:2]}, and a "
                "video has one size: write a .gif, whose pictures may differ"
            )
        try:
            self._writer.append_data(picture)
        except OSError as error:
            raise UsageError(f"--video {self._path} cannot be written: {error.strerror or error}") from error

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _begin(self, rate: float) -> Any:
        import imageio

        # the codec needs even sizes; imageio's default, multiples of 16, would rescale most pictures
        gif = self._path.suffix.lower() == ".gif"
        options: Any = {"duration": 1000 / rate, "loop": 0} if gif else {"fps": rate, "macro_block_size": 2}
        try:
            return imageio.get_writer(self._path, **options)
        except OSError as error:
            raise UsageError(f"--video {self._path} cannot be written: {error.strerror or error}") from error
