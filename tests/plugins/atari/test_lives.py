"""A lost life ends the learner's episode. The game goes on, and reports and evaluations are of whole games."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framework
from framework.assembly.assemble import assemble
from framework.environments.stream import TransitionStream, vectorise
from framework.events import Callback, Episode
from framework.training.loop import Loop
from framework.types import Counters, Step
from plugins.atari.game import game_of
from plugins.atari.native import NativeGames
from plugins.atari.options import AtariOptions
from plugins.atari.single import game_env
from tests.framework.checkpoints.pieces import left_behind

BACKENDS = ["native", "wrappers"]

SHORT: dict[str, Any] = {
    "run.num_envs": 2,
    "run.steps": 400,
    "atari.size": 36,
    "atari.stack": 2,
    "replay.capacity": 600,
    "learning.starts": 50,
    "learning.batch_size": 4,
    "learning.updates_per_step": 0.1,
    "dqn.hidden": 8,
    "target.every": 50,
    "evaluation.every": 0,
    "checkpoint.every": 100,
}


def opened(backend: str, **options: Any) -> TransitionStream:
    game = game_of(AtariOptions.model_validate({"game": "breakout", "size": 36, "noop_max": 0, **options}))
    env = NativeGames(game, 2) if backend == "native" else vectorise(lambda: game_env(game), 2)
    return TransitionStream(env, lambda env_id, episode: 100 * env_id + episode + 7)


def played(stream: TransitionStream, steps: int) -> list[Step]:
    """The steps of games that serve each ball and miss it."""
    found = []
    for _ in range(steps):
        stream.begin(np.ones(stream.spaces.num_envs, np.int64))
        found.append(stream.finish())
    stream.close()
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_life_is_an_episode_of_the_learner_and_five_lives_are_one_game(backend: str) -> None:
    """The same steps with and without lives: only the ends and the starts of the learner's episodes differ."""
    lives, games = (played(opened(backend, life_loss=counts), 300) for counts in (True, False))
    counters, learners, lost = Counters(), 0, 0
    for step, whole in zip(lives, games, strict=True):
        counters.advance(step)
        learners += int(step.ended.sum())
        for name in ("obs", "next_obs", "raw_reward", "truncated", "over"):
            np.testing.assert_array_equal(getattr(step, name), getattr(whole, name))
        assert not step.truncated.any()
        assert step.life_lost is not None and whole.life_lost is None
        lost += int(step.life_lost.sum())
        np.testing.assert_array_equal(step.terminated, whole.terminated | step.life_lost)
    assert counters.episodes == 4
    assert 4 * counters.episodes <= lost < 4 * (counters.episodes + 2)
    assert learners == counters.episodes + lost
    for before, after in pairwise(lives):
        np.testing.assert_array_equal(after.first, before.ended)


@pytest.mark.parametrize("backend", BACKENDS)
def test_reported_episodes_are_whole_games_with_raw_rewards(backend: str) -> None:
    """Each reported episode loses all five lives, and its return is the sum of the points of all of them."""
    parts = assemble("dqn,atari", {**SHORT, "run.steps": 700, "atari.backend": backend, "exploration.final": 1.0})
    seen: list[Episode] = []
    lost, points = np.zeros(2), np.zeros(2)

    class Spy(Callback):
        def on_step(self, step: Step, counters: Counters) -> None:
            assert step.life_lost is not None
            lost[:] += step.life_lost
            points[:] += step.raw_reward

        def on_episode(self, episode: Episode, counters: Counters) -> None:
            assert lost[episode.env_id] == 4, "the fifth life is the end of the game"
            assert points[episode.env_id] == episode.raw_return
            lost[episode.env_id] = points[episode.env_id] = 0
            seen.append(episode)

    Loop(parts, [Spy()]).run()
    parts.close()
    assert len(seen) >= 2
    assert max(episode.raw_return for episode in seen) > 0, "some point, or the test says little"
    assert parts.counters.episodes == len(seen)


def test_evaluations_play_whole_games_and_are_normalised(tmp_path: Path) -> None:
    values = {**SHORT, "evaluation.every": 200, "evaluation.episodes": 2, "evaluation.max_steps": 400}
    framework.train(assemble("dqn,atari", values), tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    evaluations = [row for row in rows if row["kind"] == "evaluation"]
    assert evaluations
    for row in evaluations:
        assert row["human_normalised"] == pytest.approx((row["mean"] - 1.7) / 28.8)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["environment"]["episode_ends_on_life_loss"] is True
    assert manifest["environment"]["returns"] == "raw, of whole games"
    assert manifest["reference_scores"]["human"] == 30.5
    agent = framework.load(tmp_path / "run")
    stream = agent.open_stream("evaluate", 1, "lives")
    assert stream.metadata["protocol"]["episode_ends_on_life_loss"] is False
    assert "reward_clip" not in stream.metadata
    assert all(step.life_lost is None for step in played(stream, 60))


@pytest.mark.parametrize(("names", "backend"), [("dqn,nstep,atari", "native"), ("pqn,atari", "wrappers")])
def test_a_run_in_pieces_is_the_run_in_one(names: str, backend: str, tmp_path: Path) -> None:
    """Checkpoints fall between two lives of a game, and the games are played again from their seeds and actions."""
    values = {**SHORT, "atari.backend": backend, "atari.sticky": 0.25}
    if names.startswith("pqn"):
        kept = ("run.", "atari.", "dqn.hidden", "evaluation.", "checkpoint.")
        values = {path: value for path, value in values.items() if path.startswith(kept)}
    framework.train(assemble(names, {**values, "run.steps": 400}), tmp_path / "one")
    framework.train(assemble(names, {**values, "run.steps": 129}), tmp_path / "pieces")
    for end in (300, 400):
        framework.resume(tmp_path / "pieces", {"run.steps": end})
    assert left_behind(tmp_path / "pieces") == left_behind(tmp_path / "one")
