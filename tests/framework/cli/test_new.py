"""The command `new`: for every slot it writes a plugin that works; for a wrong request it writes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from framework.assembly.assemble import assemble
from framework.assembly.discovery import GROUP
from framework.assembly.loading import load_plugins
from framework.assembly.manager import CLAIM
from framework.cli import scaffold
from framework.cli.scaffold import create, templates
from framework.errors import UsageError
from framework.training.loop import Loop

SLOTS = sorted(templates())


def test_every_slot_has_a_template_with_a_test() -> None:
    assert set(SLOTS) == set(load_plugins(["dqn", "chain"]).slots())
    assert all(template.test.is_file() for template in templates().values())


@pytest.mark.parametrize("slot", SLOTS)
def test_each_template_claims_its_slot_and_trains(slot: str, tmp_path: Path) -> None:
    created = create("my_variant", [slot], tmp_path)
    plugin = created.files[1]
    composition = [*templates()[slot].completed_by(), str(plugin)]
    (written,) = [found for found in load_plugins(composition).claims() if found.plugin == "my_variant"]
    assert (written.hook, written.rank) == (slot, CLAIM)
    parts = assemble(composition, {"run.steps": 100, "learning.starts": 20})
    Loop(parts).run()
    parts.close()
    assert parts.filled[slot] == "my_variant"
    assert parts.counters.env_steps == 100
    assert parts.counters.updates > 0


def test_the_example_tests_pass_and_the_files_are_tidy(tmp_path: Path) -> None:
    for slot in SLOTS:
        create(f"a_{slot}", [slot], tmp_path)
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not conformance", "."]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{len(SLOTS)} passed" in done.stdout
    ruff = Path(sys.executable).with_name("ruff")
    if ruff.exists():
        done = subprocess.run(
            [ruff, "check", "--no-cache", "."], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_its_packaging_names_the_plugin_and_what_it_needs(tmp_path: Path) -> None:
    needed = {}
    for slot in ("dqn_head", "make_returns"):
        create("quick_thought", [slot], tmp_path / slot)
        folder = tmp_path / slot / "quick_thought"
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["name"] == "quick-thought"
        assert project["entry-points"][GROUP] == {"quick_thought": "quick_thought"}
        assert len((folder / "README.md").read_text().splitlines()) == 3
        source = (folder / "quick_thought.py").read_text(encoding="utf-8")
        assert 'class QuickThoughtOptions(Section, name="quick_thought")' in source
        assert "variant" not in source.lower()
        needed[slot] = project["dependencies"]
    assert needed == {"dqn_head": ["pluggable-q[dqn]"], "make_returns": ["pluggable-q"]}


@pytest.mark.parametrize(
    ("name", "fills", "message"),
    [
        ("mine", [], "what should the plugin fill.*dqn_bonus"),
        ("mine", ["dqn_bootstrp"], "no template for 'dqn_bootstrp'. Did you mean 'dqn_bootstrap'.*make_env"),
        ("mine", ["make_env", "dqn_head"], "one slot at a time"),
        ("dqn", ["make_env"], "a plugin 'dqn' is installed already"),
        ("json", ["make_env"], "'json' is the name of a module in "),
        ("torch", ["make_env"], "'torch' is the name of a module in "),
        ("replay", ["make_env"], "'replay' is the name of the engine"),
        ("frame", ["make_buffer"], "the name 'FrameReplay'"),
        *[(name, ["make_env"], "cannot name a plugin") for name in ("a-b", "1a", "a_", "é", "class", "", "../a")],
    ],
)
def test_a_wrong_request_is_refused_and_writes_nothing(
    name: str, fills: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        create(name, fills, tmp_path / "place")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert create("mine", ["make_env"], tmp_path).files
    with pytest.raises(UsageError, match="exists already"):
        create("mine", ["dqn_head"], tmp_path)
    assert "make_env" in (tmp_path / "mine" / "mine.py").read_text(encoding="utf-8")
    (tmp_path / "file").write_text("keep")
    for directory in (tmp_path, tmp_path / "file"):
        with pytest.raises(UsageError, match=r"exists already|cannot be written"):
            create("file", ["make_env"], directory)
    assert (tmp_path / "file").read_text() == "keep"


def test_a_third_party_ships_templates_for_slots_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "elsewhere_q"
    (home / "templates").mkdir(parents=True)
    (home / "__init__.py").write_text("raise SystemExit('only its folder is wanted')")
    (home / "templates" / "other_part.py").write_text('"""A part."""\nclass MyVariantPart: ...\n')
    (home / "templates" / "test_other_part.py").write_text("NAME = 'my_variant'\n")
    (home / "templates" / "make_env.py").write_text("raise SystemExit('not a slot of its own')")
    points = {"other": [EntryPoint("other", "elsewhere_q", GROUP)], "gone": [EntryPoint("gone", "no.such", GROUP)]}
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(scaffold, "installed", lambda: points)
    created = create("mine", ["other_part"], tmp_path / "place")
    assert created.files[1].read_text() == '"""A part."""\nclass MinePart: ...\n'
    assert created.files[2].read_text() == "NAME = 'mine'\n"
    assert "other,chain," in created.commands[2]
    assert templates()["make_env"].owner == ""


def test_the_command_says_what_it_wrote_and_what_to_type_next(tmp_path: Path) -> None:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    words = ["-m", "framework", "new", "mine", "--fills", "make_returns", "--directory", "ideas"]
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for file in ("pyproject.toml", "mine.py", "test_mine.py", "README.md"):
        assert f"wrote ideas/mine/{file}" in lines
    assert lines[-3:] == [
        "  python -m framework check ideas/mine/mine.py",
        "  python -m pytest ideas/mine",
        "  python -m framework run --plugins tabular,chain,ideas/mine/mine.py",
    ]
    again = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 2
    assert again.stderr.startswith("error: ideas/mine exists already")
