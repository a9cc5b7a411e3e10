"""The callbacks of an ordinary run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from framework.events import Callback
from framework.recording.figures import DrawFigures
from framework.recording.metrics import MetricsWriter
from framework.recording.progress import progress_callback
from framework.recording.statistics import EpisodeStatistics
from framework.recording.trace import TraceWriter
from framework.recording.weights import BestWeights

if TYPE_CHECKING:
    from framework.assembly.parts import RunInfo


def standard_callbacks(run: RunInfo) -> Sequence[Callback]:
    """Progress where it is shown; metrics, weights, figures and perhaps a trace where the run has a folder.

    They share one `EpisodeStatistics`. Progress ends first: its display is put away before anything else can fail.
    """
    from framework.options import RunOptions  # its section needs pydantic, which those who only read figures do not

    policy, exploration, options = run.parts.policy, run.parts.exploration, run.parts.config[RunOptions]
    statistics = EpisodeStatistics(exploration)
    callbacks: list[Callback] = [statistics]
    if run.show_progress:
        callbacks.append(progress_callback(statistics, exploration, options.steps, options.episodes, options.until))
    if run.folder is not None:
        callbacks += [
            MetricsWriter(run.folder, exploration, statistics),
            BestWeights(run.folder, policy, statistics),
            DrawFigures(run.folder),
        ]
        if options.deterministic:
            callbacks.append(TraceWriter(run.folder, policy))
    return callbacks
