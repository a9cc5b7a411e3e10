"""Measures the harness: plants every bug and sees whether it is caught, and whether anything correct is accused.

python -m tests.mutants                    all bugs; from the root of the checkout
python -m tests.mutants NAME … --first     these bugs, each until the first check that fails
python -m tests.mutants --correct          every correct composition, statistics under 20 seeds
python -m tests.mutants --page             both, whole, and docs/results/harness.md from what was found
"""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from tests.mutants.correct_compositions import COMPOSITIONS
from tests.mutants.examination import Examination, each_in_a_process, examine_correct, examine_mutant
from tests.mutants.mutant import Mutant, all_mutants


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Parts of the names of bugs; default all.")] = None,
    first: Annotated[bool, typer.Option("--first", help="Stop at the first check that fails.")] = False,
    correct: Annotated[bool, typer.Option("--correct", help="Correct compositions in the place of bugs.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Bugs and correct compositions, and write the page.")] = False,
    verbose: Annotated[bool, typer.Option("-v", help="Show what the first failing check said.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 2,
) -> None:
    """Exit code 0 if every bug was caught and nothing correct was accused, else 1."""
    began = time.monotonic()
    bugs = [] if correct else examine_bugs(names or [], first, verbose, jobs)
    middle = time.monotonic()
    accused = examine_compositions(names or [] if correct else [], jobs) if correct or page else []
    if page:
        from tests.mutants.page import write_page

        write_page(bugs, accused, (middle - began, time.monotonic() - middle))
    good = all(found.failures for _, found in bugs) and not any(found.failures for found in accused)
    sys.exit(0 if good else 1)


def examine_bugs(names: list[str], first: bool, verbose: bool, jobs: int) -> list[tuple[Mutant, Examination]]:
    """Plant the bugs, printing a line for each."""
    mutants = [mutant for mutant in all_mutants() if not names or any(name in mutant.name for name in names)]
    results = []
    for mutant, found in each_in_a_process(examine_mutant, [(mutant, first) for mutant in mutants], jobs):
        results.append((mutant, found))
        if not found.failures:
            print(f"{mutant.name:55} SURVIVED {len(found.checks)} checks", flush=True)
            continue
        failure = found.failures[0]
        wrong = "" if failure.component == mutant.component else f"  (should name {mutant.component})"
        count = "" if first else f"  {len(found.failures)} of {len(found.checks)} fail"
        print(f"{mutant.name:55} {failure.component}: {failure.check}{wrong}{count}", flush=True)
        if verbose:
            print(f"    {failure.said[:600]}", flush=True)
    killed = [(mutant, found.failures[0]) for mutant, found in results if found.failures]
    right = sum(failure.component == mutant.component for mutant, failure in killed)
    print(f"{len(killed)} of {len(results)} bugs caught; for {right} the first failing check names the component")
    return results


def examine_compositions(names: list[str], jobs: int) -> list[Examination]:
    """Check what is correct, printing a line for each composition."""
    wanted = [text for text in COMPOSITIONS if not names or any(name in text for name in names)]
    results = []
    for found in each_in_a_process(examine_correct, wanted, jobs):
        results.append(found)
        seconds = sum(found.seconds.values())
        print(f"{found.plugins:60} {len(found.checks)} checks, {seconds:.1f} s", flush=True)
        for failure in found.failures:
            print(f"    FALSE ALARM {failure.check}, seed {failure.seed}: {failure.said[:400]}", flush=True)
    accused = sum(bool(found.failures) for found in results)
    print(f"{len(results)} correct compositions, {accused} accused")
    return results


if __name__ == "__main__":
    typer.run(main)
