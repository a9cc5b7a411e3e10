"""Every code block of the documentation runs, in the order of its page, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
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

LONG = {"tutorials/environment.md", "tutorials/variant.md"}
"""Pages with a study or many checks."""

RUN = [
    pytest.param(page, id=str(name), marks=pytest.mark.slow if str(name) in LONG else ())
    for page in PAGES
    if page.is_relative_to(DOCS)
    and (name := page.relative_to(DOCS)).parts[0] != "results"
    and str(name) not in ELSEWHERE
]


def own_process(command: str) -> tuple[int, str]:
    """Run a command of a shell. Returns its exit code and what it printed."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def this_process(words: list[str]) -> tuple[int, str]:
    """Run the command line here, which saves the imports. Returns its exit code and what it printed."""
    printed, before = io.StringIO(), sys.argv
    sys.argv = ["framework", *words]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            main()
    except SystemExit as ended:
        return int(ended.code or 0), printed.getvalue()
    finally:
        sys.argv = before
    return 0, printed.getvalue()


def run_command(line: str) -> tuple[int, str]:
    """Run one line of a shell block."""
    words = shlex.split(line, comments=True)
    own = words[:3] == ["python", "-m", "framework"]
    if own and not re.search(r"[|<>;&$*]", re.sub(r"'[^']*'", "", line.split(" #")[0])):
        return this_process(words[3:])
    return own_process(line)


def run_block(block: Block, namespace: dict[str, object], where: str) -> str:
    """Run a block, or write the file that it is, and return what it printed."""
    for command in block.first:
        code, printed = run_command(command)
        assert code == 0, printed
    if block.not_run:
        return ""
    if block.file is not None:
        Path(block.file).parent.mkdir(parents=True, exist_ok=True)
        Path(block.file).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        printed_here = io.StringIO()
        with contextlib.redirect_stdout(printed_here):
            exec(compile(block.text, f"{where}:{block.line}", "exec"), namespace)
        return printed_here.getvalue()
    elif block.language == "sh":
        everything = ""
        for line in commands_in(block.text):
            code, printed = run_command(line)
            assert code == block.exit_code, f"{where}:{block.line}: {line}: exit code {code}\n{printed}"
            everything += printed
        return everything
    return ""


def expect_printed(shown: str, printed: str, where: str) -> None:
    """Compare what a page shows with what was printed, line by line. Breaks of long lines do not count."""
    found = " ".join(printed.split())
    for line in shown.strip().splitlines():
        pattern = ".*?".join(re.escape(" ".join(part.split())) for part in line.split("…"))
        assert re.search(pattern, found), f"{where}: not printed: {line}\n{printed}"


@pytest.mark.parametrize("page", RUN)
def test_every_block_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")  # rich breaks no line of a table
    name = str(page.relative_to(DOCS))
    namespace: dict[str, object] = {"__name__": "page"}
    printed: str | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # a reader's Python does not end at a warning either
        for block in blocks_of(page.read_text(encoding="utf-8")):
            if block.language == "text":
                if printed is not None and not block.not_run:
                    expect_printed(block.text, printed, f"{name}:{block.line}")
                continue
            assert block.language in ("sh", "python", "toml") or block.language.startswith("{"), block
            printed = None if block.not_run else run_block(block, namespace, name)


def test_what_is_shown_and_not_printed_is_found() -> None:
    expect_printed("mean … over 20 episodes\nfolder   runs/first", "folder   runs/first\nmean 2.0 over 20 episodes", "")
    with pytest.raises(AssertionError, match="not printed: mean 3"):
        expect_printed("mean 3", "mean 2.0", "")


def test_a_block_that_fails_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError):
        run_block(Block("python", "1 / 0\n", 1), {}, "page")
    with pytest.raises(AssertionError, match="exit code 2"):
        run_block(Block("sh", "python -m framework run --plugins tabular,chian\n", 1), {}, "page")


def test_the_comments_and_names_of_files_are_read() -> None:
    page = (
        "Save `a.py`:\n\n```python\nx = 1\n```\n\n<!-- not run: minutes -->\n```sh\npython -m framework run\n```\n\n"
        "<!-- exit code 2 -->\n<!-- first: true -->\n```sh\nfalse \\\n  --now\n```\n"
    )
    named, left_out, failing = blocks_of(page)
    assert (named.file, named.not_run) == ("a.py", False)
    assert (left_out.file, left_out.not_run) == (None, True)
    assert (failing.exit_code, failing.first, commands_in(failing.text)) == (2, ("true",), ["false    --now"])
