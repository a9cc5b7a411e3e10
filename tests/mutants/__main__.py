"""Measures the harness: which planted bugs its checks catch, and whether they accuse a correct composition.

python -m tests.mutants                    all bugs, each to the end of the component that is the first to fail
python -m tests.mutants NAME … --first     these bugs, each until the first check that fails
python -m tests.mutants --whole            every check on every bug, which takes hours
python -m tests.mutants --correct          every correct composition, statistics under several seeds
python -m tests.mutants --page             bugs and correct compositions, and docs/results/harness.md from both
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tests.mutants.correct_compositions import COMPOSITIONS
from tests.mutants.examination import Examination, Until, each_in_a_process, examine_correct, examine_mutant
from tests.mutants.mutant import Mutant, all_mutants
from tests.mutants.page import measured_commit, write_page
from tests.mutants.timing import LARGEST, time_check


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Parts of the names of bugs; default all.")] = None,
    first: Annotated[bool, typer.Option("--first", help="Stop at the first check that fails.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Run every check on every bug.")] = False,
    correct: Annotated[bool, typer.Option("--correct", help="Correct compositions in the place of bugs.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Bugs and correct compositions, and write the page.")] = False,
    results: Annotated[
        Path | None, typer.Option(help="Keep what was found in this file, and do not look for what it holds again.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="A sample: of so many bugs, the first.")] = 1,
    verbose: Annotated[bool, typer.Option("-v", help="Show what the first failing check said.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 2,
) -> None:
    """Exit code 0 if every bug was caught and nothing correct was accused, else 1."""
    until: Until = "the check" if first else "the end" if whole else "the component"
    known = Known(results)
    commit = measured_commit()
    mutants = [each for each in all_mutants()[::every] if not names or any(name in each.name for name in names)]
    chosen = [text for text in COMPOSITIONS if not names or page or any(name in text for name in names)]
    bugs = [] if correct else examine_bugs(mutants, until, verbose, jobs, known)
    accused = examine_compositions(chosen, jobs, known) if correct or page else []
    if page:
        write_page(bugs, accused, [time_check(plugins) for plugins in LARGEST], commit)
    good = all(found.failures for _, found in bugs) and not any(found.failures for found in accused)
    sys.exit(0 if good else 1)


class Known:
    """Earlier results, by the name of the bug or composition. A file may hold them as lines of JSON."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        self._found = {line["name"]: Examination.of(line["found"]) for line in map(json.loads, lines)}

    def lacking(self, names: Iterable[str]) -> list[str]:
        """The names without a result."""
        return [name for name in names if name not in self._found]

    def add(self, name: str, found: Examination) -> None:
        """Keep a result."""
        self._found[name] = found
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"name": name, "found": asdict(found)}) + "\n")

    def __getitem__(self, name: str) -> Examination:
        return self._found[name]


def examine_bugs(
    mutants: Sequence[Mutant], until: Until, verbose: bool, jobs: int, known: Known
) -> list[tuple[Mutant, Examination]]:
    """Plant the bugs, printing a line for each."""
    by_name = {mutant.name: mutant for mutant in mutants}
    tasks = [(by_name[name], until) for name in known.lacking(by_name)]
    for mutant, found in each_in_a_process(examine_mutant, tasks, jobs):
        known.add(mutant.name, found)
        print(_told(mutant, found), flush=True)
        if verbose and found.failures:
            print(f"    {found.failures[0].said[:600]}", flush=True)
    examined = [(mutant, known[mutant.name]) for mutant in mutants]
    killed = [(mutant, found.failures[0]) for mutant, found in examined if found.failures]
    right = sum(failure.component == mutant.component for mutant, failure in killed)
    print(f"{len(killed)} of {len(examined)} bugs caught; for {right} the first failing check names the component")
    return examined


def _told(mutant: Mutant, found: Examination) -> str:
    if not found.failures:
        return f"{mutant.name:55} SURVIVED {len(found.checks)} checks"
    failure = found.failures[0]
    wrong = "" if failure.component == mutant.component else f"  (should name {mutant.component})"
    return f"{mutant.name:55} {failure.component}: {failure.check}{wrong}"


def examine_compositions(chosen: Sequence[str], jobs: int, known: Known) -> list[Examination]:
    """Check what is correct, printing a line for each composition."""
    for found in each_in_a_process(examine_correct, known.lacking(chosen), jobs):
        known.add(found.plugins, found)
        print(f"{found.plugins:60} {len(found.checks)} checks, {sum(found.seconds.values()):.1f} s", flush=True)
        for failure in found.failures:
            print(f"    FALSE ALARM {failure.check}, seed {failure.seed}: {failure.said[:400]}", flush=True)
    examined = [known[text] for text in chosen]
    print(f"{len(examined)} correct compositions, {sum(bool(found.failures) for found in examined)} accused")
    return examined


if __name__ == "__main__":
    typer.run(main)
