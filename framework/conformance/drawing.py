"""A buffer in the company of its composition's own sampler, returns and cadence: what is drawn, and what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from framework.conformance.checks import Violation
from framework.conformance.histories import FIELDS, Happened, History, should
from framework.conformance.samples import frames_of
from framework.conformance.scenes import FRAME, buffer_of, sized, told, with_room
from framework.conformance.subject import Subject
from framework.types import Batch, Cadence, Counters, Returns, Step

ENVS = 3
LEARNING = {
    "run.num_envs": ENVS,
    "learning.starts": 9,
    "learning.updates_per_step": 0.5,
    "learning.batch_size": 7,
}
CAPACITY = 90


@dataclass(frozen=True)
class Drawn:
    """A batch, and everything that had happened by then. `returns` is None where the buffer folds by itself."""

    batch: Batch
    history: History
    returns: Returns | None

    def start(self, index: int) -> int:
        """The number of the frame that a row starts with."""
        return self.history.number(self.batch.obs[index])

    def wanted(self, index: int) -> dict[str, Any]:
        """Fields of a row as they should be."""
        number = self.start(index)
        for made in self.history.made:
            for place, step in enumerate(made):
                if step.seen[-1] == number:
                    return self._fields(index, made, place)
        raise Violation({"frames": self.history.shown()}, "an observation that was acted on", self.batch.obs[index])

    def _fields(self, index: int, made: list[Happened], place: int) -> dict[str, Any]:
        start = made[place]
        if self.returns is not None:
            window = self.history.from_start(made, place, self.returns.horizon)
            return {field: should(self.history, self.returns, window, field) for field in FIELDS}
        last = self._last(index, made, place)
        after = self.history.stack((*last.seen, last.successor))
        fields = {"obs": self.history.stack(start.seen), "action": start.action, "next_obs": after}
        return {**fields, "next_action": self.history.action_after(last)}

    def _last(self, index: int, made: list[Happened], place: int) -> Happened:
        """The step whose successor a row shows, if it is one of the same episode; else the first."""
        number = self.history.number(self.batch.next_obs[index])
        episode = self.history.from_start(made, place, len(made))
        return next((step for step in episode if step.successor == number), episode[0])


def drawn_while_learning(
    subject: Subject,
    after_add: Callable[[Step], None] = lambda step: None,
    after_draw: Callable[[Batch], None] = lambda batch: None,
) -> Iterator[Drawn]:
    """Batches as the loop would draw them while three environments make some 120 transitions.

    Args:
        after_add, after_draw: called with each step that was added, and with each batch that was looked at.
    """
    bench = subject.bench(LEARNING)
    spaces = frames_of(FRAME, np.int64, 3, ENVS)
    returns = bench.returns() if subject.consumes("make_buffer", "returns") else None
    buffer = with_room(lambda capacity: buffer_of(sized(bench, capacity), spaces, returns=returns), CAPACITY)
    cadence: Cadence = bench.part("make_cadence", Cadence, config=bench.config)
    history, counters, rng = History(spaces), Counters(), np.random.default_rng(subject.seed)
    steps = ["...", "..t", ".u-", "b..", "-..", "tt.", "--u", "...", ".t.", "..."] * 5
    for signs in steps:
        step = history.step(signs)
        buffer.add(step)
        counters.advance(step)
        after_add(step)
        due = cadence.due(counters)
        while counters.updates < due and len(buffer):
            batch = buffer.sample(cadence.batch_size, counters)
            _ = batch.next_obs, batch.next_action
            yield Drawn(batch, history, returns)
            after_draw(batch)
            buffer.reprioritize(batch.ids, rng.exponential(size=len(batch)))
            counters.updates += 1


def compare_while_learning(subject: Subject, **then: Callable[[Any], None]) -> None:
    """Compare all that the composition draws with what happened; `then` is for `drawn_while_learning`."""
    for drawn in drawn_while_learning(subject, **then):
        for index in range(len(drawn.batch)):
            for field, wanted in drawn.wanted(index).items():
                got = getattr(drawn.batch, field)[index]
                inexact = field in ("reward", "discount")
                if not (np.isclose(got, wanted, rtol=1e-9) if inexact else np.array_equal(got, wanted)):
                    example = {"start": drawn.start(index), "compared": field, "frames": drawn.history.shown()}
                    raise Violation(example, *(told(drawn.history, field, value) for value in (wanted, got)))
