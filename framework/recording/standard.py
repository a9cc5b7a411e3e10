"""The callbacks of an ordinary run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from framework.events import Callback
from framework.recording.diagnosis import Diagnosis
from framework.recording.figures import DrawFigures
from framework.recording.histograms import Histograms
from framework.recording.learning import Learning
from framework.recording.left import TimeLeft
from framework.recording.metrics import MetricsWriter
from framework.recording.progress import QuietLines, progress_callback
from framework.recording.shown import Shown
from framework.recording.statistics import EpisodeStatistics
from framework.recording.trace import TraceWriter
from framework.recording.weights import BestWeights

if TYPE_CHECKING:
    from framework.assembly.parts import RunInfo


def standard_callbacks(run: RunInfo) -> Sequence[Callback]:
    """The callbacks for progress, if it is shown, and for metrics, weights and figures, if the run has a folder.

    With run.deterministic, a folder also gets a trace. The callbacks share one `EpisodeStatistics`. The progress
    display ends first, so that it is closed before another callback can fail.
    """
    # imported here: it needs pydantic, which reading metrics does not
    from framework.options import ReturnsOptions, RunOptions

    policy, exploration, options = run.parts.policy, run.parts.exploration, run.parts.config[RunOptions]
    statistics = EpisodeStatistics(exploration)
    callbacks: list[Callback] = [statistics]
    shown = Shown()
    if run.show_progress:
        steps, episodes = options.steps, options.episodes
        if run.quiet:
            shown = QuietLines(statistics, TimeLeft(steps, episodes))
        else:
            shown = progress_callback(statistics, exploration, steps, episodes, options.until)
        callbacks.append(shown)
    if run.folder is not None:
        gamma, untrained = run.parts.config[ReturnsOptions].gamma, options.init_from is None
        diagnosis = Diagnosis(exploration, gamma, shown.say, untrained=untrained)
        callbacks += [
            MetricsWriter(
                run.folder,
                exploration,
                statistics,
                events=run.events,
                learning=Learning(run.parts),
                diagnosis=diagnosis,
            ),
            *([Histograms(run.events, policy)] if run.events else []),
            BestWeights(run.folder, policy, statistics),
            DrawFigures(run.folder),
        ]
        if options.deterministic:
            callbacks.append(TraceWriter(run.folder, policy))
    return callbacks
