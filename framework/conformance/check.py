"""What a check is, and how it reports what it found.

A check is a function that takes a `Subject` (a composition under test). Its docstring states a property:

    @check("returns", "make_returns", Cause("γ is used instead of γⁿ", "younggyoseo/FastTD3#6"))
    def discount_is_gamma_to_the_length(subject: Subject) -> None:
        \"\"\"A window of k steps without a termination has the discount γ^k.\"\"\"
        expect(found, wanted, example={"n": 3, "rewards": rewards})

It returns if the property holds and raises `Violation` (mostly through `expect`) if it does not. It raises
`NotApplicable` if the composition lacks what the property is about. Any other exception counts as a failure, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

Purpose = Literal["parts", "learning", "optimum"]
"""The purposes for which plugins suggest options; see the hook `conformance_values`."""

COMPONENTS = (
    "assembly",
    "seeds",
    "environment",
    "stream",
    "returns",
    "sampler",
    "buffer",
    "exploration",
    "policy",
    "loss",
    "optimizer",
    "target_sync",
    "cadence",
    "evaluation",
    "loop",
    "state",
    "masks",
    "agent",
)
"""The components in the order of their checks: parts come before what uses them, so the first failure is the cause."""


class Violation(Exception):
    """A property does not hold: in the case `example`, the right result is `expected` and the actual one is `got`."""

    def __init__(self, example: object, expected: object, got: object) -> None:
        self.example, self.expected, self.got = shown(example), shown(expected), shown(got)
        super().__init__(f"{self.example}: expected {self.expected}, got {self.got}")


class NotApplicable(Exception):
    """The property does not apply to the composition; the message says why."""


@dataclass(frozen=True)
class Cause:
    """A likely mistake, and a public project that made it, as "owner/repository#issue"."""

    text: str
    precedent: str = ""


@dataclass(frozen=True)
class Check:
    """A property of one component.

    `false_alarm` is an upper bound on the probability, over random seeds, that a correct composition fails: 0 for
    checks without statistics, at most 1e-5 for others. A check that takes longer than `seconds` counts as hung.
    """

    name: str
    component: str
    slot: str
    run: Callable[[Any], None]
    """Takes a `framework.conformance.subject.Subject`."""
    causes: tuple[Cause, ...] = ()
    false_alarm: float = 0.0
    seconds: float = 60.0

    @property
    def says(self) -> str:
        """The property in one sentence: the first paragraph of the function's docstring."""
        return " ".join((self.run.__doc__ or "").split("\n\n")[0].split())


def check(
    component: str, slot: str, *causes: Cause, false_alarm: float = 0.0, seconds: float = 60.0
) -> Callable[[Callable[[Any], None]], Check]:
    """Make a check from a function; the check has the function's name.

    Args:
        component: one of `COMPONENTS`.
        slot: the hook whose winner must have the property; "" if the whole composition must have it.
        causes: the likely causes, the likeliest first.

    Raises:
        ValueError: for an unknown component, a false alarm outside [0, 1e-5], or a function without a docstring.
    """

    def decorate(function: Callable[[Any], None]) -> Check:
        if component not in COMPONENTS or not 0 <= false_alarm <= 1e-5 or not function.__doc__:
            raise ValueError(
                f"check {function.__name__} needs a component of COMPONENTS, a docstring and a false_alarm in [0, 1e-5]"
            )
        return Check(function.__name__, component, slot, function, causes, false_alarm, seconds)

    return decorate


def checks_in(module: ModuleType) -> list[Check]:
    """The checks that a module defines, in the order of their definition."""
    return [value for value in vars(module).values() if isinstance(value, Check)]


def expect(got: Any, wanted: Any, *, example: object, rtol: float = 0.0, atol: float = 0.0) -> None:
    """Compare numbers or arrays, including their shapes.

    Args:
        example: the case as a violation shows it: text, or names with values.
        rtol, atol: floats must satisfy |got − wanted| ≤ atol + rtol · |wanted|; NaN equals NaN.

    Raises:
        Violation: if they differ.
    """
    one, other = np.asarray(got), np.asarray(wanted)
    if one.shape != other.shape:
        raise Violation(example, f"shape {other.shape}: {shown(other)}", f"shape {one.shape}: {shown(one)}")
    if one.dtype.kind in "fc" or other.dtype.kind in "fc":
        same = np.isclose(one, other, rtol=rtol, atol=atol, equal_nan=True)
    else:
        same = np.asarray(one == other)
    if not same.all():
        raise Violation(example, other, one)


def require(holds: bool | np.bool_, *, example: object, expected: object, got: object) -> None:
    """Raise a `Violation` unless `holds` is true."""
    if not holds:
        raise Violation(example, expected, got)


def shown(value: object) -> str:
    """Format a value for a reader: arrays without their dtype, floats short, mappings as "a = 1, b = 2"."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {shown(item)}" for key, item in value.items())
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=8, separator=", ", threshold=40, edgeitems=8).replace("\n", "")
    if isinstance(value, np.generic):
        return shown(value.item())
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    return repr(value)
