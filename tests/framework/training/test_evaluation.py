"""Evaluations: the environments share the episodes, and the same name gives the same episodes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import framework
from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.study import read_run
from framework.training.evaluation import evaluate


def test_an_evaluation_plays_its_quota_on_every_environment() -> None:
    parts = assemble("tabular,chain", {"evaluation.num_envs": 3})
    result = evaluate(parts, name="a", episodes=7, epsilon=1.0)
    assert len(result.returns) == len(result.lengths) == 7
    assert 1 < result.distinct <= 7
    again = evaluate(parts, name="a", episodes=7, epsilon=1.0)
    assert (again.returns, again.lengths) == (result.returns, result.lengths)
    assert evaluate(parts, name="b", episodes=7, epsilon=1.0).lengths != result.lengths


@settings(max_examples=40)
@given(groups=st.integers(1, 5), num_envs=st.integers(1, 5), episodes=st.integers(1, 9))
def test_groups_share_the_environments_and_the_episodes(groups: int, num_envs: int, episodes: int) -> None:
    parts = assemble("tabular,chain", {"evaluation.num_envs": num_envs, "evaluation.groups": groups})
    opened: list[int] = []
    open_stream = parts.open_stream
    parts.open_stream = lambda role, count, name: opened.append(count) or open_stream(role, count, name)  # type: ignore
    finished: list[int] = []
    result = evaluate(parts, name="a", episodes=episodes, epsilon=1.0, after_step=finished.append)
    assert len(result.returns) == episodes == finished[-1] and finished == sorted(finished)
    assert sum(opened) == min(num_envs, episodes)
    assert len(opened) == min(groups, num_envs, episodes)
    again = evaluate(parts, name="a", episodes=episodes, epsilon=1.0)
    assert again.lengths == result.lengths
    if groups == 1:
        whole = assemble("tabular,chain", {"evaluation.num_envs": num_envs})
        assert evaluate(whole, name="a", episodes=episodes, epsilon=1.0).lengths == result.lengths


def test_groups_play_different_episodes() -> None:
    parts = assemble("tabular,chain", {"evaluation.num_envs": 2, "evaluation.groups": 2})
    lengths = evaluate(parts, name="a", episodes=40, epsilon=1.0).lengths
    assert lengths[:20] != lengths[20:]


@settings(max_examples=60)
@given(
    first=st.integers(0, 8),
    episodes=st.integers(1, 6),
    goal=st.sampled_from([None, -1.0, 1.5, 2.0, 3.0]),
    num_envs=st.integers(1, 4),
    name=st.sampled_from("abcdefgh"),
)
def test_an_evaluation_ends_early_only_if_no_early_episode_reaches_the_goal(
    first: int, episodes: int, goal: float | None, num_envs: int, name: str
) -> None:
    parts = assemble("tabular,chain", {"evaluation.num_envs": num_envs})
    finished: list[int] = []
    result = evaluate(
        parts, name=name, episodes=episodes, epsilon=1.0, first=first, goal=goal, after_step=finished.append
    )
    assert finished == sorted(finished) and finished[-1] == len(result.returns)
    assert (result.unfinished, result.not_played) == (0, 0)
    if goal is None or not 0 < first < episodes:
        whole = evaluate(parts, name=name, episodes=episodes, epsilon=1.0)
        assert (result.returns, result.lengths, result.abandoned) == (whole.returns, whole.lengths, False)
        return
    beginning = evaluate(parts, name=name, episodes=first, epsilon=1.0)
    assert result.returns[:first] == beginning.returns
    assert result.abandoned == (max(beginning.returns) < goal)
    assert len(result.returns) == (first if result.abandoned else episodes)
    assert ("out of reach" in result.describe()) == result.abandoned
    if result.abandoned:
        assert result.mean < goal


LIMITED = """
from envs.chain import ChainEnv
from framework.hooks import hookimpl

@hookimpl
def make_env():
    def made():
        env = ChainEnv()
        env.metadata = {**env.metadata, "highest_return": HIGHEST}
        return env
    return made
"""


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.integers(1, 4),
    episodes=st.integers(5, 6),
    goal=st.sampled_from([1.2, 1.5, 1.8, 2.0]),
    name=st.sampled_from("abcdefgh"),
)
def test_an_evaluation_ends_early_if_its_mean_cannot_reach_the_goal_any_more(
    tmp_path: Path, first: int, episodes: int, goal: float, name: str
) -> None:
    (tmp_path / "limited.py").write_text(LIMITED.replace("HIGHEST", "2.0"))
    parts = assemble(f"tabular,{tmp_path / 'limited.py'}", {})
    result = evaluate(parts, name=name, episodes=episodes, epsilon=1.0, first=first, goal=goal)
    beginning = result.returns[:first]
    could_be = (sum(beginning) + 2.0 * (episodes - first)) / episodes
    assert result.abandoned == (max(beginning) < goal or could_be < goal)
    assert len(result.returns) == (first if result.abandoned else episodes)


def test_a_return_above_the_highest_that_is_declared_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "limited.py").write_text(LIMITED.replace("HIGHEST", "0.5"))
    parts = assemble(f"tabular,{tmp_path / 'limited.py'}", {})
    with pytest.raises(UsageError, match=r"an episode returned 2, and the environment declares 0\.5 as its highest_re"):
        evaluate(parts, name="a", episodes=40, epsilon=1.0)


@pytest.mark.parametrize("declared", ["'21'", "None", "float('nan')", "-float('inf')"])
def test_a_highest_return_that_is_no_number_is_refused(tmp_path: Path, declared: str) -> None:
    (tmp_path / "limited.py").write_text(LIMITED.replace("HIGHEST", declared))
    with pytest.raises(UsageError, match=r"highest_return = .* is not supported: it must be a number"):
        assemble(f"tabular,{tmp_path / 'limited.py'}", {})


def test_the_other_episodes_are_not_the_first_ones_again() -> None:
    parts = assemble("tabular,chain", {"evaluation.num_envs": 4})
    result = evaluate(parts, name="a", episodes=40, epsilon=1.0, first=20, goal=-1.0)
    assert result.lengths[:20] != result.lengths[20:]


SCORED = """
from envs.chain import ChainEnv
from framework.hooks import hookimpl

@hookimpl
def make_env():
    def made():
        env = ChainEnv()
        env.metadata = {**env.metadata, "reference_scores": {"random": 1.0, "human": 3.0, "source": "a paper"}}
        return env
    return made
"""


def test_returns_are_compared_with_the_scores_that_the_environment_declares(tmp_path: Path) -> None:
    (tmp_path / "scored.py").write_text(SCORED)
    parts = assemble(f"tabular,{tmp_path / 'scored.py'}", {"run.episodes": 20, "evaluation.every": 20})
    framework.train(parts, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    (row, *_) = [row for row in rows if row["kind"] == "evaluation"]
    assert row["human_normalised"] == (row["mean"] - 1) / 2
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["reference_scores"] == {"random": 1.0, "human": 3.0, "source": "a paper"}
    result = evaluate(framework.load(tmp_path / "run"), name="scored", episodes=3)
    assert result.human_normalised == (result.mean - 1) / 2
    assert result.describe().endswith(f", human-normalised {result.human_normalised:.2f}")
    assert (
        read_run(tmp_path / "run", "arm", 0).human_normalised
        == [row["human_normalised"] for row in rows if row["kind"] == "evaluation"][-1]
    )


def test_without_scores_nothing_is_compared() -> None:
    result = evaluate(assemble("tabular,chain"), name="plain", episodes=2, epsilon=1.0)
    assert result.human_normalised is None
    assert "human_normalised" not in result.summary() and "human" not in result.describe()
