"""Draws action values, return distributions and further pictures beside a picture of the environment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from framework.inspection.episode import Decision, Picture
from framework.inspection.tables import greedy
from framework.spaces import legal_actions

Distribution: TypeAlias = tuple[Float[np.ndarray, "A K"], Float[np.ndarray, "A K"]]
"""Possible returns of each action, and their probabilities."""

CHOSEN, OTHER, SPREAD, INK, PAPER = (213, 94, 0), (0, 114, 178), (150, 190, 220), (30, 30, 30), (255, 255, 255)
"""Okabe and Ito's vermilion and blue, which colour-blind readers can tell apart."""

SHORTEST = 320
"""Pictures that are smaller are enlarged by a whole factor to this height or a little more, in pixels."""

WIDEST = 640
"""… but not beyond this width, in pixels."""

BARS, BAR, CLOUD, GAP = 190, 9, 22, 8
"""Pixels: the width of the axis, the heights of a bar and of a distribution, and a margin."""

NUMBERS = 100
"""The width of the column of numbers, in pixels."""


@dataclass(frozen=True)
class Scale:
    """The axis of all bars of a film: returns from `low` to `high`. 0 is on it, so that bars can be compared."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Scale:
        """The smallest axis with 0 and these values; −1 to 1 if there is nothing else. Infinite values do not count."""
        numbers = np.asarray(values, np.float64)
        numbers = np.append(numbers[np.isfinite(numbers)], 0.0)
        low, high = float(numbers.min()), float(numbers.max())
        return cls(low, high) if high > low else cls(-1.0, 1.0)

    def including(self, values: np.ndarray) -> Scale:
        """The smallest axis that has these values, too."""
        return Scale.of(np.array([self.low, self.high, *np.ravel(values)]))

    def place(self, value: float) -> int:
        """How many pixels a value is from the left end of the axis."""
        share = (value - self.low) / (self.high - self.low)
        return round(min(max(share, 0.0), 1.0) * BARS) if np.isfinite(share) else 0


@dataclass(frozen=True)
class Overlay:
    """Draws pictures with the values beside them. All pictures of the same inputs' shapes have one size, which is even.

    names: of the actions. distributions: whether there is room for return distributions.
    """

    names: Sequence[str]
    distributions: bool = False

    @property
    def row(self) -> int:
        """The height of an action's row in pixels."""
        return 18 + (CLOUD if self.distributions else 0)

    @property
    def column(self) -> int:
        """Where the axis begins, in pixels from the left end of the panel."""
        return GAP + min(150, max(round(_font(12).getlength(name)) for name in self.names)) + 14

    def draw(
        self,
        pictures: Sequence[Picture],
        decision: Decision | None,
        scale: Scale,
        caption: str = "",
        distribution: Distribution | None = None,
    ) -> Picture:
        """Pictures side by side, and behind them a bar for each action value.

        Args:
            decision: None draws the axis without bars, for the last picture of an episode.
            caption: a line above the bars.
        """
        from PIL import Image, ImageDraw

        enlarged = [_enlarged(picture) for picture in pictures]
        left = sum(picture.shape[1] + GAP for picture in enlarged)
        panel = self.column + BARS + NUMBERS
        height = max(*(picture.shape[0] for picture in enlarged), 70 + self.row * len(self.names))
        canvas = Image.new("RGB", (left + panel + (left + panel) % 2, height + height % 2), PAPER)
        x = 0
        for picture in enlarged:
            canvas.paste(Image.fromarray(picture), (x, 0))
            x += picture.shape[1] + GAP
        pen = ImageDraw.Draw(canvas)
        pen.text((x + GAP, 4), "action values: expected discounted return", INK, _font(12))
        pen.text((x + GAP, 20), caption, INK, _font(12))
        self._rows(pen, x, scale, decision, distribution)
        return np.asarray(canvas)

    def top(self, action: int) -> int:
        """The first line of pixels of an action's row."""
        return 42 + self.row * action

    def _rows(
        self, pen: Any, x: int, scale: Scale, decision: Decision | None, distribution: Distribution | None
    ) -> None:
        axis = x + self.column
        bottom = self.top(len(self.names))
        for action, name in enumerate(self.names):
            y = self.top(action)
            pen.text((x + GAP, y), _cut(name, self.column - GAP - 12), INK, _font(12))
            if decision is None:
                continue
            if distribution is not None:
                _draw_distribution(pen, axis, y + 14, scale, distribution, action)
            value = float(decision.values[action])
            if not _allowed(decision)[action]:
                pen.text((axis + 2, y), "not allowed", (130, 130, 130), _font(12))
                continue
            colour = CHOSEN if action == decision.action else OTHER
            if np.isfinite(value):
                ends = sorted((scale.place(0.0), scale.place(value)))
                pen.rectangle((axis + ends[0], y + 3, axis + ends[1], y + 3 + BAR), colour)
            best = " best" if _best(decision)[action] else ""
            pen.text((axis + BARS + 6, y), f"{value:.3g}{best}", colour, _font(12))
        zero = axis + scale.place(0.0)
        pen.line((zero, self.top(0), zero, bottom), INK)
        pen.line((axis, bottom, axis + BARS, bottom), INK)
        pen.text((axis, bottom + 2), f"{scale.low:.3g}", INK, _font(11))
        high = f"{scale.high:.3g}"
        pen.text((axis + BARS - _font(11).getlength(high), bottom + 2), high, INK, _font(11))
        pen.text((x + GAP, bottom + 2), "chosen", CHOSEN, _font(11))


def _draw_distribution(pen: Any, axis: int, y: int, scale: Scale, given: Distribution, action: int) -> None:
    """The distribution of an action's return as a histogram; the highest column of the picture is `CLOUD` high."""
    edges = np.linspace(scale.low, scale.high, 49)
    columns = [np.histogram(points, edges, weights=chances)[0] for points, chances in zip(*given, strict=True)]
    most = max(float(np.max(columns)), 1e-12)
    for left, right, share in zip(edges[:-1], edges[1:], columns[action] / most, strict=True):
        tall = round(float(share) * (CLOUD - 4))
        if tall:
            box = (axis + scale.place(left), y + CLOUD - 2 - tall, axis + scale.place(right) - 1, y + CLOUD - 2)
            pen.rectangle(box, SPREAD)


def _allowed(decision: Decision) -> Bool[np.ndarray, " A"]:
    legal = legal_actions(decision.obs)
    return np.ones(len(decision.values), np.bool_) if legal is None else legal[0]


def _best(decision: Decision) -> Bool[np.ndarray, " A"]:
    return greedy(np.where(_allowed(decision), decision.values.astype(np.float64), -np.inf)[None])[0]


def _enlarged(picture: Picture) -> Picture:
    factor = max(1, min(math.ceil(SHORTEST / picture.shape[0]), WIDEST // picture.shape[1]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _cut(text: str, width: int) -> str:
    while text and _font(12).getlength(text) > width:
        text = text[:-1]
    return text


@cache
def _font(size: int) -> Any:
    """The font that comes with matplotlib: it has Greek letters and a minus sign."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)
