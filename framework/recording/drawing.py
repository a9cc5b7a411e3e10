"""What all figures share: their colours, and how they are saved."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from framework.recording.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart. Curves also differ in width and dashes.
BLUE, VERMILION, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "#000000"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"

SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""The colours of lines that are compared, in order."""
DASHES = ("solid", "dash", "dot", "dashdot")
"""Where there are more lines than colours, the next ones are dashed."""
STYLES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
"""The same for matplotlib."""


def style_of(number: int) -> tuple[str, str]:
    """The colour and the dashes of the line with this number, counted from 0. They repeat after 28 lines."""
    return SERIES[number % len(SERIES)], DASHES[number // len(SERIES) % len(DASHES)]


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a whole figure without matplotlib's global state, and return the path. Raises as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(picture_of(figure, path.suffix[1:]))
    return path


def picture_of(figure: Figure, kind: str, dpi: int = 150) -> bytes:
    """A figure as the bytes of a picture: "png" or "svg"."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = BytesIO()
    FigureCanvasAgg(figure).print_figure(file, format=kind, dpi=dpi)
    return file.getvalue()
