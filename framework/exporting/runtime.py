"""Runs the content of an ONNX file with onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from framework.errors import need
from framework.types import ModelInput

ERRORS_ONLY = 3
"""onnxruntime's severity of a message that is shown."""


def require_onnx(*more: str) -> None:
    """Refuse the format ONNX where a library is missing.

    Args:
        more: modules that are needed beside onnx and onnxruntime.

    Raises:
        UsageError: with the command that installs it.
    """
    for module in ("onnx", "onnxruntime", *more):
        need(module, "a policy as ONNX", "export")


def onnx_runner(
    content: bytes, inputs: Sequence[ModelInput]
) -> Callable[[Sequence[Shaped[np.ndarray, "B *leaf"]]], Float[np.ndarray, "B A"]]:
    """A function from the inputs, in their order, to the file's action values."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in inputs]

    def run(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.asarray(session.run(None, dict(zip(names, arrays, strict=True)))[0])

    return run
