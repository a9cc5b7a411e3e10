"""Every code block of the documentation runs, in the order of its page, and prints what the page says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from framework.cli.main import main
from tests.pages import DOCS, PAGES, Block, blocks_of, commands_in

ELSEWHERE = {"architecture.md", "changes.md", "check.md", "checkpoints.md", "plugins.md"}
"""Pages whose blocks tests/test_documentation.py runs, or that have none."""

LONG = {
    "export.md",
    "how-to/index.md",
    "how-to/sweep.md",
    "reports.md",
    "tutorials/environment.md",
    "tutorials/variant.md",
}
"""Pages with a study, many checks or traced networks."""

RUN = [
    pytest.param(page, id=str(name), marks=pytest.mark.slow if str(name) in LONG else ())
    for page in PAGES
    if page.is_relative_to(DOCS)
    and (name := page.relative_to(DOCS)).parts[0] != "results"
    and str(name) not in ELSEWHERE
]


class Reader:
    """Types what a page shows, in one session: Python keeps its names from block to block."""

    def __init__(self, page: str, capfd: pytest.CaptureFixture[str]) -> None:
        self._page = page
        self._capfd = capfd
        self._namespace: dict[str, object] = {"__name__": "page"}

    def run(self, block: Block) -> str | None:
        """Run a block, or write the file that it is. Returns what it printed; None for a block that does not run."""
        for command in block.first:
            code, printed = self._command(command)
            assert code == 0, printed
        if block.not_run:
            return None
        if block.file is not None:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.text, encoding="utf-8")
            return None
        where = f"{self._page}:{block.line}"
        if block.language == "python":
            self._capfd.readouterr()
            exec(compile(block.text, where, "exec"), self._namespace)
            return self._capfd.readouterr().out
        everything = ""
        for line in commands_in(block.text):
            code, printed = self._command(line)
            assert code == block.exit_code, f"{where}: {line}: exit code {code}\n{printed}"
            everything += printed
        return everything

    def _command(self, line: str) -> tuple[int, str]:
        """Run one line of a shell. Returns its exit code and what it printed."""
        words = shlex.split(line, comments=True)
        own = words[:3] == ["python", "-m", "framework"]
        if own and not re.search(r"[|<>;&$*]", re.sub(r"'[^']*'", "", line.split(" #")[0])):
            return self._here(words[3:])
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def _here(self, words: list[str]) -> tuple[int, str]:
        """Run the command line in this process, which saves the imports."""
        self._capfd.readouterr()
        before, code = sys.argv, 0
        sys.argv = ["framework", *words]
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.argv = before
        return code, "".join(self._capfd.readouterr())


def expect_printed(shown: str, printed: str, where: str) -> None:
    """Compare what a page shows with what was printed, line by line. Breaks of long lines do not count."""
    found = " ".join(printed.split())
    for line in shown.strip().splitlines():
        pattern = ".*?".join(re.escape(" ".join(part.split())) for part in line.split("…"))
        assert re.search(pattern, found), f"{where}: not printed: {line}\n{printed}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", RUN)
def test_every_block_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")  # rich breaks no line of a table
    name = str(page.relative_to(DOCS))
    reader = Reader(name, capfd)
    printed: str | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # a reader's Python does not end at a warning either
        for block in blocks_of(page.read_text(encoding="utf-8")):
            if block.language == "text":
                if printed is not None and not block.not_run:
                    expect_printed(block.text, printed, f"{name}:{block.line}")
                continue
            if block.language.startswith("{"):  # a directive of the site
                continue
            assert block.language in ("sh", "python") or block.file or block.not_run, block
            printed = reader.run(block)


def test_what_is_shown_and_not_printed_is_found() -> None:
    expect_printed("mean … over 20 episodes\nfolder   runs/first", "folder   runs/first\nmean 2.0 over 20 episodes", "")
    with pytest.raises(AssertionError, match="not printed: mean 3"):
        expect_printed("mean 3", "mean 2.0", "")


def test_a_block_that_fails_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    reader = Reader("page", capfd)
    with pytest.raises(ZeroDivisionError):
        reader.run(Block("python", "1 / 0\n", 1))
    with pytest.raises(AssertionError, match="exit code 2"):
        reader.run(Block("sh", "python -m framework run --plugins tabular,chian\n", 1))
    with pytest.raises(AssertionError, match="exit code 0"):
        reader.run(Block("sh", "python -m framework --version\n", 1, exit_code=2))
    with pytest.raises(AssertionError, match="exit code 3"):
        reader.run(Block("sh", "exit 3\n", 1))


def test_the_comments_and_names_of_files_are_read() -> None:
    page = (
        "Save `a.py`:\n\n```python\nx = 1\n```\n\n<!-- not run: minutes -->\n```sh\npython -m framework run\n```\n\n"
        "<!-- exit code 2 -->\n<!-- first: true -->\n```sh\nfalse \\\n  --now\n```\n"
    )
    named, left_out, failing = blocks_of(page)
    assert (named.file, named.not_run) == ("a.py", False)
    assert (left_out.file, left_out.not_run) == (None, True)
    assert (failing.exit_code, failing.first, commands_in(failing.text)) == (2, ("true",), ["false    --now"])
