"""The published scores of random agents and of humans."""

from __future__ import annotations

import pytest

from framework.environments.scores import ReferenceScores
from plugins.atari.games import GAMES
from plugins.atari.scores import SCORES, reference_scores


def test_there_are_the_57_games_of_the_benchmark_and_each_can_be_normalised() -> None:
    assert len(SCORES) == 57
    assert set(SCORES) <= set(GAMES)
    for game in SCORES:
        scores = ReferenceScores.of({"reference_scores": reference_scores(game)})
        assert scores is not None and scores.human > scores.random and "1511.06581" in scores.source
        assert scores.normalise(scores.random) == 0.0
        assert scores.normalise(scores.human) == 1.0


@pytest.mark.parametrize(
    ("game", "score", "normalised"),
    [("breakout", 16.1, 0.5), ("pong", 21.0, 1.1813), ("space_invaders", 1976.0, 1.2021), ("skiing", -17098.1, 0.0)],
)
def test_scores_worked_out_by_hand(game: str, score: float, normalised: float) -> None:
    scores = ReferenceScores.of({"reference_scores": reference_scores(game)})
    assert scores is not None
    assert scores.normalise(score) == pytest.approx(normalised, abs=1e-4)


def test_a_game_without_published_scores_has_none() -> None:
    assert reference_scores("adventure") is None
