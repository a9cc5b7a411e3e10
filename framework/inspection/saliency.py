"""Which parts of an image the value of the best action depends on, by occlusion.

Zeiler & Fergus 2014, *Visualizing and Understanding Convolutional Networks*, section 4.2, cover one part of an image
after the other and watch the output. Greydanus et al. 2018 (arXiv:1711.00138) do so with agents on Atari, with blurred
parts. Here a part gets the median of its channel, which is the background of most games. The saliency of a pixel is
the mean of |Q(s, a) − Q(s with a part covered, a)| over the parts that cover it, where a is the best action in s.

Occlusion asks the policy for nothing but action values. So it works for every policy, with any library, and no gradient
has to pass through whole numbers.
"""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Box
from jaxtyping import Float64, Shaped, UInt8

from framework.inspection.episode import Picture
from framework.spaces import leaves_of, only_legal
from framework.types import Policy, Spaces

PARTS = 12
"""About so many parts along each side of an image."""

COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (240, 228, 66),
    (0, 158, 115),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
    (200, 200, 200),
)
"""Okabe and Ito's palette, which colour-blind readers can tell apart, for the channels of an image."""


def image_leaf(spaces: Spaces) -> str | None:
    """The name of the first part of the observations that is an image of uint8; None if there is none."""
    axes = 3 if spaces.frame_stack > 1 else 2
    for name, leaf in leaves_of(spaces.observation).items():
        if isinstance(leaf, Box) and leaf.dtype == np.uint8 and len(leaf.shape) >= axes:
            return name
    return None


def occlusion(policy: Policy, obs: Shaped[np.ndarray, "1 *obs"], leaf: str) -> Float64[np.ndarray, "H W"]:
    """The saliency of each pixel of an image, in units of the return. All frames of a stack are covered together.

    Args:
        obs: one observation.
        leaf: the part of it that is the image: see `image_leaf`.
    """
    image = image_of(obs, leaf)[0]
    height, width = image.shape[-2:]
    places = [(y, x) for y in _starts(height) for x in _starts(width)]
    size = _part(height), _part(width)
    background = np.median(image, axis=(-2, -1), keepdims=True).astype(image.dtype)
    covered = np.repeat(obs, len(places) + 1, axis=0)  # row 0 stays as it is: all values come from one batch
    images = image_of(covered, leaf)
    for row, (y, x) in enumerate(places, start=1):
        images[row, ..., y : y + size[0], x : x + size[1]] = background
    values = policy.action_values(covered, explore=False).astype(np.float64)
    best = int(only_legal(values[:1], obs).argmax())
    changes = np.abs(values[1:, best] - values[0, best])
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for change, (y, x) in zip(changes, places, strict=True):
        total[y : y + size[0], x : x + size[1]] += change
        count[y : y + size[0], x : x + size[1]] += 1
    return total / count


def image_of(obs: Shaped[np.ndarray, "N *obs"], leaf: str) -> UInt8[np.ndarray, "N *image"]:
    """The image within observations, as a view."""
    return obs if obs.dtype.names is None else obs[leaf]


def picture_of(obs: Shaped[np.ndarray, "1 *obs"], leaf: str, stacked: bool) -> Picture:
    """An observed image as a picture: the newest frame of a stack. Channels that are no RGB have a colour each.

    Where several channels show something, the last one is seen.
    """
    image = image_of(obs, leaf)[0]
    image = image[-1] if stacked else image
    if image.ndim > 2 and image.shape[0] == 3:
        return np.ascontiguousarray(np.moveaxis(image, 0, -1))
    channels = image.reshape(-1, *image.shape[-2:])
    if len(channels) == 1:
        return np.repeat(channels[0][:, :, None], 3, axis=2)
    seen = np.zeros((*image.shape[-2:], 3))
    for number, channel in enumerate(channels):
        colour = np.array(COLOURS[number % len(COLOURS)])
        seen = np.where(channel[:, :, None] > 0, colour * (channel[:, :, None] / 255), seen)
    return np.asarray(np.rint(seen), np.uint8)


def overlaid(picture: Picture, saliency: Float64[np.ndarray, "H W"], most: float) -> Picture:
    """The picture in grey, with orange where the saliency is high. `most` is full orange; 0 leaves the picture grey."""
    grey = picture.mean(axis=2, keepdims=True) * 0.7 + 25
    share = (np.clip(saliency / most, 0, 1) if most > 0 else np.zeros_like(saliency))[:, :, None]
    return np.asarray(np.rint(grey * (1 - 0.75 * share) + np.array([255, 150, 0]) * 0.75 * share), np.uint8)


def _part(side: int) -> int:
    """The side of a part: neighbours overlap by half, if they are larger than one pixel."""
    step = max(1, side // PARTS)
    return 1 if step == 1 else min(side, 2 * step)


def _starts(side: int) -> list[int]:
    last = side - _part(side)
    return sorted({*range(0, last + 1, max(1, side // PARTS)), last})
