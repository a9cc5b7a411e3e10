"""Prioritised replay against a naive cumulative sum and the paper's formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.assembly.assemble import assemble
from framework.errors import FrameworkError
from framework.testing import enforce
from framework.training.loop import Loop
from framework.types import Counters, Sampler
from plugins.per import PEROptions, Prioritized
from plugins.per.sumtree import SumTree

weights = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))


@given(data=st.data(), capacity=st.integers(1, 40))
def test_a_leaf_is_found_where_a_naive_cumulative_sum_finds_it(data: st.DataObject, capacity: int) -> None:
    tree = SumTree(capacity)
    values = np.zeros(capacity)
    for _ in range(data.draw(st.integers(1, 4))):
        leaves = data.draw(hnp.arrays(np.int64, st.integers(1, 9), elements=st.integers(0, capacity - 1)))
        given_weights = data.draw(hnp.arrays(np.float64, len(leaves), elements=weights))
        tree[leaves] = given_weights
        values[leaves] = given_weights
    assert np.array_equal(tree[np.arange(capacity)], values)
    assert tree.total == pytest.approx(values.sum(), rel=1e-12)
    if not values.any():
        return
    bounds = np.concatenate([[0.0], np.cumsum(values)])
    prefixes = data.draw(hnp.arrays(np.float64, 20, elements=st.floats(0, 1))) * tree.total
    for prefix, leaf in zip(prefixes, tree.find(prefixes), strict=True):
        assert values[leaf] > 0
        slack = 1e-9 * tree.total
        assert bounds[leaf] - slack <= prefix <= bounds[leaf + 1] + slack


def test_the_very_end_of_the_sum_is_the_last_leaf_that_weighs_anything() -> None:
    tree = SumTree(5)
    tree[np.arange(5)] = np.array([0.1, 0.2, 0.3, 0.0, 0.0])
    assert tree.find(np.array([tree.total, np.nextafter(tree.total, 9)])).tolist() == [2, 2]


def test_a_hundred_thousand_updates_leave_no_drift() -> None:
    generator = np.random.default_rng(0)
    tree = SumTree(1_000)
    for _ in range(1_000):
        tree[generator.integers(0, 1_000, 100)] = generator.random(100) * 10.0 ** generator.integers(-6, 7)
    tree[np.arange(1_000)] = np.full(1_000, 0.1)
    assert tree.total == pytest.approx(100.0, rel=1e-12)


def sampler_of(priorities: np.ndarray, **options: float) -> Prioritized:
    sampler = enforce(Prioritized(PEROptions(epsilon=1e-12, **options), np.random.default_rng(1)), Sampler)
    sampler.allocate(len(priorities))
    sampler.activate(np.arange(len(priorities)))
    sampler.reprioritize(np.arange(len(priorities)), priorities)
    return sampler


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_frequencies_and_weights_are_the_papers(alpha: float) -> None:
    """200 000 stratified draws vary less than independent ones: 5 standard errors have a probability below 1e-5."""
    priorities = np.array([1.0, 2.0, 0.5, 4.0, 3.0])
    probability = priorities**alpha / (priorities**alpha).sum()
    sampler = sampler_of(priorities, alpha=alpha, beta=0.4, beta_horizon=100)
    drawn = np.concatenate([sampler.sample(50, Counters())[0] for _ in range(4_000)])
    frequency = np.bincount(drawn, minlength=5) / len(drawn)
    assert (np.abs(frequency - probability) < 5 * np.sqrt(probability * (1 - probability) / len(drawn))).all()
    for steps, beta in ((0, 0.4), (50, 0.7), (100, 1.0), (10_000, 1.0)):
        ids, importance = sampler.sample(16, Counters(env_steps=steps))
        expected = (5 * probability[ids]) ** -beta
        assert np.allclose(importance, expected / expected.max())


def test_new_transitions_have_the_largest_priority_ever_seen() -> None:
    sampler = sampler_of(np.array([0.1, 7.0, 0.1]), alpha=1.0)
    sampler.retire(np.array([0]))
    sampler.activate(np.array([3]))
    counts = np.bincount(np.concatenate([sampler.sample(9, Counters())[0] for _ in range(500)]), minlength=4)
    assert abs(counts[3] / counts[1] - 1) < 0.1


def test_late_priorities_touch_nothing_and_bad_ones_are_refused() -> None:
    sampler = sampler_of(np.array([1.0, 1.0, 1.0]), alpha=1.0)
    sampler.retire(np.array([0, 1]))
    sampler.activate(np.array([3]))
    before = sampler.state_dict()["priorities"]
    sampler.reprioritize(np.array([0, 1]), np.array([100.0, 100.0]))
    assert np.array_equal(before, sampler.state_dict()["priorities"])
    assert len(sampler) == 2
    for bad in (np.nan, np.inf, -1.0):
        with pytest.raises(FrameworkError, match="finite and at least 0"):
            sampler.reprioritize(np.array([2]), np.array([bad]))


@given(data=st.data(), capacity=st.integers(1, 12))
@settings(max_examples=50)
def test_only_active_ids_are_ever_drawn(data: st.DataObject, capacity: int) -> None:
    sampler = enforce(Prioritized(PEROptions(), np.random.default_rng(0)), Sampler)
    sampler.allocate(capacity)
    active: list[int] = []
    for following in range(data.draw(st.integers(1, 30))):
        lost = np.array([following - capacity], np.int64)
        sampler.retire(lost)
        active = [id_ for id_ in active if id_ != lost[0]]
        if data.draw(st.booleans()):
            sampler.activate(np.array([following]))
            active.append(following)
        ids, _ = sampler.sample(4, Counters())
        assert set(ids.tolist()) <= set(active)
        assert len(ids) == (4 if active else 0)
        assert len(sampler) == len(active)
        stale = np.array([following - capacity, following])
        sampler.reprioritize(stale, np.array([0.5, 0.25]))


def test_a_reloaded_sampler_draws_the_same() -> None:
    sampler = sampler_of(np.array([1.0, 5.0, 2.0]))
    other = Prioritized(PEROptions(), np.random.default_rng(9))
    other.allocate(3)
    other.load_state_dict(sampler.state_dict())
    assert np.array_equal(sampler.sample(20, Counters())[0], other.sample(20, Counters())[0])


@pytest.mark.parametrize("names", ["dqn,per,chain", "dqn,per,nstep,dueling,polyak,double,chain", "tabular,per,grid"])
def test_it_composes(names: str) -> None:
    parts = assemble(f"{names},framework.testing", {"run.steps": 200, "replay.capacity": 64, "run.num_envs": 2})
    Loop(parts).run()
    assert parts.filled["make_sampler"] == "per"
    assert parts.counters.updates > 0 or names.startswith("dqn")


def test_the_weight_of_a_batch_of_one_corrects_the_bias() -> None:
    """With β = 1 the mean over draws of w · x is the plain mean of x over all transitions; with β = 0 it is not."""
    priorities = np.array([1.0, 2.0, 0.5, 4.0, 3.0])
    for beta, wanted in ((1.0, priorities.mean()), (0.0, (priorities**2).sum() / priorities.sum())):
        sampler = sampler_of(priorities, alpha=1.0, beta=beta)
        draws = [sampler.sample(1, Counters()) for _ in range(20_000)]
        mean = np.mean([weight[0] * priorities[ids[0]] for ids, weight in draws])
        assert mean == pytest.approx(wanted, rel=0.02)
