"""Schedules: pure functions of a counter, so that a resumed run needs no state of theirs."""

from __future__ import annotations

import math
from typing import Literal

Shape = Literal["linear", "exponential", "constant"]


def linear(start: float, final: float, horizon: int, t: int) -> float:
    """start + (final − start) · t / horizon, and `final` from t = horizon on."""
    return final if t >= horizon else start + (final - start) * t / horizon


def exponential(start: float, final: float, time_constant: int, t: int) -> float:
    """final + (start − final) · exp(−(t + 1) / time_constant)."""
    return final + (start - final) * math.exp(-(t + 1) / time_constant)
