"""What a run records and shows: metrics, weights, progress and figures.

Importing this package is fast: rich, tensorboardX and matplotlib are imported only when they are first used.
"""

from framework.recording.figures import DrawFigures, draw_figures
from framework.recording.metrics import MetricsWriter
from framework.recording.progress import progress_callback
from framework.recording.rows import read_rows
from framework.recording.standard import standard_callbacks
from framework.recording.states import load_state, save_state
from framework.recording.statistics import EpisodeStatistics, Figures
from framework.recording.weights import BestWeights

__all__ = [
    "BestWeights",
    "DrawFigures",
    "EpisodeStatistics",
    "Figures",
    "MetricsWriter",
    "draw_figures",
    "load_state",
    "progress_callback",
    "read_rows",
    "save_state",
    "standard_callbacks",
]
