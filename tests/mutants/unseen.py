"""Measures the harness with bugs that nobody chose: changes drawn by a seed (`operators.py`), checked, then tested.

python -m tests.mutants.unseen                  draw, and run every check until one fails
python -m tests.mutants.unseen --tests          those that no check catches: the tests that name their module
python -m tests.mutants.unseen --page           docs/results/harness-unseen.md, from the table

The table (docs/results/harness-unseen.csv) grows with each of these, and is continued where it was left. Its column
`sorted` is written by hand, for what no check catches: "equivalent: …" says why the change makes no difference, and
"hole: …" what was missing.
"""

from __future__ import annotations

import csv
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tests.mutants.examination import examine, prepare_forking
from tests.mutants.mutant import Mutant, plant, planted
from tests.mutants.operators import drawn, path_of
from tests.mutants.page import ROOT, measured_commit

PAGE = ROOT / "docs" / "results" / "harness-unseen.md"
TABLE = PAGE.with_suffix(".csv")

MEMORY = 12 * 2**30
"""Bytes of address space for the checks of one change: some changes ask for all there is."""

SECONDS = 300
"""The longest time for the checks of one change; some changes never end."""

TESTS_SECONDS = 1200
"""The same for tests."""


@dataclass(frozen=True)
class Row:
    """A change, and what was found."""

    name: str
    old: str
    new: str
    plugins: str
    verdict: str
    """One of the constants below."""
    by: str
    """The check or the test that caught it."""
    seed: str
    """The seed of the draw."""
    commit: str
    """The commit whose checks were run."""
    sorted: str = ""
    """By hand: why it makes no difference, or what was missing."""


BY_CHECK = "check"
BY_TESTS = "tests"
UNTESTED = "no check"
"""No check catches it, and no test has been run."""
SURVIVED = "survived"
"""Nor does a test near it."""


def main(
    count: Annotated[int, typer.Option(help="How many changes are drawn.")] = 200,
    seed: Annotated[int, typer.Option(help="The seed of the draw.")] = 0,
    tests: Annotated[bool, typer.Option("--tests", help="Run the tests near what no check catches.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Write the page.")] = False,
    table: Annotated[Path, typer.Option(help="The table of results.")] = TABLE,
    jobs: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 2,
) -> None:
    """Draw changes, examine them, and write what was found."""
    if page:
        write_page(read_table(table))
        return
    others = [row for row in read_table(table) if row.seed != str(seed)]
    rows = {row.name: row for row in read_table(table) if row.seed == str(seed)}
    mutants = {mutant.name: mutant for mutant in drawn(count, seed)}
    if tests:
        chosen = [mutant for name, mutant in mutants.items() if name in rows and rows[name].verdict == UNTESTED]
        for mutant, by in tested(chosen, jobs):
            rows[mutant.name] = replace(rows[mutant.name], verdict=BY_TESTS if by else SURVIVED, by=by)
            keep(table, others, rows, mutant.name)
        return
    commit = measured_commit()
    for mutant, by in checked([mutant for name, mutant in mutants.items() if name not in rows], jobs):
        verdict = BY_CHECK if by else UNTESTED
        rows[mutant.name] = Row(mutant.name, mutant.old, mutant.new, mutant.plugins, verdict, by, str(seed), commit)
        keep(table, others, rows, mutant.name)


def keep(table: Path, others: Sequence[Row], rows: Mapping[str, Row], name: str) -> None:
    """Write the table, with the rows of other draws first, and say what was found of one change."""
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in (*others, *rows.values()))
    print(f"{rows[name].verdict:16} {name}: {rows[name].by}", flush=True)


def read_table(table: Path) -> list[Row]:
    """The rows of the table; none if it is missing."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return [Row(**line) for line in csv.DictReader(file)]


def checked(mutants: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, str]]:
    """Run the checks on each change, each in a process of its own, until one fails. Yields its name, or ""."""
    context = prepare_forking()
    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(mutants, pool.map(lambda mutant: _failing_check(context, mutant), mutants), strict=True)


def _failing_check(context: Any, mutant: Mutant) -> str:
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_examine, args=(mutant, sender))
    process.start()
    sender.close()
    try:
        return str(receiver.recv()) if receiver.poll(SECONDS) else "no answer in time"
    except EOFError:
        return "the process died"
    finally:
        process.kill()
        process.join()


def _examine(mutant: Mutant, answer: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    plant(mutant)
    every = (examine(plugins, "the check", seeds=1) for plugins in mutant.plugins.split())
    answer.send(next((found.failures[0].check for found in every if found.failures), ""))


def tested(mutants: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, str]]:
    """Run tests on each change. Yields the name of the first that fails, or ""."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(mutants, pool.map(failing_test, mutants), strict=True)


def failing_test(mutant: Mutant) -> str:
    """Run the tests near a change on a copy of this checkout that has it. Returns the first that fails, or "".

    A test that fails without the change, too, says nothing, and is left out.
    """
    with tempfile.TemporaryDirectory() as place:
        copy, left_out = Path(place), list[str]()
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
        file = copy / path_of(mutant.module).relative_to(ROOT)
        correct = file.read_text(encoding="utf-8")
        while True:
            file.write_text(planted(correct, mutant), encoding="utf-8")
            found = _first_failure(copy, near(mutant.module), left_out)
            if "::" not in found:
                return found
            file.write_text(correct, encoding="utf-8")
            if not _first_failure(copy, [found], []):
                return found
            left_out.append(found)


def _first_failure(copy: Path, chosen: Sequence[str], left_out: Sequence[str]) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["-m", "not slow and not compositions", *chosen, *(f"--deselect={each}" for each in left_out)]
    surroundings = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=copy, env=surroundings, stdout=output, start_new_session=True)
        try:
            code = process.wait(TESTS_SECONDS)
        except subprocess.TimeoutExpired:
            return "no end in time"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever tests have started
        output.seek(0)
        failed = [line.split(" ")[1] for line in output if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].strip() if failed else "" if code in (0, 5) else f"exit {code}"


def near(module: str) -> list[str]:
    """The files of tests that name the module, its package or its plugin, from the root; first those called like it."""
    parts = module.split(".")
    package = ".".join(parts[:-1]) if parts[0] == "framework" else ".".join(parts[:2])
    named = (
        "" if parts[0] == "framework" or parts[1] in ("dqn", "tabular") else rf"|\b{parts[1]}\b"
    )  # these two are in all
    files = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mutants" not in path.parts]
    called = [path for path in files if {parts[-1], parts[1]} & {path.stem.removeprefix("test_"), path.parent.name}]
    naming = [path for path in files if re.search(re.escape(package) + named, path.read_text(encoding="utf-8"))]
    return [str(path.relative_to(ROOT)) for path in dict.fromkeys([*called, *naming])]


def write_page(rows: Sequence[Row]) -> None:
    """Write docs/results/harness-unseen.md."""
    PAGE.write_text(page_of(rows), encoding="utf-8")


def page_of(rows: Sequence[Row]) -> str:
    """The page of a table."""
    lines = ""
    for seed in dict.fromkeys(row.seed for row in rows):
        drawn_rows = [row for row in rows if row.seed == seed]
        commits = ", ".join(f"`{commit}`" for commit in dict.fromkeys(row.commit for row in drawn_rows))
        by = Counter(row.verdict for row in drawn_rows)
        equivalent = sum(row.sorted.startswith("equivalent") for row in drawn_rows)
        real = len(drawn_rows) - equivalent
        shares = (f"{by[verdict]} ({by[verdict] / real:.0%})" for verdict in (BY_CHECK, BY_TESTS))
        holes = by[SURVIVED] - equivalent
        lines += f"| {seed} | {commits} | {len(drawn_rows)} | {equivalent} | {' | '.join(shares)} | {holes} "
        lines += f"({holes / real:.0%}) |\n"
    return (
        "# The harness and bugs that nobody chose\n\n"
        "Written by `python -m tests.mutants.unseen --page`. The bugs of [the other page](harness.md) were chosen by "
        "people, who knew the checks. These were drawn by a seed: a comparison, an operator, a constant, a dtype, the "
        "order of two arguments, a keyword or a statement of the code of the parts is changed "
        "(`tests/mutants/operators.py`). "
        "Each was planted alone. Every check of one to three compositions with that part was run, with one seed, until "
        "one failed; if none did, the tests that name the module, its package or its plugin, without the slow ones. "
        "What none of these caught was sorted by hand. A process that dies or does not answer counts as caught. "
        "Changes that make no difference, such as another limit that is never reached, cannot be caught. Each draw "
        "came after what the one before had shown was mended, and is of the code as it was then; a draw ends where its "
        "time was over. Draws 0 and 1 left out dtypes, and functions of a single statement.\n\n"
        "| seed | commit | changes | of them equivalent | caught by a check | caught by tests alone | by neither |\n"
        f"| ---: | --- | ---: | ---: | ---: | ---: | ---: |\n{lines}\n"
        "Every change is in `docs/results/harness-unseen.csv`.\n\n"
        "## What no check caught\n\n| seed | change | caught by | sorted |\n| ---: | --- | --- | --- |\n"
        + "".join(
            f"| {row.seed} | `{row.name.replace('|', '¦')}` | {f'`{row.by}`' if row.by else ''} | {row.sorted} |\n"
            for row in rows
            if row.verdict != BY_CHECK
        )
    )


if __name__ == "__main__":
    typer.run(main)
