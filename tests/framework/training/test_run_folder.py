"""A run folder is one command's own, and enough: it plays and continues without the plugin files it was made with."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import framework
from framework.errors import UsageError
from framework.training.run_folder import default_folder

PLUGIN = """
from framework.config import Field, Section
from framework.hooks import hookimpl
from framework.options import ReturnsOptions
from framework.replay.returns import NStepReturns

class MineOptions(Section, name="mine"):
    \"\"\"Options.\"\"\"
    n: int = Field(2, ge=1, description="steps")

@hookimpl
def config_sections(): return [MineOptions]

@hookimpl
def make_returns(config): return NStepReturns(config[ReturnsOptions].gamma, config[MineOptions].n)
"""


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, Path]:
    """A run folder that was moved, and the plugin file that it was made with."""
    file = tmp_path / "home" / "mine.py"
    file.parent.mkdir()
    file.write_text(PLUGIN)
    parts = framework.assemble(f"tabular,chain,{file}", {"run.steps": 60, "mine.n": 3})
    framework.train(parts, tmp_path / "run")
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    return tmp_path / "elsewhere", file


def test_it_keeps_the_plugins_that_are_files(run: tuple[Path, Path]) -> None:
    folder, file = run
    assert (folder / "plugins" / "mine.py").read_text() == file.read_text()


@pytest.mark.parametrize("gone", [False, True])
def test_an_agent_plays_where_the_file_is_gone_or_has_changed(run: tuple[Path, Path], gone: bool) -> None:
    folder, file = run
    before = framework.load(folder)
    if gone:
        file.unlink()
    else:
        file.write_text("raise RuntimeError('another plugin now')")
    agent = framework.load(folder)
    assert agent.config.flat()["mine.n"] == 3
    np.testing.assert_equal(agent.policy.state_dict(), before.policy.state_dict())
    assert framework.evaluate(agent, name="test", episodes=2).returns


def test_a_run_continues_where_the_file_is_gone_and_names_one_that_has_changed(run: tuple[Path, Path]) -> None:
    folder, file = run
    file.write_text(f"{PLUGIN}# changed\n")
    with pytest.raises(framework.UsageError, match=r"sources\.mine"):
        framework.resume(folder, {"run.steps": 80})
    file.unlink()
    assert framework.resume(folder, {"run.steps": 80}).counters.env_steps == 80


def test_a_plugin_whose_package_is_gone_has_no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {"gone": [EntryPoint("gone", "a_package_that_is_gone.inner", "framework.plugins")]}
    monkeypatch.setattr("framework.training.agents.installed", lambda: gone)
    with pytest.raises(UsageError, match="plugin 'gone' includes no trained agent"):
        framework.load("gone")


def test_commands_that_start_together_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: default_folder(["dqn", "chain"], "seed0"), range(40)))
    assert len(set(folders)) == 40
    assert all(folder.is_dir() for folder in folders)


def test_a_file_in_the_way_of_runs_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(UsageError, match="cannot be created: Not a directory"):
        default_folder(["dqn"], "seed0")
