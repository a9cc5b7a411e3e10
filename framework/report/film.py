"""The film strip of a report: pictures of one episode that an arm's best agent plays."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from framework.comparison.measures import MeasuredArm
from framework.comparison.recorded import RecordedRun
from framework.errors import FrameworkError
from framework.inspection.episode import moments
from framework.training.agents import load

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES = 12
"""The largest number of pictures."""
MOST_STEPS = 3_000
"""The episode is cut off after this many steps, so that a report takes seconds."""
HEIGHT, WIDTH = 160, 240
"""The largest size of a picture in pixels."""


@dataclass(frozen=True)
class Still:
    """A picture of the strip."""

    step: int
    """Steps of the episode before it."""
    source: str
    """A data URI."""


@dataclass(frozen=True)
class Strip:
    """The strip, or why there is none."""

    run: RecordedRun
    """The run whose agent plays: the one with the best evaluation, else the best final return."""
    pictures: tuple[Still, ...] = ()
    caption: str = ""
    missing: str = ""
    """Why there are no pictures."""


def best_run(arm: MeasuredArm) -> RecordedRun:
    """The run with the highest mean of an evaluation, else with the highest final return; the first of equals."""

    def rank(pair: tuple[RecordedRun, float | None]) -> tuple[float, float]:
        run, final = pair
        means = [row["mean"] for row in run.of_kind("evaluation") if row["mean"] is not None]
        return max(means, default=-np.inf), -np.inf if final is None else final

    return max(zip(arm.arm.runs, arm.each("final"), strict=True), key=rank)[0]


def film_strip(run: RecordedRun) -> Strip:
    """Play an episode with the best weights of a run. What goes wrong becomes the reason why there is no strip."""
    kept = Thinned(PICTURES)
    asked = run.options.get("evaluation.max_steps")
    most = min(asked, MOST_STEPS) if isinstance(asked, int) and asked > 0 else MOST_STEPS
    try:
        agent = load(run.folder, values={"evaluation.max_steps": most})
        for moment in moments(agent, 1):
            kept.add(moment.picture)
        pictures = tuple(Still(step, _data_uri(picture)) for step, picture in kept.chosen())
    except FrameworkError as error:
        return Strip(run, missing=" ".join(getattr(error, "problems", None) or [str(error)]))
    except (Exception, SystemExit) as error:  # a plugin, or a library that draws, may raise anything
        return Strip(run, missing=f"{type(error).__name__}: {error}")
    end = f"cut off after {kept.count - 1:,} steps" if moment.cut else f"{kept.count - 1:,} steps"
    told = f"One episode with the best weights that the run saved: return {moment.total:.1f}, {end}."
    return Strip(run, pictures, told)


class Thinned:
    """Keeps a bounded number of evenly spaced pictures of an episode whose length is unknown, and the last one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._every = 1
        self._kept: list[tuple[int, np.ndarray]] = []
        self._last: np.ndarray | None = None
        self.count = 0
        """How many pictures came."""

    def add(self, picture: np.ndarray) -> None:
        """Take the next picture [H, W, 3], uint8, which must not change afterwards."""
        if self.count % self._every == 0:
            self._kept.append((self.count, picture))
            if len(self._kept) > 4 * self._most:
                self._kept, self._every = self._kept[::2], 2 * self._every
        self._last = picture
        self.count += 1

    def chosen(self) -> list[tuple[int, np.ndarray]]:
        """At most so many pictures with the number of those before each, the first and the last among them."""
        pictures = list(self._kept)
        if self._last is not None and pictures[-1][0] < self.count - 1:
            pictures.append((self.count - 1, self._last))
        places = np.linspace(0, max(0, len(pictures) - 1), min(self._most, len(pictures))).round().astype(int)
        return [pictures[place] for place in places.tolist()]


def _data_uri(picture: np.ndarray) -> str:
    from PIL import Image, ImageOps

    image: Image.Image = Image.fromarray(picture)
    large = image.height > HEIGHT or image.width > WIDTH
    image = ImageOps.contain(image, (WIDTH, HEIGHT)) if large else image
    return png_uri(_png(image))


def _png(image: Image) -> bytes:
    file = BytesIO()
    image.save(file, format="PNG", optimize=True)
    return file.getvalue()


def png_uri(picture: bytes) -> str:
    """The bytes of a PNG as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"
