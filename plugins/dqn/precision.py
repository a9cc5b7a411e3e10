"""The dtype in which layers compute: float32, or bfloat16 for large images on a CPU with bfloat16 units.

Weights, their gradients and the optimiser stay in float32, and so does everything after the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

from framework.spaces import leaves_of
from framework.types import Spaces
from plugins.dqn.networks import image_shape

Precision = Literal["auto", "float32", "bfloat16"]

UNITS = ("avx512_bf16", "amx_bf16")
"""CPU capabilities that mean bfloat16 units. Without them torch emulates bfloat16, which is slower than float32."""

LARGE = 18
"""Smallest side of images, in pixels, for which bfloat16 saves more time than the conversions cost."""


def computing(
    precision: Precision, device: torch.device, spaces: Spaces, declared: Mapping[str, Any] | None = None
) -> torch.dtype | None:
    """Return the dtype in which layers compute; None is the dtype of their weights.

    "auto" depends on the observations, the device and the capabilities of the CPU, never on a timing. So a run has the
    same numbers on every machine of the same kind. If torch's default dtype is not float32, the answer is None.

    Args:
        declared: the CPU's capabilities by name. Default: those that torch finds here.
    """
    if torch.get_default_dtype() is not torch.float32 or precision == "float32":
        return None
    if precision == "auto":
        images = filter(None, map(image_shape, leaves_of(spaces.observation).values()))
        known = torch.cpu.get_capabilities() if declared is None else declared
        if (
            not any(min(image[1:]) >= LARGE for image in images)
            or device.type != "cpu"
            or not any(map(known.get, UNITS))
        ):
            return None
    return torch.bfloat16
