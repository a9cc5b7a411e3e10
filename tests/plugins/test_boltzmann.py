"""Boltzmann exploration: its probabilities against a slow softmax, its draws, its limits, and what it learns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.testing import enforce
from framework.training.loop import Loop
from framework.types import Counters, Exploration
from plugins.boltzmann import Boltzmann
from tests.plugins.optima import check_the_policy_is_optimal

NOW = Counters()


ALMOST_ONE = np.nextafter(1.0, 0.0)
"""The largest number that a generator draws."""


shapes = st.tuples(st.integers(1, 4), st.integers(1, 5))


temperatures = st.floats(1e-3, 1e3)


def arrays(limit: float = 1e3) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, shapes, elements=st.floats(-limit, limit))


class ScriptedGenerator:
    """A generator with known draws."""

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
        assert boltzmann(1.0, ScriptedGenerator(ALMOST_ONE)).choose(values, values, NOW).tolist() == [9]

    @given(
        values=arrays(1e308) | arrays(1.0).map(lambda values: values.astype(np.float32)),
        temperature=st.floats(5e-324, 1e300),
        draw=st.sampled_from([0.0, 0.5, ALMOST_ONE]) | st.floats(0, ALMOST_ONE),
    )
    def test_every_draw_gives_an_action_that_can_happen(
        self, values: np.ndarray, temperature: float, draw: float
    ) -> None:
        with np.errstate(over="ignore"):
            exploration = boltzmann(temperature, ScriptedGenerator(draw))
            chosen = exploration.choose(values, values, NOW)
            probabilities = exploration.probabilities(values, values, NOW)
        assert ((chosen >= 0) & (chosen < values.shape[1])).all()
        assert (probabilities[np.arange(len(values)), chosen] > 0).all()

    @given(values=hnp.arrays(np.float64, st.integers(1, 5), elements=st.floats(-3, 3)), temperature=st.floats(0.1, 10))
    def test_each_action_takes_its_share_of_the_draws(self, values: np.ndarray, temperature: float) -> None:
        """512 draws at equal distances: an interval of length p holds 512 p of them, one more or less."""
        rows = np.tile(values, (512, 1))
        exploration = boltzmann(temperature, ScriptedGenerator((np.arange(512) + 0.5) / 512))
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


def test_one_exploration_is_enough() -> None:
    with pytest.raises(UsageError) as caught:
        assemble("tabular,boltzmann,ucb,chain")
    assert caught.value.problems == ("boltzmann and ucb both provide make_exploration: keep one",)


def test_it_serves_networks_too() -> None:
    parts = assemble("dqn,boltzmann,chain,framework.testing", {"run.steps": 60, "learning.starts": 20})
    Loop(parts).run()
    assert parts.counters.updates == 9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("env", "steps"), [("chain", 1_000), ("grid", 10_000)])
def test_it_finds_the_optimal_policy(env: str, steps: int, seed: int) -> None:
    check_the_policy_is_optimal("tabular,boltzmann", env, steps, seed)
