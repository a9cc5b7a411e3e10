"""The commands and the code on the pages work, and links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from framework.assembly.discovery import installed, resolve
from framework.cli.app import app
from framework.defaults import plugin as defaults
from tests.pages import GENERATED, PAGES, arguments_of

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text()
PLUGINS = (REPOSITORY / "docs" / "plugins.md").read_text()
CHECK = (REPOSITORY / "docs" / "check.md").read_text()

GAMMA_FOR_ITS_POWER = """
import numpy as np

from framework.hooks import hookimpl
from framework.options import ReturnsOptions
from framework.replay.returns import NStepReturns


class Wrong(NStepReturns):
    def fold(self, reward, terminated, truncated):
        returns, discount, length = super().fold(reward, terminated, truncated)
        return returns, np.where(discount > 0, self.gamma, 0.0), length


@hookimpl
def make_returns(config):
    return Wrong(config[ReturnsOptions].gamma, 3)
"""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def shell(line: str, cwd: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(line, shell=True, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.timeout(600)
def test_the_sixty_seconds_of_the_readme(tmp_path: Path) -> None:
    (tour,) = [block for block in blocks(README, "sh") if "--run-dir runs/first" in block]
    printed = [shell(line, tmp_path) for line in tour.strip().splitlines()]
    means = [float(found[1]) for out in printed if (found := re.match(r"mean (\S+) ±", out))]
    assert means[0] == 2.0
    assert means[1] >= 18
    assert (tmp_path / "walk.gif").stat().st_size > 0
    assert (tmp_path / "pong.mp4").stat().st_size > 0
    (python,) = [block for block in blocks(README, "python") if "framework.assemble" in block]
    assert shell(f"python - <<'END'\n{python}\nEND", tmp_path).splitlines()[-2:] == ["1", "2.0"]


@pytest.mark.timeout(600)
def test_the_studies_of_the_readme(tmp_path: Path) -> None:
    (studies,) = [block for block in blocks(README, "sh") if "ablate" in block]
    for line in studies.strip().splitlines():
        assert "| of each seed" in shell(line, tmp_path)


def test_the_readmes_variant_is_the_shipped_one() -> None:
    (variant,) = [block for block in blocks(README, "python") if "dqn_bootstrap" in block]
    shipped = (REPOSITORY / "plugins" / "double.py").read_text()
    for line in variant.strip().splitlines():
        assert line in shipped.splitlines()


def test_the_guides_plugin_runs_and_is_listed(tmp_path: Path) -> None:
    (plugin,) = [block for block in blocks(PLUGINS, "python") if "class RankOptions" in block]
    (tmp_path / "rank.py").write_text(plugin)
    commands = re.findall(r"`(python -m framework [^`]*rank[^`]*)`", PLUGINS)
    assert len(commands) == 2
    for line in commands:
        shell(line, tmp_path)
    (test,) = [block for block in blocks(PLUGINS, "python") if "def test_" in block]
    (tmp_path / "test_it.py").write_text(test)
    shell("python -m pytest -q -p no:cacheprovider test_it.py", tmp_path)


def test_the_guides_plugin_passes_every_check(tmp_path: Path) -> None:
    (plugin,) = [block for block in blocks(PLUGINS, "python") if "class RankOptions" in block]
    (tmp_path / "rank.py").write_text(plugin)
    printed = shell("python -m framework check ./rank.py --with tabular,chain", tmp_path)
    assert re.search(r"chain: \d+ passed, \d+ not applicable", printed)


def test_a_failure_says_what_its_page_shows(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```\n(FAILED.*?)```", CHECK, re.DOTALL)
    (tmp_path / "my_variant.py").write_text(GAMMA_FOR_ITS_POWER)
    command = [sys.executable, "-m", "framework", "check", "./my_variant.py", "--with", "dqn,chain"]
    done = subprocess.run(
        [*command, "--component", "returns"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert shown in done.stdout


def test_the_guides_template_is_written_and_what_it_says_next_can_be_typed(tmp_path: Path) -> None:
    (line,) = [line for block in blocks(PLUGINS, "sh") for line in block.splitlines() if "framework new" in line]
    check, test, run = shell(line, tmp_path).splitlines()[-3:]
    # all checks take half a minute; tests/framework/cli/test_new.py runs the tests of every template
    shell(f"{check} --component returns", tmp_path)
    assert test.split() == ["python", "-m", "pytest", "my_variant"]
    assert "finished after" in shell(f"{run} --steps 300", tmp_path)


def test_an_agent_elsewhere_acts_as_its_page_says(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "export.md").read_text()
    with_onnx, loop = (
        next(block for block in blocks(page, "python") if word in block) for word in ("onnxruntime", "agent.reset()")
    )
    shell("python -m framework run --plugins tabular,chain --run-dir runs/chain", tmp_path)
    shell("python -m framework export runs/chain --to policy.onnx", tmp_path)
    assert shell(f"python - <<'END'\n{with_onnx}\nprint(action)\nEND", tmp_path) == "1\n"
    shell("python -m framework run --plugins dqn,gym:CartPole-v1 --steps 300 --run-dir runs/cartpole", tmp_path)
    assert shell(f"python - <<'END'\n{loop}\nprint(over)\nEND", tmp_path) == "True\n"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_on_a_page_exists(page: Path) -> None:
    group = typer.main.get_command(app)
    plugins = [defaults, *(resolve(name)[1] for name in installed())]
    sections = [
        section for plugin in plugins if hasattr(plugin, "config_sections") for section in plugin.config_sections()
    ]
    names = {section.section_name for section in sections}
    options = {f"{section.section_name}.{key}" for section in sections for key in section.model_fields}
    for name, *words in arguments_of(page.read_text()):
        known = {flag for parameter in group.commands[name].params for flag in parameter.opts}
        flags = {word.split("=")[0] for word in words if re.match("--?[a-z]", word)}
        assert flags <= known, f"{name}: {flags - known}"
        assigned = {word.split("=")[0] for before, word in pairwise(words) if before == "--set"}
        unknown = {option for option in assigned - options if option.split(".")[0] in names}
        assert not unknown, f"{name}: {unknown}"


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        path = (page.parent / target).resolve()
        assert path.exists() or path in GENERATED, target


def test_ci_runs_the_readmes_test_command() -> None:
    ci = (REPOSITORY / ".ci" / "run").read_text()
    typed = re.findall(r"```sh\n(python3 -m venv .*)\n```", README)
    assert len(typed) == 2
    assert "framework run --plugins pong" in typed[0]
    assert typed[1] in ci
