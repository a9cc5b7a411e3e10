"""The wheel in a fresh environment, with the plugin of a third party beside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from framework.cli.scaffold import templates

REPOSITORY = Path(__file__).parents[1]

THIRD_PARTY = '''
"""A bonus for every step."""
import gymnasium
from framework.config import Field, Section
from framework.hooks import hookimpl

class Options(Section, name="bonus"):
    """How much."""
    size: float = Field(0.0, description="added to every reward")

@hookimpl
def config_sections():
    return [Options]

@hookimpl
def env_wrapper(config):
    size = config[Options].size
    return lambda env: gymnasium.wrappers.TransformReward(env, lambda reward: reward + size)
'''


def run(*words: str | Path, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(words, cwd=cwd, env=clean, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that has the wheel and the package of a third party.

    It borrows the wheel's dependencies from this environment, so the test needs no network.
    """
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "framework", "plugins", "envs"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in [*tracked, "pyproject.toml", "README.md", "LICENSE"]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((REPOSITORY / name).read_bytes())
    third_party = folder / "third_party"
    third_party.mkdir()
    (third_party / "bonus_plugin.py").write_text(THIRD_PARTY)
    (third_party / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "bonus-plugin"\nversion = "1"\n'
        '[project.entry-points."framework.plugins"]\nbonus = "bonus_plugin"\n'
        '[tool.setuptools]\npy-modules = ["bonus_plugin"]\n'
    )
    wheels = folder / "wheels"
    for package in (source, third_party):
        run(
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            wheels,
            package,
            cwd=folder,
        )
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        site,
        *sorted(wheels.glob("*.whl")),
        cwd=folder,
    )
    # a path file in a borrowed folder is not read, so the editable install of the checkout stays out
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_runs_the_chain_away_from_the_checkout(python: Path, tmp_path: Path) -> None:
    where = run(python, "-c", "import framework, plugins, envs; print(framework.__file__)", cwd=tmp_path)
    assert str(REPOSITORY) not in where
    out = run(python, "-m", "framework", "run", "-p", "tabular,chain", "--run-dir", "r", cwd=tmp_path)
    assert "finished after" in out
    assert "mean 2.00" in run(python, "-m", "framework", "evaluate", "r", "--weights", "last", cwd=tmp_path)


def test_the_wheel_runs_the_plugin_of_a_third_party_by_its_name(python: Path, tmp_path: Path) -> None:
    words = ("-m", "framework", "run", "-p", "tabular,chain,bonus", "--set", "bonus.size=10", "--run-dir", "r")
    out = run(python, *words, cwd=tmp_path)
    assert re.search(r"return (2|3|4|5|6|7|8|9)\d\.0", out), "two steps and more bring ten each"
    assert "bonus.size" in run(python, "-m", "framework", "plugins", "bonus", cwd=tmp_path)


def test_the_wheel_plays_the_agent_that_comes_with_pong(python: Path, tmp_path: Path) -> None:
    assert run(python, "-m", "framework", "evaluate", "pong", "--episodes", "1", cwd=tmp_path).startswith("mean ")


def test_the_wheel_writes_a_plugin_that_is_installed_and_runs_by_its_name(python: Path, tmp_path: Path) -> None:
    run(python, "-m", "framework", "new", "my_variant", "--fills", "dqn_bootstrap", cwd=tmp_path)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    run(*install, "--target", site, tmp_path / "my_variant", cwd=tmp_path)
    options = ("--steps", "300", "--set", "my_variant.temperature=1")
    out = run(python, "-m", "framework", "run", "-p", "dqn,chain,my_variant", *options, cwd=tmp_path)
    assert "finished after 300 steps" in out


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("slot", sorted(templates()))
def test_the_wheel_writes_a_plugin_for_every_slot_that_passes_its_checks(
    slot: str, python: Path, tmp_path: Path
) -> None:
    run(python, "-m", "framework", "new", "my_variant", "--fills", slot, cwd=tmp_path)
    out = run(python, "-m", "framework", "check", "./my_variant/my_variant.py", cwd=tmp_path)
    assert re.search(r": \d{3} passed, \d+ not applicable", out), out


def test_tests_are_not_in_the_wheel(python: Path, tmp_path: Path) -> None:
    out = run(python, "-c", "import importlib.metadata as m; print(m.files('pluggable-q'))", cwd=tmp_path)
    assert "hookspecs.py" in out
    assert "tests" not in out
    assert "py.typed" in out
    assert "report/templates/report.html" in out, "a report is made of it"


def test_the_image_gets_what_it_copies_and_installs() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    allowed = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    package = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    # the build reads these, and the wheel needs these packages
    needed = {package["project"]["readme"], *package["project"]["license-files"], "pyproject.toml", "constraints.txt"}
    needed |= {name.rstrip("*") for name in package["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert set(copied) == needed
    assert allowed[0] == "*"
    assert {f"!{name}" for name in copied} <= set(allowed)
    assert all((REPOSITORY / name).exists() for name in copied)
    (extras,) = re.findall(r"\.\[([\w,]+)\]", "\n".join(lines))
    assert set(extras.split(",")) <= set(package["project"]["optional-dependencies"])
