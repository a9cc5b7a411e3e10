"""`run.patience`: a run ends when so many evaluations in a row did not improve the best mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import framework
from framework.cli.app import app
from framework.config import Source
from framework.errors import UsageError
from framework.events import EvaluationResult
from framework.training.ends import Patience
from framework.training.loop import Loop
from tests.framework.checkpoints.pieces import left_behind

VALUES = {"evaluation.every": 10, "evaluation.episodes": 2, "run.patience": 3}


def result(mean: float, **more: Any) -> EvaluationResult:
    return EvaluationResult((mean,), (1,), 1, 0.0, 0.0, **more)


class Scripted(Loop):
    """Evaluations whose means are given."""

    def __init__(self, means: Sequence[float], confirmations: Sequence[float] = (), **values: Any) -> None:
        super().__init__(framework.assemble("tabular,chain", {**VALUES, **values}))
        self.means, self.confirmations = list(means), list(confirmations)

    def _next(self, agent: object, *, name: str, **more: Any) -> EvaluationResult:
        return result((self.confirmations if name.startswith("confirmation") else self.means).pop(0))

    def ended_after(self) -> int:
        """The number of evaluations."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("framework.training.evaluations.evaluate", self._next)
            self.run()
        self.parts.close()
        return self.counters.env_steps // 10


def best(means: Sequence[float]) -> float:
    return max((mean for mean in means if not math.isnan(mean)), default=-math.inf)


def expected(means: Sequence[float], patience: int) -> int:
    """How many evaluations are played, at most 99: until the last ones are no better than those before."""
    ends = range(patience, len(means) + 1)
    return next((end for end in ends if best(means[end - patience : end]) <= best(means[: end - patience])), 99)


MEANS = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, -math.inf, math.nan]), min_size=1, max_size=9)


@given(means=MEANS, patience=st.integers(1, 4))
def test_it_is_over_after_so_many_evaluations_without_a_better_mean(means: list[float], patience: int) -> None:
    counting = Patience(patience)
    played = 99
    for number, mean in enumerate(means, start=1):
        counting.count(result(mean), 10 * number)
        if counting.over:
            played = min(played, number)
    assert played == expected(means, patience)


@given(means=MEANS, patience=st.integers(1, 4), cut=st.integers(0, 9))
def test_a_run_that_continues_keeps_the_count(means: list[float], patience: int, cut: int) -> None:
    whole, first, second = Patience(patience), Patience(patience), Patience(patience)
    for number, mean in enumerate(means):
        whole.count(result(mean), number)
        (first if number < cut else second).count(result(mean), number)
        if number == cut - 1:
            second.load_state_dict(first.state_dict())
    assert (second if cut < len(means) else first).state_dict() == whole.state_dict() or cut == 0


@pytest.mark.parametrize("patience", [None, 0])
def test_none_and_zero_mean_never(patience: int | None) -> None:
    counting = Patience(patience)
    for _ in range(50):
        counting.count(result(0.0), 1)
    assert not counting.over


@settings(max_examples=8)
@given(means=st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=8, max_size=8))
def test_the_loop_ends_with_it(means: list[float]) -> None:
    played = Scripted([*means, 0.0, 0.0, 0.0]).ended_after()
    assert played == min(expected([*means, 0.0, 0.0, 0.0], 3), 11)


def test_a_confirmation_that_fails_is_no_improvement() -> None:
    options = {"run.until": 5.0, "evaluation.confirm": 4}
    loop = Scripted([1.0, 6.0, 7.0, 8.0], [0.0, 0.0, 0.0], **options)
    assert loop.ended_after() == 4
    assert loop.reason == "no improvement in 3 evaluations; best mean 1.00 at step 10"
    assert Scripted([1.0, 6.0, 7.0], [0.0, 5.5], **options).ended_after() == 3


def test_the_outcome_says_why(tmp_path: Path) -> None:
    parts = framework.assemble("tabular,chain", {**VALUES, "tabular.learning_rate": 1e-9, "run.seed": 3})
    outcome = framework.train(parts, tmp_path / "run")
    assert outcome.reason.startswith("no improvement in 3 evaluations; best mean ")
    assert outcome.counters.env_steps == 40
    reasons = {
        "run.steps": (70, "70 steps"),
        "run.episodes": (3, "3 episodes"),
        "run.until": (-5.0, "an evaluation reached -5"),
    }
    for option, (value, reason) in reasons.items():
        values = {"evaluation.every": 10, option: value}
        assert framework.train(framework.assemble("tabular,chain", values)).reason == reason


def test_a_run_in_pieces_ends_where_the_run_in_one_does(tmp_path: Path) -> None:
    values = {**VALUES, "tabular.learning_rate": 1e-9, "evaluation.every": 50, "run.episodes": 900}
    whole = framework.train(framework.assemble("tabular,grid", values), tmp_path / "one")
    assert whole.reason.startswith("no improvement")
    framework.train(framework.assemble("tabular,grid", {**values, "run.episodes": 5}), tmp_path / "two")
    resumed = framework.resume(tmp_path / "two", {"run.episodes": 900, "run.patience": 3})
    assert (resumed.reason, resumed.counters) == (whole.reason, whole.counters)
    assert left_behind(tmp_path / "two") == left_behind(tmp_path / "one")


def test_it_needs_evaluations_and_is_refused_by_name() -> None:
    for ends in ({"run.steps": 50}, {}):
        parts = framework.assemble("tabular,chain", {"run.patience": 2, **ends})
        with pytest.raises(UsageError, match=r"run.patience = 2 \(from values\) needs evaluations"):
            framework.train(parts)


def test_it_is_an_end_like_the_others() -> None:
    """The strongest source that names an end names the only one."""
    assert framework.assemble("tabular,chain", {"run.patience": 2}).config.flat()["run.episodes"] is None
    recommended = Source("recommended", {"run.patience": 2})
    for values in ({"run.steps": 9}, {"evaluation.every": 0, "run.hours": 1.0}):
        parts = framework.assemble("tabular,chain", values, sources=[recommended])
        assert parts.config.flat()["run.patience"] is None
        parts.close()
    endless = framework.assemble("tabular,chain", {"run.patience": 0, "evaluation.every": 10})
    with pytest.raises(UsageError, match="the run has no end"):
        framework.train(endless)


def test_the_command_shows_it(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    words = ["run", "--plugins", "tabular,chain", "--patience", "2", "--eval-every", "10"]
    app([*words, "--set", "tabular.learning_rate=1e-9", "--run-dir", str(tmp_path / "run")], standalone_mode=False)
    out = capsys.readouterr().out
    assert "ends     after 2 evaluations without improvement\n" in out
    assert "\nreason   no improvement in 2 evaluations; best mean " in out
