"""The trained agent of the package: it is small and described, the plugin's name finds it, and it plays well."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import framework
from framework.errors import UsageError

FOLDER = Path(framework.__file__).parents[1] / "plugins" / "pong" / "agent"


def test_it_is_small_and_says_where_it_comes_from() -> None:
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    assert {str(file.relative_to(FOLDER)) for file in files} == {
        *("config.toml", "manifest.json", "best/evaluation.json", "best/evaluation.safetensors")
    }
    assert sum(file.stat().st_size for file in files) < 2_000_000
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["environment"]["game"] == "pong"
    assert {"torch", "ale-py", "numpy"} <= set(manifest["versions"])
    assert not any(text in (FOLDER / "manifest.json").read_text() for text in ("/work", "/tmp", "/home"))


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_it_scores_eighteen_over_ten_games_whatever_it_computes_in(precision: str) -> None:
    """The agent was trained in bfloat16. A processor without bfloat16 units plays in float32."""
    agent = framework.load("pong", values={"dqn.precision": precision})
    result = framework.evaluate(agent, name="shipped", episodes=10)
    assert result.mean >= 18


def test_it_is_evaluated_by_its_name(tmp_path: Path) -> None:
    def command(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "framework", *words], check=True, capture_output=True, text=True, cwd=tmp_path
        ).stdout

    assert command("evaluate", "pong", "--episodes", "1").startswith("mean ")


def test_a_run_folder_of_that_name_comes_first_and_other_plugins_have_no_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="plugin 'dqn' includes no trained agent"):
        framework.load("dqn")
    with pytest.raises(UsageError, match="'nothing' is not a run folder"):
        framework.load("nothing")
    framework.train(framework.assemble("tabular,chain"), "pong")
    assert framework.load("pong").config.flat()["run.plugins"] == ["tabular", "chain"]
