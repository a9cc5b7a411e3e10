"""The scores that an environment declares, to compare returns with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.chain import ChainEnv
from framework.environments.scores import ReferenceScores
from framework.environments.stream import TransitionStream, vectorise
from framework.errors import UsageError

SCORE = st.floats(-1e6, 1e6)


@given(random=SCORE, human=SCORE, score=SCORE)
def test_a_random_agent_has_0_and_a_human_1_and_between_them_it_is_a_line(
    random: float, human: float, score: float
) -> None:
    if abs(human - random) < 1:
        human = random + 1
    scores = ReferenceScores.of({"reference_scores": {"random": random, "human": human, "source": "a paper"}})
    assert scores is not None
    assert (scores.normalise(random), scores.normalise(human)) == (0.0, 1.0)
    back = random + scores.normalise(score) * (human - random)
    assert back == pytest.approx(score, abs=1e-6)


def test_an_environment_need_not_declare_any() -> None:
    assert ReferenceScores.of({}) is None


@pytest.mark.parametrize(
    "declared",
    [
        {"random": 1.0, "human": 1.0, "source": "equal"},
        {"random": 0.0, "human": float("nan"), "source": "no number"},
        {"random": 0.0, "human": float("inf"), "source": "infinite"},
        {"random": "low", "human": 1.0, "source": "no number"},
        {"random": 0.0, "human": 1.0},
        {"human": 1.0, "source": "half of them"},
        [0.0, 1.0],
        3,
    ],
)
def test_scores_that_cannot_be_used_are_refused_when_the_environment_is_opened(declared: Any) -> None:

    def made() -> ChainEnv:
        env = ChainEnv()
        env.metadata = {**env.metadata, "reference_scores": declared}
        return env

    env = vectorise(made, 1)
    with pytest.raises(UsageError, match="reference_scores"):
        TransitionStream(env, lambda env_id, episode: 0)
