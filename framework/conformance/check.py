"""What a check is, and how it says what it found.

A check is a function of a `Subject` (a composition under test) with a property as its docstring:

    @check("returns", "make_returns", Cause("γ where γⁿ belongs", "younggyoseo/FastTD3#6"))
    def discount_is_gamma_to_the_length(subject: Subject) -> None:
        \"\"\"A window of k steps that did not terminate is bootstrapped with γ^k.\"\"\"
        expect(found, wanted, example={"n": 3, "rewards": rewards})

It returns if the property holds, raises `Violation` (mostly by `expect`) if not, and `NotApplicable` where the
composition has nothing that the property speaks of. Whatever else it raises is a failure of the plugin, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

Purpose = Literal["parts", "learning", "optimum"]
"""What a check asks plugins for options for: see the hook `conformance_values`."""

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
    "agent",
)
"""In the order in which they are checked: parts before what is made of them, so that the first failure is the cause."""


class Violation(Exception):
    """A property does not hold: in the case `example`, as small as could be, `expected` should be and `got` is."""

    def __init__(self, example: object, expected: object, got: object) -> None:
        self.example, self.expected, self.got = shown(example), shown(expected), shown(got)
        super().__init__(f"{self.example}: expected {self.expected}, got {self.got}")


class NotApplicable(Exception):
    """The composition has nothing that the property speaks of; the message says what is missing."""


@dataclass(frozen=True)
class Cause:
    """What is likely to have gone wrong, and a public project in which it did, as "owner/repository#issue"."""

    text: str
    precedent: str = ""


@dataclass(frozen=True)
class Check:
    """A property of one component.

    `false_alarm` is an upper bound on the probability, over random seeds, that a correct composition fails: 0 for
    checks without statistics, at most 1e-5 for others. `seconds` is how long it may take before it counts as hung.
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
        """The property in a sentence."""
        return " ".join((self.run.__doc__ or "").split("\n\n")[0].split())


def check(
    component: str, slot: str, *causes: Cause, false_alarm: float = 0.0, seconds: float = 60.0
) -> Callable[[Callable[[Any], None]], Check]:
    """Make a check of a function; its name is the function's.

    Args:
        component: one of `COMPONENTS`.
        slot: the hook whose winner must have the property; "" if it is the whole composition that must.
        causes: the likely ones, the likeliest first.

    Raises:
        ValueError: for an unknown component, a probability above 1e-5, or a function without a docstring.
    """

    def decorate(function: Callable[[Any], None]) -> Check:
        if component not in COMPONENTS or not 0 <= false_alarm <= 1e-5 or not function.__doc__:
            raise ValueError(
                f"{function.__name__} needs a known component, a docstring and a false alarm of at most 1e-5"
            )
        return Check(function.__name__, component, slot, function, causes, false_alarm, seconds)

    return decorate


def checks_in(module: ModuleType) -> list[Check]:
    """The checks that a module defines, in the order in which they stand there."""
    return [value for value in vars(module).values() if isinstance(value, Check)]


def expect(got: Any, wanted: Any, *, example: object, rtol: float = 0.0, atol: float = 0.0) -> None:
    """Compare numbers or arrays, shapes included.

    Args:
        example: the case that is compared, as it should be shown: text, or names with values.
        rtol, atol: |got − wanted| ≤ atol + rtol · |wanted|; NaN equals NaN.

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
    """Raise a `Violation` unless something holds."""
    if not holds:
        raise Violation(example, expected, got)


def shown(value: object) -> str:
    """A value as a person would write it down: arrays without their dtype, floats short, mappings as "a = 1, b = 2"."""
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
