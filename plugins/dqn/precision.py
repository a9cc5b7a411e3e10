"""In which floats layers compute: float32, or bfloat16 where images are large and the processor has units for it.

Weights, their gradients, the optimiser, and everything from the action values on stay in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

from framework.types import Spaces
from plugins.dqn.networks import image_shape

Precision = Literal["auto", "float32", "bfloat16"]

UNITS = ("avx512_bf16", "amx_bf16")
"""What a processor declares that multiplies bfloat16 by itself; on others it is emulated, and slower than float32."""

LARGE = 18
"""Pixels a side from which images pay for the conversions."""


def computing(
    precision: Precision, device: torch.device, spaces: Spaces, declared: Mapping[str, Any] | None = None
) -> torch.dtype | None:
    """The dtype in which layers compute; None: in that of their weights.

    "auto" follows from the kind of observation and what the processor declares, never from a timing: the same run on
    the same kind of machine has the same numbers.

    Args:
        declared: the processor's capabilities by name; default what torch finds here.
    """
    if torch.get_default_dtype() is not torch.float32 or precision == "float32":
        return None
    if precision == "auto":
        image = image_shape(spaces.observation)
        known = torch.cpu.get_capabilities() if declared is None else declared
        if image is None or min(image[1:]) < LARGE or device.type != "cpu" or not any(map(known.get, UNITS)):
            return None
    return torch.bfloat16
