"""Tables of action values: Q* against value iteration, arrows against the argmax, and reasons for what is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from envs.model import Transitions
from framework.assembly.assemble import assemble, assemble_agent
from framework.inspection.heatmaps import SQUARE, arrows, draw_table, wedges
from framework.inspection.tables import MOST_STATES, Table, greedy, table_of
from framework.recording.drawing import save_figure
from framework.training.loop import Loop
from framework.types import Board


def value_iteration(transitions: Transitions, gamma: float) -> np.ndarray:
    """Q* in float64, by its definition: Q ← TQ until nothing changes."""
    q = np.zeros((len(transitions), len(transitions[0])))
    for _ in range(10_000):
        before = q.copy()
        for state, row in enumerate(transitions):
            for action, outcomes in enumerate(row):
                q[state, action] = sum(
                    p * (r + (0 if end else gamma * before[after].max())) for p, after, r, end in outcomes
                )
        if np.abs(q - before).max() < 1e-14:
            return q
    raise AssertionError("value iteration did not converge")


@settings(max_examples=15)
@given(gamma=st.floats(0, 0.95), slip=st.sampled_from([0.0, 0.3]), scale=st.sampled_from([-0.2, 0.0]))
def test_the_exact_values_of_the_grid_are_those_of_value_iteration(gamma: float, slip: float, scale: float) -> None:
    values = {"returns.gamma": gamma, "grid.slip": slip, "grid.step_reward": scale}
    parts = assemble("tabular,grid", values)
    env: Any = parts.builder.single_environments("train", 1)()
    table = table_of(parts)
    assert table is not None and table.exact is not None and table.board is not None
    assert np.abs(table.exact - value_iteration(env.unwrapped.transitions(), gamma)).max() < 1e-9
    parts.close()


@pytest.mark.parametrize("names", ["tabular,chain", "dqn,chain"])
def test_the_table_holds_the_policys_action_values_of_every_state(names: str) -> None:
    parts = assemble(names, {"run.steps": 300})
    Loop(parts).run()
    table = table_of(parts)
    assert table is not None and table.exact is not None
    states = np.arange(5)
    assert np.array_equal(table.values, parts.policy.action_values(states, explore=False))
    assert np.abs(table.exact[1:-1] - [[-1, 1.62], [1.458, 1.8], [1.62, 2]]).max() < 1e-9
    assert table.values.dtype == np.float64
    parts.close()


@given(values=hnp.arrays(np.float64, (6, 4), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])))
def test_the_arrows_are_the_argmax_and_ties_have_several(values: np.ndarray) -> None:
    board = Board(2, 3, (None, *[divmod(state, 3) for state in range(1, 6)]), MOVES, {5: "G"})
    found = arrows(Table(np.arange(6), 6, values, None, "", 0.9, board))
    expected = {(s, a) for s in range(1, 5) for a in range(4) if values[s, a] == values[s].max()}
    assert set(found) == expected and len(found) == len(expected)
    assert np.array_equal(greedy(values).argmax(axis=1), values.argmax(axis=1))


MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


def test_where_actions_are_masked_none_is_called_the_best() -> None:
    board = Board(2, 3, None, MOVES, {})
    values = np.arange(24.0).reshape(6, 4)
    assert arrows(Table(np.arange(6), 6, values, None, "", 0.9, board))
    assert not arrows(Table(np.arange(6), 6, values, None, "", 0.9, board, masked=True))
    parts = assemble("tabular,gym:Taxi-v4", {"run.steps": 10})
    table = table_of(parts)
    parts.close()
    assert table is not None and table.masked


def test_values_that_differ_by_rounding_are_ties() -> None:
    assert greedy(np.array([[0.3, 0.1 + 0.2], [0.3, 0.3 + 1e-9]])).tolist() == [[True, True], [False, True]]


@pytest.mark.parametrize(
    "moves",
    [MOVES, MOVES[::-1], MOVES[:2], MOVES[::2], MOVES[1::2], (None, (0, 1)), ((0, 1), (0, 1)), ((0, 2), (1, 0))],
)
def test_the_parts_of_a_cell_do_not_overlap(moves: Any) -> None:
    found = wedges(Board(1, 1, None, moves))
    areas = [_area(corners) for corners in found.values()]
    assert sum(areas) <= 1 + 1e-12
    if len(moves) == 4 or moves == MOVES[::2] or moves == MOVES[1::2] or None in found:
        assert sum(areas) == pytest.approx(1)
    assert (None in found) == (set(moves) - set(MOVES) != set() or len(set(moves)) < len(moves))
    for action, corners in found.items():
        if action is not None:
            y, x = np.array(moves[action])
            middle = np.mean(corners, axis=0)
            assert middle @ (x, y) > 0, "the part lies on the side to which the action moves"


def _area(corners: list[tuple[float, float]]) -> float:
    x, y = np.array(corners).T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


def test_an_environment_without_a_board_is_drawn_as_a_list_with_its_first_states(tmp_path: Path) -> None:
    agent = assemble_agent("tabular,gym:Taxi-v4")
    table = table_of(agent)
    assert table is not None
    assert (len(table.states), table.count, table.board) == (MOST_STATES, 500, None)
    assert table.exact is None and "no method q_star" in table.why_not
    path = save_figure(draw_table(table, agent.spaces, "taxi $5"), tmp_path / "values.png")
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert [one.name for one in tmp_path.iterdir()] == ["values.png"]


def test_a_board_that_is_too_large_and_an_optimum_that_takes_too_long_are_left_out() -> None:
    agent = assemble_agent("tabular,chain", [])
    assert table_of(agent).board is not None
    long = assemble("tabular,chain", {"chain.length": 2_000})
    table = table_of(long)
    assert table is not None and table.board is None and len(table.states) == MOST_STATES
    assert table.exact is None and "up to 1,600 states" in table.why_not
    long.close()


def test_observations_that_are_not_finite_have_no_table() -> None:
    assert table_of(assemble_agent("dqn,cartpole")) is None


WRAPPED = """
import gymnasium
from framework.hooks import hookimpl


class Doubled(gymnasium.Wrapper):
    def step(self, action):
        obs, reward, *rest = self.env.step(action)
        return obs, 2 * reward, *rest
{method}

@hookimpl
def env_wrapper():
    return Doubled
"""

KNOWS = """
    def q_star(self, gamma):
        return 2 * self.env.get_wrapper_attr("q_star")(gamma)
"""


def test_a_wrapper_may_change_the_optimum_unless_it_says_what_it_is(tmp_path: Path) -> None:
    plugin = tmp_path / "doubled.py"
    plugin.write_text(WRAPPED.format(method=""))
    parts = assemble(["tabular", "chain", str(plugin)])
    table = table_of(parts)
    assert table is not None and table.exact is None and "the wrapper Doubled may change it" in table.why_not
    parts.close()
    knowing = tmp_path / "knowing.py"
    knowing.write_text(WRAPPED.format(method=KNOWS))
    parts = assemble(["tabular", "chain", str(knowing)])
    table = table_of(parts)
    assert table is not None and table.exact is not None and table.exact[3, 1] == 4.0
    parts.close()


class Odd(gymnasium.Env):
    """Two states, and metadata and a method to vary."""

    observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(2)
    answer: Any = None

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        return 0, {}

    def q_star(self, gamma: float) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("metadata", "answer", "why"),
    [
        ({"reward_clip": (-1, 1)}, np.ones((2, 2)), "clipped"),
        ({}, np.ones((3, 2)), r"returned \[3, 2\] values, not \[2, 2\]"),
        ({}, KeyError("gamma"), "q_star raised KeyError"),
        ({"reward_scale": 3.0}, np.ones((2, 2)), None),
    ],
)
def test_an_optimum_that_is_not_the_agents_is_left_out_with_the_reason(
    metadata: Any, answer: Any, why: str | None
) -> None:
    from framework.inspection.tables import _optimum

    env = Odd()
    env.metadata, env.answer = metadata, answer
    agent = assemble_agent("tabular,chain")
    spaces = replace(agent.spaces, action=gymnasium.spaces.Discrete(2))

    class Builder:
        def single_environments(self, role: str, num_envs: int) -> Any:
            return lambda: env

    class Standing:
        builder, config = Builder(), agent.config

    Standing.spaces = spaces
    exact, reason = _optimum(Standing(), 2)
    if why is None:
        assert exact is not None and (exact == 3.0).all()
    else:
        assert exact is None
        assert pytest.importorskip("re").search(why, reason)


def test_a_discount_without_an_optimum_says_so() -> None:
    parts = assemble("tabular,chain", {"returns.gamma": 1.0})
    table = table_of(parts)
    assert table is not None and table.exact is None and "gamma must be in [0, 1)" in table.why_not
    parts.close()


def test_pictures_of_boards_are_drawn(tmp_path: Path) -> None:
    for names in ("tabular,chain", "tabular,grid"):
        agent = assemble_agent(names)
        table = table_of(agent)
        assert table is not None
        figure = draw_table(table, agent.spaces, names)
        titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
        assert titles == ["learnt", "exact optimum Q*", "learnt − exact"]
        assert save_figure(figure, tmp_path / "x.png").stat().st_size > 5_000
    assert _area(list(SQUARE)) == pytest.approx(1)
