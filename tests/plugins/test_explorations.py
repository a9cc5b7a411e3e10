"""Boltzmann and UCB: probabilities against slow loops, draws against probabilities, limits, and what they learn."""

from __future__ import annotations

import math
from typing import Any

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
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Counters, Exploration
from plugins.boltzmann import Boltzmann
from plugins.ucb import UCB

NOW = Counters()
ALMOST_ONE = np.nextafter(1.0, 0.0)
"""The largest number that a generator draws."""

shapes = st.tuples(st.integers(1, 4), st.integers(1, 5))
temperatures = st.floats(1e-3, 1e3)


def arrays(limit: float = 1e3) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, shapes, elements=st.floats(-limit, limit))


class Scripted:
    """A generator whose every draw is known."""

    def __init__(self, draws: float | np.ndarray) -> None:
        self.draws = draws

    def random(self, n: int) -> np.ndarray:
        return np.broadcast_to(self.draws, n)


def boltzmann(temperature: float, generator: Any = None) -> Boltzmann:
    return enforce(Boltzmann(temperature, generator or np.random.default_rng(0)), Exploration)


class TestBoltzmann:
    @given(values=arrays(), temperature=temperatures)
    def test_probabilities_are_the_softmax(self, values: np.ndarray, temperature: float) -> None:
        found = boltzmann(temperature).probabilities(values, values, NOW)
        for row, expected in zip(found, values.tolist(), strict=True):
            weights = [math.exp((value - max(expected)) / temperature) for value in expected]
            assert np.allclose(row, [weight / math.fsum(weights) for weight in weights], rtol=1e-12, atol=0)

    @given(
        values=hnp.arrays(np.int64, shapes, elements=st.integers(-999, 999)),
        shift=st.integers(-(2**40), 2**40),
        temperature=temperatures,
    )
    def test_only_differences_of_values_count(self, values: np.ndarray, shift: int, temperature: float) -> None:
        """Eighths are exact, so the shifted probabilities are the same to the last bit."""
        exploration = boltzmann(temperature)
        plain, shifted = values / 8, (values + shift) / 8
        assert np.array_equal(
            exploration.probabilities(plain, plain, NOW), exploration.probabilities(shifted, shifted, NOW)
        )

    @given(values=arrays(), temperature=temperatures)
    def test_scaling_values_and_temperature_together_changes_nothing(
        self, values: np.ndarray, temperature: float
    ) -> None:
        plain = boltzmann(temperature).probabilities(values, values, NOW)
        assert np.array_equal(boltzmann(2 * temperature).probabilities(2 * values, values, NOW), plain)

    def test_towards_zero_it_is_greedy_and_towards_infinity_uniform(self) -> None:
        values = np.array([[0.0, 1.0, 0.999], [2.0, -1.0, 2.0], [0.0, 0.0, 0.0]])
        cold = boltzmann(5e-324).probabilities(values, values, NOW)
        assert cold.tolist() == [[0, 1, 0], [0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]]
        assert np.allclose(boltzmann(1e12).probabilities(values, values, NOW), 1 / 3, rtol=1e-9)

    def test_the_largest_draw_takes_the_last_action_that_can_happen(self) -> None:
        """Ten tenths add up to 1 − 2⁻⁵³, which is the largest draw."""
        values = np.array([[0.0] * 10 + [-1e9]])
        assert boltzmann(1.0, Scripted(ALMOST_ONE)).choose(values, values, NOW).tolist() == [9]

    @given(
        values=arrays(1e308) | arrays(1.0).map(lambda values: values.astype(np.float32)),
        temperature=st.floats(5e-324, 1e300),
        draw=st.sampled_from([0.0, 0.5, ALMOST_ONE]) | st.floats(0, ALMOST_ONE),
    )
    def test_every_draw_gives_an_action_that_can_happen(
        self, values: np.ndarray, temperature: float, draw: float
    ) -> None:
        with np.errstate(over="ignore"):
            exploration = boltzmann(temperature, Scripted(draw))
            chosen = exploration.choose(values, values, NOW)
            probabilities = exploration.probabilities(values, values, NOW)
        assert ((chosen >= 0) & (chosen < values.shape[1])).all()
        assert (probabilities[np.arange(len(values)), chosen] > 0).all()

    @given(values=hnp.arrays(np.float64, st.integers(1, 5), elements=st.floats(-3, 3)), temperature=st.floats(0.1, 10))
    def test_each_action_takes_its_share_of_the_draws(self, values: np.ndarray, temperature: float) -> None:
        """512 draws at equal distances: an interval of length p holds 512 p of them, one more or less."""
        rows = np.tile(values, (512, 1))
        exploration = boltzmann(temperature, Scripted((np.arange(512) + 0.5) / 512))
        counts = np.bincount(exploration.choose(rows, rows, NOW), minlength=len(values))
        assert (np.abs(counts - 512 * exploration.probabilities(rows, rows, NOW)[0]) <= 1 + 1e-9).all()

    def test_frequencies_are_the_probabilities(self) -> None:
        """80 000 draws; a deviation of 5 standard errors in any of three cells has probability below 2e-6."""
        exploration = boltzmann(0.7, np.random.default_rng(1))
        values = np.tile([1.0, 2.0, 1.5], (80_000, 1))
        expected = exploration.probabilities(values[:1], values[:1], NOW)[0]
        counts = np.bincount(exploration.choose(values, values, NOW), minlength=3) / 80_000
        assert (np.abs(counts - expected) <= 5 * np.sqrt(expected * (1 - expected) / 80_000)).all()

    def test_one_draw_an_environment_whatever_the_temperature(self) -> None:
        states = []
        for temperature in (1e-9, 1.0, 1e9):
            generator = np.random.default_rng(3)
            boltzmann(temperature, generator).choose(np.zeros((5, 2)), np.zeros(5), NOW)
            states.append(generator.bit_generator.state["state"])
        reference = np.random.default_rng(3)
        reference.random(5)
        assert states == [reference.bit_generator.state["state"]] * 3

    def test_a_saved_one_goes_on_identically(self) -> None:
        first, second = (boltzmann(1.0, np.random.default_rng(seed)) for seed in (5, 6))
        values = np.tile(np.arange(4.0), (9, 1))
        first.choose(values, values, NOW)
        second.load_state_dict(first.state_dict())
        for _ in range(5):
            assert np.array_equal(first.choose(values, values, NOW), second.choose(values, values, NOW))

    def test_its_temperature_is_an_option_and_a_metric(self) -> None:
        parts = assemble("tabular,boltzmann,chain", {"boltzmann.temperature": 0.25})
        assert parts.exploration.metrics(NOW) == {"temperature": 0.25}
        with pytest.raises(UsageError, match=r"boltzmann.temperature = 0 .*greater than 0"):
            assemble("tabular,boltzmann,chain", {"boltzmann.temperature": 0})


S, A = 3, 4
calls = st.lists(
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(
            hnp.arrays(np.float64, (n, A), elements=st.integers(-3, 3).map(float)),
            hnp.arrays(np.int64, n, elements=st.integers(0, S - 1)),
        )
    ),
    min_size=1,
    max_size=20,
)


def ucb(confidence: float) -> UCB:
    return enforce(UCB(S, A, confidence), Exploration)


class TestUCB:
    @given(calls=calls, confidence=st.floats(0, 10))
    def test_it_is_the_papers_rule_in_each_state_one_environment_after_another(
        self, calls: list[tuple[np.ndarray, np.ndarray]], confidence: float
    ) -> None:
        exploration = ucb(confidence)
        chosen_in: list[list[int]] = [[] for _ in range(S)]
        for values, obs in calls:
            expected = []
            for value, state in zip(values.tolist(), obs, strict=True):
                before = chosen_in[state]
                untried = [action for action in range(A) if action not in before]
                bounds = [
                    value[action] + confidence * np.sqrt(np.log(len(before)) / before.count(action))
                    for action in range(A)
                    if not untried
                ]
                expected.append(untried[0] if untried else bounds.index(max(bounds)))
                before.append(expected[-1])
            assert exploration.choose(values, obs, NOW).tolist() == expected

    @given(calls=calls, confidence=st.floats(0, 10))
    def test_probabilities_are_one_hot_at_the_choice_and_count_nothing(
        self, calls: list[tuple[np.ndarray, np.ndarray]], confidence: float
    ) -> None:
        exploration, undisturbed = ucb(confidence), ucb(confidence)
        for values, obs in calls:
            before = exploration.state_dict()["counts"]
            probabilities = exploration.probabilities(values, obs, NOW)
            assert np.array_equal(exploration.state_dict()["counts"], before)
            chosen = exploration.choose(values, obs, NOW)
            assert np.array_equal(probabilities, np.eye(A)[chosen])
            assert np.array_equal(chosen, undisturbed.choose(values, obs, NOW))

    @given(calls=calls)
    def test_without_confidence_it_is_greedy_once_all_was_tried(
        self, calls: list[tuple[np.ndarray, np.ndarray]]
    ) -> None:
        exploration = ucb(0.0)
        exploration.load_state_dict({"counts": np.ones((S, A), np.int64)})
        for values, obs in calls:
            assert np.array_equal(exploration.choose(values, obs, NOW), values.argmax(axis=1))

    def test_environments_in_one_state_try_different_actions(self) -> None:
        values, obs = np.tile([0.0, 9.0, 0.0, 0.0], (A, 1)), np.zeros(A, np.int64)
        assert ucb(1.0).choose(values, obs, NOW).tolist() == [0, 1, 2, 3]

    def test_every_action_is_tried_for_ever_and_the_best_most(self) -> None:
        """UCB1's regret is logarithmic: after 5 000 plays with gaps of 1 an inferior arm has at most 8 ln n + 5 plays
        (Auer et al. 2002, theorem 1, c = √2), here with known values."""
        exploration = ucb(math.sqrt(2))
        values, obs = np.array([[0.0, 0.0, 1.0, 0.0]]), np.zeros(1, np.int64)
        for _ in range(5_000):
            exploration.choose(values, obs, NOW)
        counts = exploration.state_dict()["counts"][0]
        assert counts.sum() == 5_000
        assert (counts[[0, 1, 3]] > 10).all()
        assert (counts[[0, 1, 3]] <= 8 * math.log(5_000) + 5).all()

    def test_a_saved_one_goes_on_identically(self) -> None:
        rng = np.random.default_rng(0)
        first, second = ucb(2.0), ucb(2.0)
        for index in range(60):
            if index == 30:
                second.load_state_dict(first.state_dict())
            values, obs = rng.normal(size=(2, A)), rng.integers(S, size=2)
            chosen = first.choose(values, obs, NOW)
            if index >= 30:
                assert np.array_equal(chosen, second.choose(values, obs, NOW))

    @pytest.mark.parametrize("family", ["dqn", "tabular,double_q"])
    def test_states_that_cannot_be_counted_are_refused_by_name(self, family: str) -> None:
        with pytest.raises(UsageError) as caught:
            assemble(f"{family},ucb,gym:CartPole-v1", {"run.steps": 1})
        who = "ucb" if family == "dqn" else "double_q"
        assert caught.value.problems == (
            f"{who} needs Discrete observations; gym:CartPole-v1 gives (4,) float32 observations",
        )


def test_one_exploration_is_enough() -> None:
    with pytest.raises(UsageError) as caught:
        assemble("tabular,boltzmann,ucb,chain")
    assert caught.value.problems == ("boltzmann and ucb both provide make_exploration: keep one",)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("env", "model", "steps"), [("chain", ChainEnv(), 1_000), ("grid", GridEnv(), 10_000)])
@pytest.mark.parametrize("name", ["boltzmann", "ucb"])
def test_it_finds_the_optimal_policy(name: str, env: str, model: ChainEnv | GridEnv, steps: int, seed: int) -> None:
    """With every option at its default, in the environment's own number of episodes and at most `steps` steps."""
    parts = assemble(f"tabular,{name},{env}", {"run.seed": seed})
    Loop(parts).run()
    assert parts.counters.env_steps <= steps
    exact = model.q_star(0.9)
    best = evaluate(parts, epsilon=0.0, episodes=1)
    start = 2 if env == "chain" else 8
    assert 0.9 ** (best.lengths[0] - 1) * best.returns[0] == pytest.approx(exact[start].max())


@pytest.mark.parametrize("name", ["boltzmann", "ucb"])
def test_it_serves_networks_too(name: str) -> None:
    parts = assemble(f"dqn,{name},chain,framework.testing", {"run.steps": 60, "learning.starts": 20})
    Loop(parts).run()
    assert parts.counters.updates == 9
