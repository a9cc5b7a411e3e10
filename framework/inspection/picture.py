"""Pictures as films and pages take them, whatever an environment draws."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped, UInt8

from framework.errors import UsageError


def as_picture(drawn: Shaped[np.ndarray, "H W *C"]) -> UInt8[np.ndarray, "H W 3"]:
    """A copy in bytes with three colours.

    Args:
        drawn: bytes, or other numbers from 0 to 255; truth values, and floats that are nowhere above 1, from 0 to 1.
            Grey [H, W] or [H, W, 1], red, green and blue [H, W, 3], or the same with opacity [H, W, 4], which is left
            out.

    Raises:
        UsageError: if it has another shape, or no pixels.
    """
    if drawn.ndim == 2:
        drawn = drawn[..., None]
    if drawn.ndim != 3 or drawn.shape[-1] not in (1, 3, 4) or not drawn.size:
        raise UsageError(f"draws pictures of shape {drawn.shape}, and a picture has the shape (height, width, 3)")
    if drawn.dtype != np.uint8:
        from_0_to_1 = drawn.dtype == np.bool_ or (drawn.dtype.kind == "f" and np.nanmax(drawn) <= 1)
        numbers = np.nan_to_num(drawn.astype(np.float64)) * (255.0 if from_0_to_1 else 1.0)
        drawn = np.clip(np.rint(numbers), 0, 255).astype(np.uint8)
    return np.repeat(drawn, 3, axis=2) if drawn.shape[-1] == 1 else drawn[..., :3].copy()
