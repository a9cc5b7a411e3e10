"""A film of an episode with action values, return distributions and saliency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from framework.assembly.parts import Agent
from framework.inspection.episode import Moment, Picture, moments
from framework.inspection.overlay import Distribution, Overlay, Scale
from framework.inspection.saliency import image_leaf, occlusion, overlaid, picture_of
from framework.inspection.screens import VideoFile, has_video
from framework.recording.files import replacing
from framework.types import Distributional

LIKELY = 0.1
"""Returns that are less likely than this share of a uniform distribution's do not widen the axis."""


@dataclass(frozen=True)
class Frame:
    """A moment with what the policy says about it."""

    moment: Moment
    distribution: Distribution | None
    saliency: Float64[np.ndarray, "H W"] | None


def frames_of(agent: Agent, most: int, seed: int = 0) -> list[Frame]:
    """The first `most` moments of an episode.

    Raises:
        UsageError: if the environment draws no pictures.
    """
    leaf = image_leaf(agent.spaces)
    found = []
    for moment in islice(moments(agent, 1, seed), most):
        distribution = saliency = None
        if moment.decision is not None:
            obs = moment.decision.obs
            if isinstance(agent.policy, Distributional):
                both = agent.policy.return_distribution(obs)
                distribution = None if both is None else (both[0][0], both[1][0])
            saliency = None if leaf is None else occlusion(agent.policy, obs, leaf)
        found.append(Frame(moment, distribution, saliency))
    return found


def draw_film(agent: Agent, frames: Sequence[Frame]) -> list[Picture]:
    """One picture for each frame, all of one size, with one axis and one scale of the saliency for all."""
    spaces = agent.spaces
    leaf = image_leaf(spaces)
    overlay = Overlay(
        [spaces.name_of(action) for action in range(spaces.num_actions)],
        any(frame.distribution is not None for frame in frames),
    )
    scale = Scale.of(np.concatenate([np.zeros(0), *(_returns(frame) for frame in frames)]))
    most = max((float(frame.saliency.max()) for frame in frames if frame.saliency is not None), default=0.0)
    drawn, seen = [], None
    for frame in frames:
        pictures, decision = [frame.moment.picture], frame.moment.decision
        if leaf is not None:
            if decision is not None and frame.saliency is not None:
                shown = picture_of(decision.obs, leaf, spaces.frame_stack > 1)
                seen = overlaid(shown, frame.saliency, most)
            if seen is not None:
                pictures.append(seen)
        caption = f"return so far {frame.moment.total:g}"
        caption += f" | orange: saliency up to {most:.2g}" if leaf is not None else ""
        drawn.append(overlay.draw(pictures, decision, scale, caption, frame.distribution))
    return drawn


def write_film(pictures: Sequence[Picture], rate: float, folder: Path, name: str) -> Path:
    """Write NAME.mp4, or NAME.gif where the extra `video` is not installed, and return its path.

    Raises:
        FrameworkError: if the file cannot be written.
    """
    if has_video():
        path = folder / f"{name}.mp4"
        film = VideoFile(path, "--out")
        try:
            for picture in pictures:
                film.add(picture, rate)
        finally:
            film.close()
        return path
    from PIL import Image

    path = folder / f"{name}.gif"
    first, *others = [Image.fromarray(picture) for picture in pictures]
    with replacing(path) as temporary:
        first.save(temporary, "GIF", save_all=True, append_images=others, duration=_gif_milliseconds(rate), loop=0)
    return path


def _gif_milliseconds(rate: float) -> int:
    """The time of a picture. GIF counts hundredths of a second, and viewers slow down what is below two of them."""
    return max(20, 10 * round(100 / rate))


def _returns(frame: Frame) -> Float64[np.ndarray, " K"]:
    """What must be on the axis of a frame."""
    decision = frame.moment.decision
    if decision is None:
        return np.zeros(0)
    likely = np.zeros(0)
    if frame.distribution is not None:
        returns, chances = frame.distribution
        likely = returns[chances >= LIKELY / chances.shape[1]]
    return np.concatenate([decision.values, likely]).astype(np.float64)
