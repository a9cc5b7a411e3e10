"""`run.init_from`: a new run starts with the weights of another run, with nothing else of it, and needs it no more."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framework
from framework.assembly.parts import Parts
from framework.cli import main as entry
from framework.errors import UsageError
from framework.recording import load_state, save_state
from framework.training.initial import initialise
from framework.training.repeat import repeat
from framework.types import Segmented
from tests.framework.checkpoints.pieces import left_behind

SMALL: dict[str, Any] = {"run.steps": 150, "learning.starts": 20, "replay.capacity": 100, "checkpoint.every": 50}
DEEP = {**SMALL, "dqn.hidden": 8, "learning.batch_size": 8, "target.every": 40}
VALUES: dict[str, dict[str, Any]] = {
    "tabular": {**SMALL, "tabular.learning_rate": 0.5},
    "tabular,double_q": {**SMALL, "tabular.learning_rate": 0.5},
    "dqn": DEEP,
    "dqn,averaging": DEEP,
    "dqn,noisy,dueling": DEEP,
    "rainbow": DEEP,
    "pqn": {"run.steps": 160, "dqn.hidden": 8, "pqn.rollout": 8, "pqn.minibatches": 2, "checkpoint.every": 50},
}
STATES = np.arange(5)


pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each composition, called by its plugins."""
    folder = tmp_path_factory.mktemp("sources")
    for names, values in VALUES.items():
        framework.train(framework.assemble(f"{names},chain", values), folder / names)
    return folder


def started(names: str, source: Path | str, **more: Any) -> Parts:
    values = {**VALUES[names], "run.init_from": str(source), "run.seed": 7, **more}
    parts = framework.assemble(f"{names},chain", values)
    initialise(parts)
    return parts


def state_of(parts: Parts) -> dict[str, Any]:
    return {
        name: part.cut()[0] if isinstance(part, Segmented) else part.state_dict()
        for name, part in parts.stateful().items()
    }


@pytest.mark.parametrize("names", VALUES)
def test_it_acts_as_the_other_run_and_has_nothing_else_of_it(names: str, sources: Path) -> None:
    parts = started(names, sources / names)
    other = framework.load(sources / names)
    values = parts.policy.action_values(STATES, explore=False)
    np.testing.assert_array_equal(values, other.policy.action_values(STATES, explore=False))
    fresh = framework.assemble(f"{names},chain", {**VALUES[names], "run.seed": 7})
    assert not np.array_equal(values, fresh.policy.action_values(STATES, explore=False))
    mine, new = state_of(parts), state_of(fresh)
    policies = mine.pop("policy"), new.pop("policy")
    np.testing.assert_equal(mine, new)
    for name in ("sources", "averaged"):
        np.testing.assert_equal(policies[0].get(name), policies[1].get(name))
    parts.close()
    fresh.close()


@pytest.mark.parametrize("names", ["dqn", "dqn,averaging", "rainbow"])
def test_the_target_network_gets_them_too(names: str, sources: Path) -> None:
    state = started(names, sources / names).policy.state_dict()
    np.testing.assert_equal(state["target"], state["online"])


def test_every_place_of_weights_will_do(sources: Path) -> None:
    run = sources / "dqn"
    ways: list[dict[str, Any]] = [{}, {"run.init_weights": "last"}]
    found = [started("dqn", run, **way) for way in ways] + [started("dqn", run / "last.safetensors")]
    for parts in found:
        assert parts.initial is not None
        assert parts.initial.path == (run / "last.safetensors").resolve()
        assert parts.initial.env_steps == 150
    best = run.parent / "with_best"
    shutil.copytree(run, best)
    (best / "best").mkdir()
    for name in ("evaluation", "mean_100"):
        shutil.copy(run / "last.safetensors", best / "best" / f"{name}.safetensors")
    chosen = [started("dqn", best, **way).initial for way in [*ways, {"run.init_weights": "mean_100"}]]
    assert [one and one.path.stem for one in chosen] == ["evaluation", "last", "mean_100"]
    assert chosen[0] and chosen[0].env_steps is None, "no facts beside it"


@pytest.mark.parametrize("names", ["tabular", "dqn,averaging"])
def test_the_run_records_where_they_came_from_and_keeps_a_copy(names: str, sources: Path, tmp_path: Path) -> None:
    values = {**VALUES[names], "run.init_from": str(sources / names)}
    framework.train(framework.assemble(f"{names},chain", values), tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "manifest.json").read_text())["initial_weights"]
    source = sources / names / "last.safetensors"
    assert facts == {
        "from": str(source.resolve()),
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "env_steps": 150,
    }
    assert (tmp_path / "run" / "initial.safetensors").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("names", ["tabular", "rainbow"])
def test_it_continues_and_is_repeated_without_the_other_run(names: str, sources: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(sources / names, tmp_path / "source"))
    values = {**VALUES[names], "run.init_from": str(source), "run.deterministic": True}
    framework.train(framework.assemble(f"{names},chain", values), tmp_path / "one")
    framework.train(framework.assemble(f"{names},chain", {**values, "run.steps": 70}), tmp_path / "two")
    shutil.rmtree(source)
    framework.resume(tmp_path / "two", {"run.steps": 150})
    assert left_behind(tmp_path / "two") == left_behind(tmp_path / "one")
    assert repeat(tmp_path / "one", folder=tmp_path / "again").compared == 150
    assert left_behind(tmp_path / "again")["weights"] == left_behind(tmp_path / "one")["weights"]
    assert repeat(tmp_path / "again").compared == 150
    assert framework.load(tmp_path / "one").policy is not None
    kept = tmp_path / "one" / "initial.safetensors"
    save_state(kept, {**load_state(kept), "more": 1})
    with pytest.raises(UsageError, match=r"initial.safetensors: damaged: its SHA-256"):
        repeat(tmp_path / "one")
    kept.unlink()
    with pytest.raises(UsageError, match=r"its copy initial.safetensors is missing"):
        repeat(tmp_path / "one")


def test_weights_that_do_not_fit_are_named_all_at_once(sources: Path) -> None:
    with pytest.raises(UsageError) as caught:
        started("dqn", sources / "dqn", **{"dqn.hidden": 6})
    first, *layers = caught.value.problems
    assert first == f"the weights in {sources / 'dqn' / 'last.safetensors'} do not fit this run's network:"
    assert len(layers) >= 3
    assert all(line.startswith("online and target, ") for line in layers)
    assert any(line.endswith(": [8, 5] there, [6, 5] here") for line in layers)
    for names, source, said in (
        ("tabular", "tabular,double_q", r"table: \[2, 5, 2\] there, \[5, 2\] here"),
        ("dqn", "tabular", r"online and target, .*: absent there, \[8, 5\] here"),
        ("tabular", "dqn", r"table: absent there, \[5, 2\] here"),
        ("dqn", "dqn,noisy,dueling", r"online and target, .*: \[.*\] there, absent here"),
    ):
        with pytest.raises(UsageError, match=rf"(?s)do not fit this run's network:.*{said}"):
            started(names, sources / source)


def test_an_average_comes_from_the_network_where_the_other_run_had_none(sources: Path) -> None:
    state = started("dqn,averaging", sources / "dqn").policy.state_dict()
    np.testing.assert_equal(state["average"], state["online"])
    plain = started("dqn", sources / "dqn,averaging").policy.state_dict()
    learnt = load_state(sources / "dqn,averaging" / "last.safetensors")
    np.testing.assert_equal(plain["online"], learnt["online"])


def test_the_support_of_a_distribution_is_the_new_run_s_own(sources: Path) -> None:
    parts = started("rainbow", sources / "rainbow", **{"c51.v_min": -3.0, "c51.v_max": 3.0})
    support = parts.policy.online.head.support  # type: ignore[attr-defined]
    assert (float(support[0]), float(support[-1])) == (-3.0, 3.0)


def typed(*words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["framework", "run", *words])
    try:
        entry.main()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command(sources: Path, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(sources)
    words = ("-p", "tabular,chain", "--steps", "20", "--init-from", "tabular", "--run-dir", str(tmp_path / "run"))
    code, out, _ = typed(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0
    assert f"\nweights  {sources / 'tabular' / 'last.safetensors'}\n" in out
    assert f'init_from = "{sources / "tabular"}"' in (tmp_path / "run" / "config.toml").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--init-from", "nowhere"], "'nowhere' is not a run folder"),
        (["--init-from", "nowhere.safetensors"], "nowhere.safetensors: no such file"),
        (["--init-from", "tabular", "--init-weights", "mean_100"], "has no saved weights (best/mean_100.safetensors)"),
        (["--init-from", "tabular", "--init-weights", "first"], "run.init_weights = 'first'"),
        (["--init-from", "tabular/last.safetensors", "--init-weights", "last"], "is one file of weights"),
        (["--init-weights", "last"], "run.init_weights = 'last' needs run.init_from: add --init-from RUN"),
        (["--init-from", "half.safetensors"], "half.safetensors: damaged"),
        (["--init-from", "tabular", "--set", "chain.length=7"], "table: [5, 2] there, [7, 2] here"),
        (["--init-from", "tabular", "--set", "chain.length=7", "--seeds", "2"], "table: [5, 2] there, [7, 2] here"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    words: list[str], said: str, sources: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(sources)
    weights = (sources / "tabular" / "last.safetensors").read_bytes()
    (sources / "half.safetensors").write_bytes(weights[: len(weights) // 2])
    all_words = ("-p", "tabular,chain", "--steps", "20", *words, "--run-dir", str(tmp_path / "run"))
    code, out, err = typed(*all_words, monkeypatch=monkeypatch, capsys=capsys)
    assert (code, out) == (2, "")
    assert said in err
    assert not (tmp_path / "run").exists()


def test_a_run_that_continues_has_its_own_weights(sources: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(sources)
    for words in (["--init-from", "tabular"], ["--init-weights", "last"]):
        code, _, err = typed("--resume", "tabular", *words, monkeypatch=monkeypatch, capsys=capsys)
        assert code == 2
        assert "--init-from is for a new run" in err


def test_every_seed_starts_from_them(sources: Path, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(sources)
    words = ("-p", "tabular,chain", "--steps", "20", "--init-from", "tabular", "--seeds", "2", "--jobs", "1")
    code, _, err = typed(*words, "--run-dir", str(tmp_path / "study"), monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0, err
    manifests = [json.loads(path.read_text()) for path in sorted((tmp_path / "study").rglob("manifest.json"))]
    assert len(manifests) == 2
    assert manifests[0]["initial_weights"] == manifests[1]["initial_weights"]
    assert manifests[0]["initial_weights"]["env_steps"] == 150
