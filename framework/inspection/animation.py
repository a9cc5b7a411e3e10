"""An animated GIF of bounded size, for pages that play no video files."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
from PIL import Image

MOST = 200
"""Pictures of an animation, at most."""

SIDE = 240
"""The longer side of its pictures in pixels, at most."""


class Animation:
    """A screen that keeps every n-th picture, n as small as `MOST` allows. The film keeps its speed.

    Pictures that are larger than `SIDE` are made smaller. All get the size of the first.
    """

    def __init__(self) -> None:
        self._pictures: list[Image.Image] = []
        self._stride, self._seen, self._rate = 1, 0, 1.0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels; (0, 0) without a picture."""
        return (self._pictures[0].height, self._pictures[0].width) if self._pictures else (0, 0)

    def add(self, picture: np.ndarray, rate: float) -> None:
        """Show a picture, uint8 [H, W, 3]; `rate` pictures are shown in a second."""
        self._rate = rate
        if self._seen % self._stride == 0:
            self._pictures.append(self._small(picture))
        self._seen += 1
        if len(self._pictures) > MOST:
            self._pictures = self._pictures[::2]
            self._stride *= 2

    def close(self) -> None:
        """Do nothing: `gif` can be asked for afterwards."""

    def gif(self) -> bytes:
        """The animation as a file. There must be a picture."""
        file = io.BytesIO()
        first, *others = self._pictures
        # a GIF counts hundredths of a second, and browsers slow down what shows a picture for less than two of them
        pause = max(2.0, 100 * self._stride / self._rate)
        ends = [round(pause * number) for number in range(len(self._pictures) + 1)]
        pauses = [10 * (end - begin) for begin, end in pairwise(ends)]
        first.save(file, "GIF", save_all=True, append_images=others, duration=pauses, loop=0)
        return file.getvalue()

    def _small(self, picture: np.ndarray) -> Image.Image:
        image = Image.fromarray(picture)
        if self._pictures:
            return image.resize(self._pictures[0].size)
        scale = min(1.0, SIDE / max(image.size))
        return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
