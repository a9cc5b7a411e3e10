"""Measure arms in turn, summarise their times, and run the engine's loop for a given number of steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float64

from framework.assembly.parts import Parts
from framework.events import Callback
from framework.training.loop import Loop
from framework.types import Counters, Step

Times: TypeAlias = Float64[np.ndarray, " R"]

LEGEND = (
    "Medians of the rounds, with their quartiles. A ratio compares two arms in the same round; *in all* compares their "
    "sums over all rounds, so it includes rare slow steps."
)

UNENDING: Mapping[str, Any] = {"run.steps": 10**12, "evaluation.every": 0}
"""Options of a run that `advance` drives: it does not end and has no evaluations."""


def alternate(arms: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Returns the seconds of every arm in every round.

    Each round begins with another arm, so that no arm has an advantage from its place in the order. One more round runs
    first as a warm-up and is not counted.
    """
    names = list(arms)
    seconds = {name: np.empty(rounds + 1) for name in names}
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            began = time.perf_counter()
            arms[name]()
            seconds[name][turn] = time.perf_counter() - began
    return {name: times[1:] for name, times in seconds.items()}


def spread(values: Times, form: str = ",.0f") -> str:
    """Returns the median and, in brackets, the quartiles."""
    lower, median, upper = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{median:{form}} ({lower:{form}}–{upper:{form}})"


def ratio(times: Times, base: Times) -> str:
    """Returns how many times as long as `base` an arm takes, in the same round and in all."""
    return f"{spread(times / base, '.2f')}; {times.sum() / base.sum():.2f} in all"


def show(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown. The first column holds words, the others hold numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    print("\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)), end="\n\n", flush=True)


class _Slice(Callback):
    """Stops its loop after `steps` environment steps."""

    loop: Loop

    def __init__(self, steps: int) -> None:
        self._left = steps

    def on_step(self, step: Step, counters: Counters) -> None:
        self._left -= len(step)
        if self._left <= 0:
            self.loop.stop()


def advance(parts: Parts, steps: int) -> None:
    """Run the engine's loop for `steps` environment steps, or a few more: it stops after a step of all environments."""
    part = _Slice(steps)
    part.loop = Loop(parts, [part])
    part.loop.run()
