"""A check of the bounds of the variants' options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from framework.conformance.check import Cause, NotApplicable, Violation, check
from framework.conformance.subject import Subject
from framework.errors import UsageError

SENSELESS: tuple[Mapping[str, Any], ...] = (
    {"qr.kappa": 0.0},
    {"qr.kappa": math.inf},
    {"qr.kappa": -1.0},
    {"qr.quantiles": 0},
    {"iqn.kappa": 0.0},
    {"iqn.kappa": math.inf},
    {"iqn.samples": 0},
    {"iqn.even": 0},
    {"iqn.cosines": 0},
    {"c51.atoms": 1},
    {"c51.v_min": 3.0, "c51.v_max": 3.0},
    {"c51.v_min": 3.0, "c51.v_max": -3.0},
    {"c51.v_max": math.inf},
    {"munchausen.temperature": 0.0},
    {"munchausen.lowest": 0.5},
    {"noisy.sigma": -0.5},
)


@check(
    "loss",
    "dqn_head",
    Cause("κ = 0 divides by 0, and κ = ∞ gives NaN", "anthonytorlucci/rlevo#889"),
    Cause("an option has no bound, or a wrong one"),
)
def senseless_options_are_refused(subject: Subject) -> None:
    """A variant refuses senseless values of its options with a UsageError, before any part is built."""
    known = set(subject.builder().config.flat())
    cases = [values for values in SENSELESS if set(values) <= known]
    if not cases:
        raise NotApplicable("no plugin has an option whose bounds this check knows")
    for values in cases:
        try:
            subject.builder(values)
        except UsageError:
            continue
        raise Violation(values, "UsageError", "accepted")
