"""The uniform sampler and the sampler in order, against plain lists of ids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from framework.replay.samplers import InOrderSampler, UniformSampler
from framework.testing import enforce
from framework.types import Counters, Sampler

CAPACITY = 13


class SamplerMachine(RuleBasedStateMachine):
    """Ids come as from a replay: each id once, and an old id is retired before a new one takes its slot."""

    def __init__(self) -> None:
        super().__init__()
        self.uniform = enforce(UniformSampler(np.random.default_rng(0)), Sampler)
        self.in_order = enforce(InOrderSampler(), Sampler)
        for sampler in (self.uniform, self.in_order):
            sampler.allocate(CAPACITY)
        self.next = 0
        self.active: list[int] = []
        self.waiting: list[int] = []

    @rule(count=st.integers(1, 5), gap=st.integers(0, 3))
    def activate(self, count: int, gap: int) -> None:
        ids = np.arange(self.next + gap, self.next + gap + count)
        self.next = int(ids[-1]) + 1
        lost = np.arange(self.next - CAPACITY - 8, self.next - CAPACITY)
        for sampler in (self.uniform, self.in_order):
            sampler.retire(lost)
            sampler.activate(ids)
        self.active = [id_ for id_ in self.active if id_ not in lost] + ids.tolist()
        self.waiting = [id_ for id_ in self.waiting if id_ not in lost] + ids.tolist()

    @rule(n=st.integers(0, 20))
    def sample(self, n: int) -> None:
        ids, weights = self.uniform.sample(n, Counters())
        assert len(ids) == len(set(ids.tolist())) == min(n, len(self.active))
        assert set(ids.tolist()) <= set(self.active)
        assert (weights == 1).all()
        ids, _ = self.in_order.sample(n, Counters())
        assert ids.tolist() == self.waiting[:n]
        self.waiting = self.waiting[n:]

    @rule()
    def reload(self) -> None:
        for sampler, fresh in (
            (self.uniform, UniformSampler(np.random.default_rng(9))),
            (self.in_order, InOrderSampler()),
        ):
            fresh.allocate(CAPACITY)
            fresh.load_state_dict(sampler.state_dict())
            ours, theirs = sampler.state_dict(), fresh.state_dict()
            assert str(ours) == str(theirs)

    @invariant()
    def sizes_agree(self) -> None:
        assert len(self.uniform) == len(self.active)
        assert len(self.in_order) == len(self.waiting)


SamplerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestSamplers = SamplerMachine.TestCase


def test_every_active_id_is_equally_likely() -> None:
    """30 000 batches of 2 out of 7; a deviation of 5 standard errors in any of 7 cells has probability below 4e-6."""
    sampler = UniformSampler(np.random.default_rng(5))
    sampler.allocate(10)
    sampler.activate(np.arange(10))
    sampler.retire(np.array([0, 4, 9]))
    counts = np.bincount(np.concatenate([sampler.sample(2, Counters())[0] for _ in range(30_000)]), minlength=10)
    assert counts[[0, 4, 9]].tolist() == [0, 0, 0]
    expected = 30_000 * 2 / 7
    assert np.abs(counts[counts > 0] - expected).max() < 5 * np.sqrt(30_000 * (2 / 7) * (5 / 7))


@pytest.mark.parametrize("stale", [-1, 3, 13 + 4])
def test_retiring_what_is_not_active_changes_nothing(stale: int) -> None:
    sampler = UniformSampler(np.random.default_rng(0))
    sampler.allocate(CAPACITY)
    sampler.activate(np.array([4, 5]))
    sampler.retire(np.array([stale]))
    assert len(sampler) == 2
