"""Tabular Q-learning: its update against a reference, and exact optima."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from envs.chain import ChainEnv
from envs.grid import GridEnv
from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.testing import enforce
from framework.training.loop import Loop
from framework.types import Counters, Loss, Optimizer
from plugins.tabular import Assignment, QLearning, QTable
from tests.plugins.tabular_runs import A, B, S, batch_of, values


@given(
    table=hnp.arrays(np.float64, (S, A), elements=values),
    obs=hnp.arrays(np.int64, B, elements=st.integers(0, S - 1)),
    action=hnp.arrays(np.int64, B, elements=st.integers(0, A - 1)),
    reward=hnp.arrays(np.float64, B, elements=values),
    discount=hnp.arrays(np.float64, B, elements=st.floats(0, 1)),
    after=hnp.arrays(np.int64, B, elements=st.integers(0, S - 1)),
    rate=st.floats(0.01, 1),
)
def test_the_update_is_the_bellman_update(table, obs, action, reward, discount, after, rate) -> None:
    policy = QTable(S, A, 0.0)
    policy.load_state_dict({"table": table})
    batch = batch_of(obs, action, reward, discount, after)
    errors = enforce(QLearning(policy), Loss)(batch, Counters())
    targets = [r + g * max(table[s]) for r, g, s in zip(reward, discount, after, strict=True)]
    assert np.allclose(errors.update[1], targets, rtol=1e-12, atol=1e-12)
    assert np.allclose(errors.priority, [abs(y - table[s, a]) for y, s, a in zip(targets, obs, action, strict=True)])
    assert np.array_equal(policy.table, table), "a loss changes nothing"
    enforce(Assignment(policy, rate), Optimizer).apply(batch, errors)
    expected = table.copy()
    for s, a, y in zip(obs, action, targets, strict=True):
        expected[s, a] += rate * (y - expected[s, a])
    assert np.allclose(policy.table, expected, rtol=1e-9, atol=1e-9)


def test_a_learning_rate_of_one_is_an_assignment_to_the_last_bit() -> None:
    policy = QTable(2, 2, 1e17)
    batch = batch_of(np.array([0]), np.array([1]), np.array([0.1]), np.array([0.0]), np.array([1]))
    Assignment(policy, 1.0).apply(batch, QLearning(policy)(batch, Counters()))
    assert policy.table[0, 1] == 0.1


@given(
    cells=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.floats(-10, 10)), min_size=1, max_size=20),
    rate=st.floats(0.01, 1),
    power=st.floats(0, 1),
    rows=st.integers(1, 4),
)
def test_the_nth_update_of_an_entry_has_the_rate_of_its_number(
    cells: list[tuple[int, int, float]], rate: float, power: float, rows: int
) -> None:
    """Also if several rows of a batch are of one entry, and after the state was saved and loaded."""
    policy, expected, seen = QTable(2, 2, 0.5), np.full((2, 2), 0.5), np.zeros((2, 2))
    optimizer = Assignment(policy, rate, power)
    for start in range(0, len(cells), rows):
        s, a, y = (np.array(column) for column in zip(*cells[start : start + rows], strict=True))
        batch = batch_of(s, a, y, np.zeros(len(s)), s)
        optimizer.apply(batch, QLearning(policy)(batch, Counters()))
        saved, optimizer = optimizer.state_dict(), Assignment(policy, rate, power)
        optimizer.load_state_dict(saved)
    for s, a, y in cells:
        seen[s, a] += 1
        share = rate * seen[s, a] ** -power
        expected[s, a] += share * (y - expected[s, a])
    assert np.allclose(policy.table, expected, rtol=1e-9, atol=1e-9)


def test_a_power_of_one_is_the_mean_of_all_targets() -> None:
    policy, targets = QTable(1, 1, 100.0), np.array([3.0, -1.0, 4.0, 1.0, 5.0])
    zeros = np.zeros(5, np.int64)
    batch = batch_of(zeros, zeros, targets, np.zeros(5), zeros)
    Assignment(policy, 1.0, 1.0).apply(batch, QLearning(policy)(batch, Counters()))
    assert policy.table[0, 0] == pytest.approx(targets.mean())


def test_the_successor_of_a_terminal_state_has_no_effect() -> None:
    policy = QTable(2, 2, 0.0)
    policy.table[1] = np.nan
    batch = batch_of(np.array([0]), np.array([0]), np.array([2.0]), np.array([0.0]), np.array([1]))
    assert QLearning(policy)(batch, Counters()).update[1].tolist() == [2.0]


@pytest.mark.parametrize("num_envs", [1, 4])
@pytest.mark.parametrize("names", ["tabular", "tabular,nstep"])
def test_it_learns_the_exact_optimum_of_the_grid(names: str, num_envs: int) -> None:
    """Moves are deterministic and α = 1: the table is exact once every action was tried often enough in every state.

    With several steps the target holds the rewards of exploring moves, so the table is not exact.
    """
    parts = assemble(
        f"{names},grid,framework.testing",
        {"run.episodes": 400, "exploration.final": 1.0, "run.num_envs": num_envs},
    )
    Loop(parts).run()
    exact = GridEnv().q_star(0.9)
    open_states = np.flatnonzero(np.abs(exact).sum(axis=1))
    if names == "tabular":
        assert np.abs(parts.policy.table - exact)[open_states].max() < 1e-9
    else:
        assert parts.policy.table.max() == pytest.approx(1.0)


def test_a_smaller_rate_averages_a_slippery_grid() -> None:
    """α = 0.1 on slip 0.2: the greedy policy's value is close to the optimum's."""
    parts = assemble(
        "tabular,grid",
        {"run.episodes": 2000, "grid.slip": 0.2, "tabular.learning_rate": 0.1, "exploration.final": 0.3},
    )
    Loop(parts).run()
    exact = GridEnv(slip=0.2).q_star(0.9)
    start = 8
    assert abs(parts.policy.table[start].max() - exact[start].max()) < 0.1


def test_a_falling_rate_comes_nearer_to_the_optimum_of_a_slippery_grid() -> None:
    """The mean error of the start's best value over five seeds: α = 0.5 / n^0.6 against a constant α = 0.5."""
    exact, start = GridEnv(slip=0.2).q_star(0.9)[8].max(), 8
    errors = []
    for power in (0.0, 0.6):
        found = []
        for seed in range(5):
            values = {"run.seed": seed, "run.episodes": 400, "grid.slip": 0.2, "exploration.final": 0.5}
            parts = assemble("tabular,grid", {**values, "tabular.learning_rate": 0.5, "tabular.power": power})
            Loop(parts).run()
            found.append(abs(parts.policy.table[start].max() - exact))
        errors.append(np.mean(found))
    assert errors[1] < errors[0] / 2


def test_chain_of_another_length() -> None:
    parts = assemble("tabular,chain", {"chain.length": 9, "run.episodes": 600, "exploration.horizon": 600})
    Loop(parts).run()
    exact = ChainEnv(length=9).q_star(0.9)
    assert np.abs(parts.policy.table - exact)[1:-1].max() < 1e-9


@pytest.mark.parametrize(("starts", "num_envs"), [(0, 1), (37, 1), (500, 1), (50, 7)])
def test_after_the_warm_up_it_makes_up_for_every_transition(starts: int, num_envs: int) -> None:
    parts = assemble("tabular,chain", {"run.steps": 1_001, "learning.starts": starts, "run.num_envs": num_envs})
    Loop(parts).run()
    assert parts.counters.updates == parts.counters.env_steps
    assert len(parts.buffer) == 0, "every transition was learnt"
    parts.close()


def test_falling_ever_further_behind_is_refused() -> None:
    with pytest.raises(UsageError, match=r"tabular learns every transition once.*learning\.updates_per_step"):
        assemble("tabular,chain", {"learning.updates_per_step": 0.5})
    assemble("tabular,chain", {"learning.updates_per_step": 0.5, "learning.batch_size": 2}).close()
    with pytest.raises(UsageError, match=r"a replay of 50 has lost some of them after learning\.starts = 50 steps"):
        assemble("tabular,chain", {"learning.starts": 50, "replay.capacity": 50})
    assemble("tabular,per,chain", {"learning.updates_per_step": 0.5}).close()
