"""UCB exploration: its choices against the rule of the paper, its counts, and what it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.spaces import FINITE
from framework.testing import enforce
from framework.training.loop import Loop
from framework.types import Counters, Exploration
from plugins.ucb import UCB
from tests.plugins.optima import check_the_policy_is_optimal

NOW = Counters()


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
        assert caught.value.problems == (f"{who} needs {FINITE}; gym:CartPole-v1 gives (4,) float32 observations",)


def test_it_serves_networks_too() -> None:
    parts = assemble("dqn,ucb,chain,framework.testing", {"run.steps": 60, "learning.starts": 20})
    Loop(parts).run()
    assert parts.counters.updates == 9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("env", "steps"), [("chain", 1_000), ("grid", 10_000)])
def test_it_finds_the_optimal_policy(env: str, steps: int, seed: int) -> None:
    check_the_policy_is_optimal("tabular,ucb", env, steps, seed)
