"""Plays the environments' part of a run from a script, and writes down all that the composition answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from framework.assembly import Parts
from framework.conformance.checks import Violation
from framework.conformance.subject import Subject
from framework.conformance.tracing import copied
from framework.types import Batch, Step

Answer = tuple[str, np.ndarray]
"""What was answered, in words, and the answer."""

ASKED = ("ids", "weights", "obs", "action", "reward", "discount", "next_obs", "next_action")
"""Of a batch, in the order in which differences are looked for."""


@dataclass(frozen=True)
class Scene:
    """What the environments show, and the transitions that follow, whatever is done."""

    obs: np.ndarray
    step: Step


def script(parts: Parts, length: int) -> list[Scene]:
    """So many scenes from the parts' own environments, with actions of the script's own."""
    rng, scenes = np.random.default_rng(5), []
    for _ in range(length):
        obs = parts.stream.observations.copy()
        parts.stream.begin(rng.integers(parts.spaces.num_actions, size=parts.spaces.num_envs))
        scenes.append(Scene(obs, copied(parts.stream.finish())))
    return scenes


@contextmanager
def understudies(subject: Subject, values: Mapping[str, Any]) -> Iterator[tuple[Parts, Parts]]:
    """The composition twice, the second time with another seed."""
    seeded = {**values, "run.seed": subject.seed + 1}
    with subject.probed("ledger", values) as one, subject.probed("ledger", seeded) as other:
        yield one, other


def answers(parts: Parts, scenes: Sequence[Scene], agent: bool = True) -> list[Answer]:
    """Put the scenes to the parts as the loop would.

    Args:
        agent: let them act and learn; otherwise only the memory works, with priorities that follow from the ids.
    """
    found: list[Answer] = []
    counters, cadence = parts.counters, parts.cadence
    for scene in scenes:
        if not cadence.overlap:
            found += _learn(parts, agent)
        if agent:
            values = parts.policy.action_values(scene.obs, explore=True)
            found.append(("values", np.array(values)))
            found.append(("actions", np.array(parts.exploration.choose(values, scene.obs, counters))))
        if cadence.overlap:
            found += _learn(parts, agent)
        parts.buffer.add(scene.step)
        counters.advance(scene.step)
        parts.target_sync.tick(counters)
    return found


def _learn(parts: Parts, agent: bool) -> list[Answer]:
    found: list[Answer] = []
    due = parts.cadence.due(parts.counters)
    while parts.counters.updates < due and len(parts.buffer):
        batch = parts.buffer.sample(parts.cadence.batch_size, parts.counters)
        found += [(f"{name} of a batch", np.array(getattr(batch, name))) for name in ASKED]
        priority = batch.ids * 31 % 17 / 4
        if agent:
            loss, priority = _update(parts, batch)
            found.append(("losses", loss))
        parts.buffer.reprioritize(batch.ids, priority)
        parts.counters.updates += 1
        parts.target_sync.tick(parts.counters)
    return found


def _update(parts: Parts, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    errors = parts.loss(batch, parts.counters)
    parts.optimizer.apply(batch, errors)
    return np.array(errors.loss), errors.priority


def expect_same_answers(got: Sequence[Answer], wanted: Sequence[Answer], when: str) -> None:
    """The answers are equal bit for bit.

    Raises:
        Violation: with the first that differs.
    """
    for number in range(max(len(got), len(wanted))):
        (what, found), (due, answer) = (given[number] if number < len(given) else _NONE for given in (got, wanted))
        if what != due or not np.array_equal(found, answer, equal_nan=found.dtype.kind == "f"):
            raise Violation(
                {"when": when, "answer": number + 1}, f"{due}: {_brief(answer)}", f"{what}: {_brief(found)}"
            )


_NONE: Answer = ("nothing", np.empty(0))


def _brief(answer: np.ndarray) -> str:
    return np.array2string(answer, precision=8, separator=", ", threshold=40).replace("\n", "")
