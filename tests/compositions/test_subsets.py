"""Every subset of six variants with every head: it assembles, trains, stays finite, and goes on bit for bit."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.training.loop import Loop
from framework.types import Stateful

VARIANTS = ("double", "dueling", "nstep", "per", "noisy", "polyak")
HEADS = ("", "c51", "qr", "iqn")
SUBSETS = [subset for size in range(len(VARIANTS) + 1) for subset in combinations(VARIANTS, size)]
COMPOSITIONS = [",".join(filter(None, ("dqn", head, *subset, "chain"))) for head, subset in product(HEADS, SUBSETS)]

VALUES = {"run.steps": 200, "learning.starts": 40, "learning.updates_per_step": 0.25, "dqn.hidden": 16}
STATEFUL = ("policy", "exploration", "sampler", "buffer", "optimizer", "target_sync")


def check(names: str) -> None:
    """Train, save, restore into parts of another seed, and compare the next two updates bit for bit."""
    first = assemble(f"{names},framework.testing", VALUES)
    Loop(first).run()
    assert first.counters.updates == 39  # the last step is not learnt yet
    second = assemble(f"{names},framework.testing", {**VALUES, "run.seed": 1})
    restore(second, first)
    for _ in range(2):
        (losses, values), (other_losses, other_values) = update(first), update(second)
        assert np.isfinite(losses).all() and np.isfinite(values).all()
        assert np.array_equal(losses, other_losses)
        assert np.array_equal(values, other_values)
    first.close()
    second.close()


def restore(second: Parts, first: Parts) -> None:
    second.counters.load_state_dict(first.counters.state_dict())
    for name in STATEFUL:
        part: Any = getattr(first, name)
        if isinstance(part, Stateful):
            getattr(second, name).load_state_dict(part.state_dict())


def update(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Make one update as the loop does. Returns the losses, and the action values of every state while exploring."""
    batch = parts.buffer.sample(parts.cadence.batch_size, parts.counters)
    errors = parts.loss(batch, parts.counters)
    parts.optimizer.apply(batch, errors)
    parts.buffer.reprioritize(batch.ids, errors.priority)
    parts.counters.updates += 1
    parts.target_sync.tick(parts.counters)
    return errors.loss, parts.policy.action_values(np.arange(5), explore=True)


def test_there_are_256() -> None:
    assert len(set(COMPOSITIONS)) == 256


@settings(max_examples=10, phases=[Phase.generate])
@given(names=st.sampled_from(COMPOSITIONS))
def test_a_sample(names: str) -> None:
    check(names)


@pytest.mark.compositions
@pytest.mark.parametrize("names", COMPOSITIONS)
def test_all(names: str) -> None:
    check(names)
