"""The pages of reference name what real runs write, nothing more and nothing less."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

import pytest

import framework
from framework.assembly.catalogue import describe
from framework.assembly.discovery import resolve
from framework.recording.metrics import METRICS
from framework.recording.rows import read_rows
from tests.pages import DOCS, GENERATED, PAGES, REPOSITORY, catalogue, docstrings, generated, source_links

REFERENCE = DOCS / "reference"

EVERYTHING = {
    "run.steps": 600,
    "evaluation.every": 300,
    "evaluation.episodes": 2,
    "record.info": ["prob"],
    "run.deterministic": True,
}


def rows_of(page: Path, heading: str) -> set[str]:
    """The names in the first column of the table below a heading."""
    text = page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`|]+)` \|", text, re.MULTILINE))


def without_names(key: str) -> str:
    """A key as the page writes it: info/KEY, taken/ACTION, or PART/NAME for what another part measures."""
    group, slash, _ = key.partition("/")
    return key if not slash else {"info": "info/KEY", "taken": "taken/ACTION"}.get(group, "PART/NAME")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run folder for each composition."""
    place = tmp_path_factory.mktemp("runs")
    compositions = {
        "tabular": ("tabular,gym:FrozenLake-v1", EVERYTHING),
        "dqn": ("dqn,boltzmann,chain", {"run.steps": 600, "evaluation.every": 300, "evaluation.max_steps": 1}),
        # evaluations that end early until the goal is near, and a confirmation
        "goal": (
            "tabular,chain",
            {"run.until": 2.0, "evaluation.every": 5, "evaluation.first": 1, "evaluation.confirm": 2},
        ),
    }
    for name, (plugins, values) in compositions.items():
        framework.train(framework.assemble(plugins, values), place / name)
    return {name: place / name for name in compositions}


@pytest.mark.parametrize("kind", ["episode", "evaluation", "learning"])
def test_every_key_of_the_metrics_is_on_their_page(kind: str, runs: dict[str, Path]) -> None:
    page = REFERENCE / "metrics.md"
    explained = rows_of(page, "Keys of every row") | rows_of(page, f"Rows of kind `{kind}`")
    written = {
        without_names(key)
        for run in runs.values()
        for row in read_rows(run / METRICS)
        if row["kind"] == kind
        for key in row
    }
    only_with_scores = {"human_normalised"} if kind == "evaluation" else set()
    assert {without_names(key) for key in explained - only_with_scores} == written


def test_every_kind_of_row_has_a_section(runs: dict[str, Path]) -> None:
    sections = set(re.findall(r"^## Rows of kind `(\w+)`", (REFERENCE / "metrics.md").read_text(), re.MULTILINE))
    assert sections == {"warning", *(row["kind"] for run in runs.values() for row in read_rows(run / METRICS))}


def test_every_file_of_a_run_is_on_its_page(runs: dict[str, Path]) -> None:
    page = REFERENCE / "run-folder.md"
    always, sometimes = rows_of(page, "Always"), rows_of(page, "Sometimes")
    for run in runs.values():
        found = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
        names = {"checkpoints/" if name.startswith("checkpoints/") else name for name in found}
        unknown = {name for name in names if not any(fnmatch(name, known) for known in always | sometimes)}
        assert not unknown, run.name
        missing = {known for known in always if not any(fnmatch(name, known) for name in names)}
        assert not missing, run.name


def test_the_files_that_a_run_may_leave_are_those_of_the_code() -> None:
    sources = [path for part in ("framework", "plugins") for path in (REPOSITORY / part).rglob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    for name in rows_of(REFERENCE / "run-folder.md", "Sometimes"):
        stem = Path(name.rstrip("/")).name.removesuffix(".safetensors").removesuffix(".json")
        assert re.search(rf'"{stem}[."]|/{stem}\.|{stem}\.(png|json|safetensors|bin|txt)', code), name


SIGNALS = [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)]

EXIT_CODES = set(re.findall(r"^\| (\d+) \|", (REFERENCE / "exit-codes.md").read_text(encoding="utf-8"), re.MULTILINE))

HANGS = """
import time

from framework.hooks import hookimpl


@hookimpl
def make_exploration(spaces):
    class Sleeping:
        def choose(self, values, obs, counters):
            time.sleep(60)

        def probabilities(self, values, obs, counters):
            return values

        def metrics(self, counters):
            return {}

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            pass

    return Sleeping()
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "framework", *words]


def test_the_page_has_the_exit_codes_that_are_tested() -> None:
    assert {int(code) for code in EXIT_CODES} == {0, 1, 2, 70, 137, *(code for _, code in SIGNALS)}


@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_a_signal_has_its_exit_code_and_leaves_a_checkpoint(sent: int, code: int, tmp_path: Path) -> None:
    words = ("run", "-p", "tabular,chain", "--steps", "1000000000", "--run-dir", "stopped", "--quiet")

    def heard() -> None:
        """Where the tests run under nohup, the run would ignore SIGHUP, as it should."""
        signal.signal(sent, signal.SIG_DFL)

    with subprocess.Popen(command(*words), cwd=tmp_path, stdout=subprocess.DEVNULL, preexec_fn=heard) as process:
        metrics = tmp_path / "stopped" / METRICS
        while not (metrics.is_file() and metrics.stat().st_size) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(sent)
        assert process.wait() == code
    assert (tmp_path / "stopped" / "checkpoints" / "LATEST").is_file()


def test_a_hang_has_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    words = ("run", "-p", "tabular,chain,./hangs.py", "--set", "run.watchdog=0.5", "--run-dir", "hung")
    done = subprocess.run(command(*words), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 70, done.stderr
    assert (tmp_path / "hung" / "hang.txt").is_file()


def test_a_kill_has_the_code_of_the_system(tmp_path: Path) -> None:
    """A shell shows 128 + 9; Python shows −9."""
    words = ("run", "-p", "tabular,chain", "--steps", "1000000000", "--quiet")
    with subprocess.Popen(command(*words), cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        assert 128 - process.wait() == 137


def test_each_shipped_plugin_has_a_page_with_its_options_and_checks() -> None:
    made = catalogue.pages()
    assert {DOCS / name for name in made} == GENERATED
    assert not set(PAGES) & GENERATED
    for name in catalogue.shipped():
        plugin = resolve(name)[1]
        text, entry = made[f"plugins/{name}.md"], describe(plugin)
        assert "python -m framework run --plugins " in text
        for section in entry.sections:
            for option in section.options:
                assert f"| `{option.name}` |" in text
                assert f"| `{option.name}` |" in made["reference/options.md"]
        for check in plugin.conformance_checks() if hasattr(plugin, "conformance_checks") else []:
            assert f"`{check.name}`" in text
        assert f"[`{name}`]({name}.md)" in made["plugins/index.md"]


def test_every_plugin_has_a_kind() -> None:
    assert sorted(name for names in catalogue.kinds().values() for name in names) == catalogue.shipped()


@pytest.mark.parametrize("folder", ["framework", "plugins", "envs"])
def test_a_link_to_a_source_leads_to_its_page(folder: str) -> None:
    (file,) = list((REPOSITORY / folder).glob("__init__.py"))
    name = file.relative_to(REPOSITORY).as_posix()
    for depth in (0, 1):
        link = f"[it]({'../' * (depth + 1)}{name}#L3)"
        assert source_links.rewritten(link, depth) == f"[it]({'../' * depth}source/{name}.md)"
    assert f"{{literalinclude}} ../../../{name}" in source_links.pages([f"[it](../{name})"])[f"source/{name}.md"]
    assert source_links.rewritten(f"[it](../{folder}/page.md)", 1) == f"[it](../{folder}/page.md)"
    with pytest.raises(ValueError, match="does not exist"):
        source_links.pages([f"[it](../{folder}/nothing.py)"])


def test_tables_and_stars_of_docstrings_are_kept() -> None:
    table = [
        "Arguments:",
        "",
        "    seeds   random generators",
        "            of the run",
        "    names   of plugins",
        "",
        "End.",
    ]
    assert docstrings.adapted(table) == [
        *("Arguments:", "", "seeds", "    random generators", "    of the run", "names", "    of plugins", "", "End.")
    ]
    code = ["So:", "", "    x = 1", "    y = [1, 2]", "", "End."]
    assert docstrings.adapted(code) == ["So::", "", "    x = 1", "    y = [1, 2]", "", "End."]
    plain = ["Args:", "    x: a list, *as it is*, of `[B, *obs]`"]
    assert docstrings.adapted(plain) == plain
    assert docstrings.adapted(["to [B, *obs]"]) == [r"to [B, \*obs]"]
    assert docstrings.adapted(["of `Source`s, and `x`."]) == [r"of `Source`\ s, and `x`."]
    assert docstrings.adapted(["Ends with a colon:", ""]) == ["Ends with a colon:", ""]
    assert docstrings.adapted([]) == []


def test_pages_are_written_only_if_they_changed_and_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / "start.md").write_text("by hand")
    generated.write(tmp_path, {"plugins/one.md": "1", "plugins/two.md": "2", "source/a/b.md": "b"})
    before = (tmp_path / "plugins" / "one.md").stat().st_mtime_ns
    generated.write(tmp_path, {"plugins/one.md": "1", "plugins/three.md": "3"})
    assert (tmp_path / "plugins" / "one.md").stat().st_mtime_ns == before
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.md")}
    assert found == {"start.md", "plugins/one.md", "plugins/three.md"}
    assert generated.hand_written(tmp_path) == [tmp_path / "start.md"]
