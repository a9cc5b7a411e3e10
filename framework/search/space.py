"""Which values of an option a sweep tries, in words: "log(1e-4, 1e-2)", "int(1, 5)", "choice(100, 500)"."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from framework.config import parse_value
from framework.errors import UsageError, did_you_mean
from framework.study.runs import as_toml

INSIDE = 0.381966
"""How far the value between the ends that is tried lies from the lower end: no fraction that rounds to a whole."""


@dataclass(frozen=True)
class Range:
    """Numbers between two ends, which belong to it."""

    low: float
    high: float
    logarithmic: bool = False
    """Whether values are drawn evenly on a logarithmic scale."""
    step: int | None = None
    """Whole numbers only, with this distance; None: any number."""

    def __str__(self) -> str:
        """As the user writes it."""
        if self.step is None:
            return f"{'log' if self.logarithmic else 'uniform'}({self.low!r}, {self.high!r})"
        more = f", {self.step}" if self.step > 1 else ""
        return f"{'logint' if self.logarithmic else 'int'}({self.low}, {self.high}{more})"

    @property
    def tried(self) -> tuple[Any, ...]:
        """Values that must be accepted before a sweep begins: the lower end, one inside, the upper end."""
        return tuple(dict.fromkeys((self.low, self._at(INSIDE), self.high)))

    def points(self, most: int) -> tuple[Any, ...]:
        """At most so many values, at least 2, with equal distances on the range's scale. Both ends belong to them."""
        inner = [self._at(share) for share in np.linspace(0, 1, most)[1:-1]]
        return tuple(dict.fromkeys((self.low, *inner, self.high)))

    def _at(self, share: float) -> float:
        """The value at a share of the way from the lower end to the upper one."""
        if self.logarithmic:
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        if self.step is not None:
            return int(self.low) + round((value - self.low) / self.step) * self.step
        return min(max(float(f"{value:.12g}"), self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """Single values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"choice({', '.join(self.labels)})"

    @property
    def labels(self) -> tuple[str, ...]:
        """Each value as text that no other value has."""
        return tuple(as_toml(value) for value in self.values)

    @property
    def tried(self) -> tuple[Any, ...]:
        """Values that must be accepted before a sweep begins: all."""
        return self.values

    def points(self, most: int) -> tuple[Any, ...]:
        """All values, whatever `most` is."""
        return self.values


Space: TypeAlias = Range | Choice


def parse_space(text: str) -> Space:
    """A space from its text.

    Raises:
        UsageError: if it is none, and how to write it.
    """
    kind, opened, rest = text.strip().partition("(")
    kind = kind.strip()
    if kind not in KINDS or not opened or not rest.endswith(")"):
        near = did_you_mean(kind, [*KINDS]) if kind not in KINDS else ""
        raise UsageError(f"{text!r} is no search space.{near} Write {FORMS}")
    return KINDS[kind](list(_split(rest[:-1])), text.strip())


def parse_over(texts: Sequence[str], declared: Mapping[str, Space]) -> tuple[dict[str, Space], list[str]]:
    """The spaces of `--over section.key=SPACE`, by option. "section.key" alone takes the space that is declared.

    Returns:
        The spaces, and a message for each text that cannot be read.
    """
    found: dict[str, Space] = {}
    problems = []
    for text in texts:
        path, equals, space = (part.strip() for part in text.partition("="))
        try:
            if "." not in path:
                raise UsageError("write it as section.key=SPACE")
            if path in found:
                raise UsageError("this option is searched twice")
            if not equals and path not in declared:
                near = did_you_mean(path, [*declared])
                raise UsageError(f"no space is declared for it.{near} Write {path}=SPACE, with SPACE {FORMS}")
            found[path] = parse_space(space) if equals else declared[path]
        except UsageError as error:
            problems += [f"--over {text}: {problem}" for problem in error.problems]
    return found, problems


def _range(logarithmic: bool, whole: bool, words: list[str], text: str) -> Range:
    if len(words) not in ((2, 3) if whole and not logarithmic else (2,)):
        raise UsageError(f"{text}: {len(words)} values between the brackets: write {FORMS}")
    numbers = [_number(word, whole, text) for word in words]
    low, high, step = numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 1
    if low >= high:
        raise UsageError(f"{text}: the first end must lie below the second")
    if logarithmic and low <= 0:
        raise UsageError(f"{text}: a logarithmic scale has only numbers above 0")
    if not whole:
        return Range(low, high, logarithmic)
    if step < 1:
        raise UsageError(f"{text}: the step must be at least 1")
    if (high - low) % step:
        last = low + (high - low) // step * step
        fit = f"write int({low}, {last}, {step})" if last > low else "choose a smaller step"
        raise UsageError(f"{text}: steps of {step} from {low} do not reach {high}: {fit}")
    return Range(low, high, logarithmic, int(step))


def _choice(words: list[str], text: str) -> Choice:
    found = Choice(tuple(parse_value(word) for word in words))
    if len(words) < 2 or "" in words:
        raise UsageError(f"{text}: a choice needs at least two values, separated by commas")
    try:
        labels = found.labels
    except ValueError as error:  # what TOML cannot write
        raise UsageError(f"{text}: {error}") from error
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise UsageError(f"{text}: {', '.join(twice)} more than once")
    return found


KINDS: Mapping[str, Callable[[list[str], str], Space]] = {
    "log": partial(_range, True, False),
    "uniform": partial(_range, False, False),
    "int": partial(_range, False, True),
    "logint": partial(_range, True, True),
    "choice": _choice,
}

FORMS = "log(LOW,HIGH), uniform(LOW,HIGH), int(LOW,HIGH) or int(LOW,HIGH,STEP), logint(LOW,HIGH) or choice(A,B,…)"


def _number(word: str, whole: bool, text: str) -> Any:
    try:
        number = Decimal(word)
        if not math.isfinite(float(number)) or (whole and (abs(number) >= 2**63 or number % 1)):
            raise ArithmeticError
    except ArithmeticError:
        raise UsageError(f"{text}: {word!r} is not a {'whole number' if whole else 'finite number'}") from None
    return int(number) if whole else float(number)


def _split(text: str) -> Iterator[str]:
    """The parts between the commas that stand outside brackets and quotes."""
    depth, quote, start = 0, "", 0
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        else:
            depth += (sign in "([{") - (sign in ")]}")
            if sign == "," and depth == 0:
                yield text[start:place].strip()
                start = place + 1
    yield text[start:].strip()
