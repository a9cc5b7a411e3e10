"""Where pictures are shown: a window, or a video file."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import numpy as np

from framework.errors import UsageError, need
from framework.recording.files import require_place

FORMATS = (".mp4", ".gif")


class Screen(Protocol):
    """Shows pictures, one after the other."""

    def add(self, picture: np.ndarray, rate: float) -> None:
        """Show a picture [H, W, 3]; `rate` pictures are shown in a second."""
        ...

    def close(self) -> None: ...


def has_screen() -> bool:
    """Whether a window can be opened."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class Window:
    """A window, opened with its first picture.

    Raises:
        UsageError: if there is no screen, or a library is missing.
    """

    def __init__(self) -> None:
        if not has_screen():
            raise UsageError("there is no screen here: write a video instead with --video game.mp4")
        need("pygame", "a window", "video")
        self._shown: gymnasium.Env[Any, Any] | None = None

    def add(self, picture: np.ndarray, rate: float) -> None:
        if self._shown is None:
            self._canvas = _Canvas(rate)
            self._shown = gymnasium.wrappers.HumanRendering(self._canvas)
        self._canvas.picture = picture
        self._shown.step(None)  # draws what the canvas renders, and waits for the time of the next picture

    def close(self) -> None:
        if self._shown is not None:
            self._shown.close()
            self._shown = None


class _Canvas(gymnasium.Env[Any, Any]):
    """Renders the picture that it is given."""

    render_mode = "rgb_array"

    def __init__(self, rate: float) -> None:
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": rate}
        self.picture = np.zeros((1, 1, 3), np.uint8)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return None, 0.0, False, False, {}

    def render(self) -> Any:
        return self.picture


class VideoFile:
    """A video that is begun with its first picture, and gets its name when it is closed.

    Raises:
        UsageError: if the file's name or folder will not do, or a library is missing.
    """

    def __init__(self, path: Path, option: str = "--video") -> None:
        """
        Args:
            option: how messages call the file.
        """
        self._what = f"{option} {path}"
        require_place(option, path, FORMATS)
        need("imageio", "a video", "video")
        self._path = path
        self._temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
        self._writer: Any = None
        self._size: tuple[int, ...] = ()

    def add(self, picture: np.ndarray, rate: float) -> None:
        """Add a picture.

        Raises:
            UsageError: if the file cannot be written, or holds pictures of one size and this one has another.
        """
        if self._writer is None:
            self._size = picture.shape
            self._writer = self._begin(rate)
        if picture.shape != self._size and self._path.suffix.lower() != ".gif":
            self._writer.close()
            self._writer = None
            self._temporary.unlink(missing_ok=True)
            raise UsageError(
                f"{self._what}: a picture of {picture.shape[:2]} follows pictures of {self._size[:2]}, and a "
                "video has one size: write a .gif, whose pictures may differ"
            )
        try:
            self._writer.append_data(picture)
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Finish the file. Nothing is written if there was no picture."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            writer.close()
            os.replace(self._temporary, self._path)
        except OSError as error:
            raise self._refused(error) from error
        finally:
            self._temporary.unlink(missing_ok=True)

    def _begin(self, rate: float) -> Any:
        import imageio

        # the codec needs even sizes; imageio's default, multiples of 16, would rescale most pictures
        gif = self._path.suffix.lower() == ".gif"
        options: Any = {"duration": 1000 / rate, "loop": 0} if gif else {"fps": rate, "macro_block_size": 2}
        try:
            return imageio.get_writer(self._temporary, **options)
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> UsageError:
        return UsageError(f"{self._what} cannot be written: {error.strerror or error}")


def has_video() -> bool:
    """Whether mp4 files can be written: the extra `video` is installed."""
    return all(importlib.util.find_spec(module) is not None for module in ("imageio", "imageio_ffmpeg"))
