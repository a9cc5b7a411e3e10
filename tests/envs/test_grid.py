"""The environment and plugin `grid`: its rules against a reference, known optima, slips, and the options."""

from __future__ import annotations

import inspect
import math
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import envs  # noqa: F401  (registers the ids)
from envs import grid
from envs.grid import GridEnv, GridOptions
from framework.config import Source, build_config, parse_assignment
from framework.errors import UsageError

SLIP = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1))


@st.composite
def layouts(draw: Callable[[Any], Any]) -> tuple[str, ...]:
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    assume(rows * columns > 1)
    tiles = draw(st.lists(st.sampled_from("...#PG"), min_size=rows * columns, max_size=rows * columns))
    start, goal = draw(st.permutations(range(rows * columns)))[:2]
    tiles[start], tiles[goal] = "S", "G"
    return tuple("".join(tiles[row * columns : (row + 1) * columns]) for row in range(rows))


@st.composite
def grids(draw: Callable[[Any], Any]) -> tuple[tuple[str, ...], GridEnv]:
    layout = draw(layouts())
    return layout, GridEnv(layout, round(draw(st.floats(-1, 1)), 3), draw(SLIP))


def move(layout: tuple[str, ...], state: int, direction: int) -> int:
    """The rules of a move, written out without the environment's code."""
    row, column = divmod(state, len(layout[0]))
    if direction == 0:
        row -= 1
    elif direction == 1:
        column += 1
    elif direction == 2:
        row += 1
    else:
        column -= 1
    if not (0 <= row < len(layout) and 0 <= column < len(layout[0])) or layout[row][column] == "#":
        return state
    return row * len(layout[0]) + column


def test_optimum_of_the_default_grid() -> None:
    """Without slips v(s) = γ^(d−1), with d the fewest steps to the goal. A step into the pit costs 1."""
    q = GridEnv().q_star(0.9)
    assert q.dtype == np.float64
    steps = np.array([3, 2, 1, 0, 4, 0, 2, 0, 5, 4, 3, 4])
    ends_and_wall = [3, 5, 7]
    expected = np.where(np.isin(np.arange(12), ends_and_wall), 0, 0.9 ** (steps - 1.0))
    np.testing.assert_allclose(q.max(axis=1), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(q[[6, 11], [1, 0]], [-1, -1], rtol=0, atol=1e-12)
    assert not q[ends_and_wall].any()


def test_optimum_with_slips_is_that_of_the_textbook() -> None:
    """Russell & Norvig, 3rd edition, figure 17.3: slip 0.2, γ → 1, and a reward of −0.04 for each step."""
    utilities = GridEnv(step_reward=-0.04, slip=0.2).q_star(1 - 1e-9).max(axis=1)
    textbook = [0.812, 0.868, 0.918, 0, 0.762, 0, 0.660, 0, 0.705, 0.655, 0.611, 0.388]
    np.testing.assert_allclose(utilities, textbook, rtol=0, atol=6e-4)


@given(grids())
def test_the_model_follows_the_rules(case: tuple[tuple[str, ...], GridEnv]) -> None:
    layout, env = case
    text = "".join(layout)
    for state, row in enumerate(env.transitions()):
        for outcomes in row:
            assert all(outcome.probability > 0 for outcome in outcomes)
            assert math.isclose(sum(outcome.probability for outcome in outcomes), 1, abs_tol=1e-12)
            if text[state] in "#GP":
                assert outcomes == [(1.0, state, 0.0, True)]
            else:
                assert all(text[outcome.next_state] != "#" for outcome in outcomes)
                assert all(outcome.terminated == (text[outcome.next_state] in "GP") for outcome in outcomes)


@given(layouts(), st.floats(-1, 1), SLIP, st.integers(0, 3))
def test_chances_and_rewards_of_a_move(layout: tuple[str, ...], step_reward: float, slip: float, action: int) -> None:
    text = "".join(layout)
    start = text.index("S")
    expected = dict.fromkeys(range(len(text)), 0.0)
    for direction, chance in ((action, 1 - slip), ((action + 1) % 4, slip / 2), ((action + 3) % 4, slip / 2)):
        expected[move(layout, start, direction)] += chance
    found = dict.fromkeys(range(len(text)), 0.0)
    for probability, state, reward, _ in GridEnv(layout, step_reward, slip).transitions()[start][action]:
        found[state] += probability
        assert reward == pytest.approx(step_reward + {"G": 1, "P": -1}.get(text[state], 0), abs=1e-15)
    assert found == pytest.approx(expected, abs=1e-12)


@given(grids(), st.lists(st.integers(0, 3), max_size=40), st.integers(0, 2**31 - 1))
def test_episodes_agree_with_the_model(case: tuple[tuple[str, ...], GridEnv], actions: list[int], seed: int) -> None:
    layout, env = case
    text = "".join(layout)
    state, info = env.reset(seed=seed)
    assert (text[state], info) == ("S", {})
    for action in actions:
        possible = [tuple(outcome[1:]) for outcome in env.transitions()[state][action]]
        after, reward, terminated, truncated, _ = env.step(action)
        assert (int(after), reward, terminated) in possible
        assert not truncated
        assert terminated == (text[after] in "GP")
        if terminated:
            break
        state = after


def test_a_deterministic_walk_to_the_goal() -> None:
    env = GridEnv(step_reward=-0.25)
    assert env.reset(seed=0)[0] == 8
    walk = [env.step(action)[:3] for action in (3, 0, 1, 0, 1, 1, 1)]
    states = [8, 4, 4, 0, 1, 2, 3]  # the edge stops the first move, the wall the third
    assert walk == [(state, 0.75 if state == 3 else -0.25, state == 3) for state in states]


def test_slips_come_as_often_as_they_should() -> None:
    """10,000 moves right from the middle of a cross; four standard deviations of a count are at most 200."""
    env = GridEnv((".G.", ".SG", ".P."), slip=0.3)
    env.reset(seed=7)
    counts = dict.fromkeys(range(9), 0)
    for _ in range(10_000):
        env.reset()
        counts[int(env.step(1)[0])] += 1
    assert {state for state, count in counts.items() if count} == {1, 5, 7}
    assert counts[5] == pytest.approx(7000, abs=184)
    assert counts[1] == pytest.approx(1500, abs=143)
    assert counts[7] == pytest.approx(1500, abs=143)


def trajectory(seed: int) -> list[tuple[Any, ...]]:
    env = GridEnv(("....G", ".....", "S...."), slip=0.5)
    return [env.reset(seed=seed), *[env.step(step % 4) for step in range(30)]]


def test_the_seed_alone_decides_the_slips() -> None:
    assert trajectory(3) == trajectory(3)
    assert any(trajectory(3) != trajectory(other) for other in range(4, 8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layout": ("S.G", "..")}, "equally long"),
        ({"layout": ("S.S", "..G")}, "exactly one start 'S', got 2"),
        ({"layout": ("...", "..G")}, "exactly one start 'S', got 0"),
        ({"layout": ("S..", "..P")}, "at least one goal 'G'"),
        ({"layout": ("S.X", "..G")}, "got 'X'"),
        ({"layout": "S.G"}, "a layout is a list of rows"),
        ({"layout": ()}, "exactly one start 'S', got 0"),
        ({"slip": 1.5}, r"slip must be a probability in \[0, 1\], got 1.5"),
        ({"slip": float("nan")}, "slip must be"),
        ({"step_reward": float("inf")}, "step_reward must be finite"),
        ({"render_mode": "human"}, "render_mode must be None or one of"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridEnv(**arguments)


def test_grid_makes_what_its_section_says() -> None:
    values = {"grid.layout": ["S.", "#G"], "grid.step_reward": -0.5, "grid.slip": 1.0, "grid.max_steps": 3}
    env = grid.make_env(build_config(grid.config_sections(), [Source("test", values)]), "evaluate")()
    assert env.observation_space == gymnasium.spaces.Discrete(4)
    env.reset(seed=0)
    # With slip 1 a move to the left goes up or down. Above is the edge and below a wall, so the agent stays.
    steps = [env.step(np.int64(3))[:4] for _ in range(3)]
    assert steps == [(0, -0.5, False, False), (0, -0.5, False, False), (0, -0.5, False, True)]


def test_only_the_watched_environment_draws() -> None:
    config = build_config(grid.config_sections(), [])
    modes = {role: grid.make_env(config, role)().render_mode for role in ("train", "evaluate", "watch")}
    assert modes == {"train": None, "evaluate": None, "watch": "rgb_array"}


def test_factories_can_be_sent_to_another_process() -> None:
    make = grid.make_env(build_config(grid.config_sections(), []), "train")
    assert pickle.loads(pickle.dumps(make))().reset(seed=0) == make().reset(seed=0)


def test_the_id_and_the_plugin_have_the_same_defaults() -> None:
    options = GridOptions().model_dump()
    assert (gymnasium.spec("framework/Grid-v0").max_episode_steps or 0) == options.pop("max_steps")
    arguments = {name: argument.default for name, argument in inspect.signature(GridEnv).parameters.items()}
    assert options == {key: value for key, value in arguments.items() if key != "render_mode"}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("grid.layout=S.G", "grid.layout = 'S.G' (from --set): a layout is a list of rows"),
        ("grid.layout=[1, 2]", "grid.layout = [1, 2] (from --set): a layout is a list of rows"),
        ('grid.layout=["S.", "G"]', "equally long, got lengths [2, 1]"),
        ('grid.layout=["S?", "G?"]', "got '?'"),
        ("grid.slip=2", "grid.slip = 2 (from --set): "),
    ],
)
def test_a_bad_value_is_one_problem(assignment: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        build_config(grid.config_sections(), [Source("--set", dict([parse_assignment(assignment)]))])
    (problem,) = error.value.problems
    assert message in problem


def test_recommended_values() -> None:
    assert grid.recommended_values(["tabular", "any"]) == {
        "run.episodes": 500,
        "exploration.shape": "linear",
        "exploration.start": 1.0,
        "exploration.final": 0.05,
        "exploration.unit": "episodes",
        "exploration.horizon": 250,
        "returns.gamma": 0.9,
    }
    assert grid.recommended_values(["dqn", "any"]) == {"run.steps": 10_000, "returns.gamma": 0.9}
