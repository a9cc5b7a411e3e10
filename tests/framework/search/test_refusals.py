"""What a sweep refuses before its first trial: everything at once, with exit code 2 and nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from framework.cli.main import main
from framework.errors import UsageError
from framework.search.checking import check_space, declared_spaces
from framework.search.space import parse_space

pytest.importorskip("optuna")


def refused(words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "argv", ["framework", "sweep", "--study-dir", "s", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert not Path("s").exists(), "nothing is written"
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        ("-p tabular,chain --over tabular.rate=log(0.1,1)", ["'tabular' has no option 'rate'"]),
        ("-p tabular,chain --over tabulr.power=log(0.1,1)", ["Did you mean 'tabular'"]),
        ("-p tabular,chain --over dqn.learning_rate=log(0.1,1)", ["no loaded plugin has a section 'dqn'"]),
        ("-p tabular,chain --over tabular.learning_rate=uniform(0,1)", ["tabular.learning_rate = 0.0 (from --over)"]),
        ("-p tabular,chain --over tabular.learning_rate=log(0.1,2)", ["tabular.learning_rate = 2.0 (from --over)"]),
        ("-p tabular,chain --over chain.length=uniform(3,9)", ["search whole numbers with int(…)"]),
        ("-p tabular,chain --over exploration.shape=choice(linear,straight)", ["exploration.shape = 'straight'"]),
        (
            "-p tabular,chain --over target.every=int(1,9)",
            ["target.every = 4 (from --over) has no effect: tabular fills make_target_sync"],
        ),
        ("-p tabular,chain --over run.seed=int(1,9)", ["--over run.seed: the sweep itself sets it"]),
        ("-p tabular,chain --over run.plugins=choice(a,b)", ["--over run.plugins: the sweep itself sets it"]),
        (
            "-p tabular,chain --over tabular.power=uniform(0,1) --set tabular.power=0.5",
            ["--over tabular.power: --set sets this option, too"],
        ),
        ("-p tabular,chain --over tabular.powr", ["Did you mean 'tabular.power'"]),
        ("-p tabular,chain --sampler tree", ["--sampler tree: not available", "tpe, random, grid, qmc or gp"]),
        ("-p tabular,chain --sampler cmaes", ["a pickle"]),
        ("-p tabular,chain --pruner meridian", ["--pruner meridian: not available. Did you mean 'median'?"]),
        ("-p tabular,chain --pruner median", ["--pruner median needs evaluations: set --eval-every"]),
        ("-p tabular,chain --objective last", ["--objective last needs evaluations"]),
        ("-p tabular,chain --objective lst", ["--objective lst: not available. Did you mean 'last'?"]),
        ("-p tabular,chain --sampler grid --trials 3", ["the grid has 27 points"]),
        ("-p tabular,chian", ["Did you mean 'chain'"]),
        (
            "-p tabular,chain --over a.b=lg(1,2) --sampler tee --pruner medium --objective besst",
            ["--over a.b=lg(1,2)", "--sampler tee", "--pruner medium", "--objective besst"],
        ),
        (
            "-p tabular,chain --over tabular.learning_rate=log(0.1,2) --over chain.length=int(1,5) --over x.y=int(1,2)",
            ["no loaded plugin has a section 'x'", "tabular.learning_rate = 2.0", "chain.length = 1 "],
        ),
        (
            "-p tabular,chain --over tabular.learning_rate=log(0.1,2) --over chain.length=int(5,1)",
            ["tabular.learning_rate = 2.0", "the first end must lie below the second"],
        ),
    ],
)
def test_what_cannot_work_is_refused(
    words: str,
    messages: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    found = refused(words, capsys, monkeypatch)
    for message in messages:
        assert message in found


def test_a_folder_with_anything_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").touch()
    words = ["sweep", "-p", "tabular,chain", "--study-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["framework", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "contains files, but no sweep" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(SystemExit):
        main()
    assert "damaged" in capsys.readouterr().err


def test_without_optuna_the_message_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "optuna" else found(name))
    monkeypatch.chdir(tmp_path)
    assert "pip install 'pluggable-q[search]'" in refused("-p tabular,chain", capsys, monkeypatch)


def test_show_prints_the_space_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    over = ["--over", "nstep.n", "--over", "tabular.initial=choice(0.0,1.0)"]
    words = ["sweep", "-p", "tabular,nstep,chain", "--show", *over]
    monkeypatch.setattr(sys, "argv", ["framework", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "| nstep.n         | int(1, 10)       | the plugin | 3                 |" in out
    assert "| tabular.initial | choice(0.0, 1.0) | --over     | 0                 |" in out
    assert not list(tmp_path.iterdir())


def test_only_options_that_the_composition_reads_are_searched() -> None:
    _, found = declared_spaces("tabular,chain", [])
    assert set(found) == {"tabular.learning_rate", "tabular.power", "exploration.final"}
    _, found = declared_spaces("tabular,ucb,nstep,chain", [])
    assert set(found) == {"tabular.learning_rate", "tabular.power", "ucb.confidence", "nstep.n"}


def test_an_option_that_only_some_choices_read_may_be_searched() -> None:
    pytest.importorskip("torch")
    space = {
        "dqn.optimizer": parse_space("choice(adam, rmsprop)"),
        "dqn.rmsprop_decay": parse_space("uniform(0.9, 0.99)"),
    }
    checked = check_space("dqn,chain", [], space)
    assert not checked.evaluates
    with pytest.raises(UsageError, match=r"dqn\.rmsprop_decay = .* has no effect"):
        check_space("dqn,chain", [], {"dqn.rmsprop_decay": parse_space("uniform(0.9, 0.99)")})


def test_options_that_depend_on_each_other_are_tried_together() -> None:
    pytest.importorskip("torch")
    space = {"c51.v_min": parse_space("choice(-10, 0)"), "c51.v_max": parse_space("choice(1, 20)")}
    check_space("dqn,c51,chain", [], space)
    with pytest.raises(UsageError, match="v_min = 0"):
        check_space("dqn,c51,chain", [], {**space, "c51.v_max": parse_space("choice(-1, 20)")})


def test_optuna_is_not_imported_at_start_up() -> None:
    code = "import sys, framework.cli.app, framework; sys.exit('optuna' in sys.modules or 'sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
