"""What all figures share: their colours, and how they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from framework.recording.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart. Curves also differ in width and dashes.
BLUE, VERMILION, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "#000000"


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a whole figure without matplotlib's global state, and return the path. Raises as `replacing` does."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with replacing(path) as temporary:
        FigureCanvasAgg(figure).print_figure(temporary, dpi=150, format=path.suffix[1:])
    return path
