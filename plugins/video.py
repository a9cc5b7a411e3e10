"""Films the agent while it trains: after every n-th evaluation, an episode by the evaluated weights.

The films are RUN/videos/STEPS.mp4, named by the environment steps of their weights. TensorBoard gets each as a small
animation, `videos/agent`. Another agent plays them, in
environments of its own, so nothing that is learnt depends on them. Training waits meanwhile, which the seconds of
metrics.jsonl include. An environment that draws no pictures is refused before the first step. A film that fails later
is said once, and the run goes on without films.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from framework.assembly.assemble import assemble_agent
from framework.assembly.parts import Parts, RunInfo
from framework.config import Config, Field, Section
from framework.errors import FrameworkError, UsageError, need
from framework.events import Callback, EvaluationResult, EventLog
from framework.hooks import hookimpl
from framework.inspection.animation import Animation
from framework.inspection.episode import moments
from framework.inspection.screens import Screen, VideoFile
from framework.inspection.showing import show
from framework.options import EvaluationOptions
from framework.types import Counters, State

CHECK_WITH = "dqn,cartpole"

FOLDER = "videos"


class VideoOptions(Section, name="video"):
    """How often the agent is filmed, and what the film shows."""

    every: int = Field(1, ge=1, description="evaluations from one film to the next; the first evaluation is filmed")
    values: bool = Field(False, description="draw a bar for each action value beside the picture, as watch --values")


class Both:
    """Two screens that show the same."""

    def __init__(self, *screens: Screen) -> None:
        self._screens = screens

    def add(self, picture: np.ndarray, rate: float) -> None:
        for screen in self._screens:
            screen.add(picture, rate)

    def close(self) -> None:
        for screen in self._screens:
            screen.close()


class Films(Callback):
    """Films an episode after every n-th evaluation."""

    def __init__(self, parts: Parts, options: VideoOptions, folder: Path, events: EventLog | None = None) -> None:
        self._parts, self._options, self._folder, self._events = parts, options, folder, events
        recipe = parts.recipe
        self._agent = assemble_agent(recipe.names, [recipe.source])
        self._evaluations = 0

    def on_start(self, counters: Counters) -> None:
        """Look whether the environment draws pictures.

        Raises:
            UsageError: if it draws none.
        """
        for _ in moments(self._agent, 1):
            break
        self._folder.mkdir(exist_ok=True)

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        """Film the evaluated weights.

        Raises:
            RuntimeError: if the film cannot be made.
        """
        if result.confirmation:
            return
        self._evaluations += 1
        if (self._evaluations - 1) % self._options.every:
            return
        try:
            self._agent.policy.load_state_dict(result.weights or self._parts.policy.state_dict())
            animation = Animation()
            screen = Both(VideoFile(self._folder / f"{counters.env_steps}.mp4", "video"), animation)
            for _ in show(self._agent, screen, values=self._options.values):
                pass
            if self._events is not None:
                self._events.film(counters.env_steps, "videos/agent", animation.gif(), animation.size)
        except FrameworkError as error:
            raise RuntimeError(str(error)) from error  # a run does not end because of a film

    def state_dict(self) -> State:
        """Return how many evaluations there were."""
        return {"evaluations": self._evaluations}

    def load_state_dict(self, state: State) -> None:
        """Load what `state_dict` returned."""
        self._evaluations = int(state["evaluations"])


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [VideoOptions]


@hookimpl
def make_callbacks(config: Config, run: RunInfo) -> Sequence[Callback]:
    options = config[VideoOptions]
    if run.folder is None:
        return []
    if not config[EvaluationOptions].every:
        raise UsageError("video films evaluations, and the run has none: set --eval-every, or drop video")
    need("imageio", "the plugin video", "video")
    return [Films(run.parts, options, run.folder / FOLDER, run.events)]
