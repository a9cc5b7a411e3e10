"""Plants every bug, runs every check on it, and prints which check kills which bug.

    python -m tests.mutants                    all of them; from the root of the checkout
    python -m tests.mutants NAME … --first     these, each until the first check that fails

Each bug is planted in a process of its own, forked from one that has imported the large libraries.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.mutants.mutant import Mutant, all_mutants, plant


class Hung(Exception):
    """A check took longer than it may."""


def examine(task: tuple[Mutant, bool]) -> dict[str, Any]:
    """Plant one bug in this process and run the checks."""
    mutant, first_only = task
    plant(mutant)
    from framework.conformance.catalogue import collect
    from framework.conformance.running import described, run_check
    from framework.conformance.subject import Subject

    def hang(number: int, frame: object) -> None:
        raise Hung("the check hung")

    signal.signal(signal.SIGALRM, hang)
    began = time.perf_counter()
    killers: list[tuple[str, str, str]] = []
    ran = 0
    try:
        subject = Subject(tuple(mutant.plugins.split(",")))
        checks = collect(subject.plugins)
        for check in checks:
            signal.alarm(int(check.seconds))
            found = run_check(check, subject)
            signal.alarm(0)
            ran += found.verdict != "not applicable"
            if found.verdict == "failed":
                detail = found.why or f"{found.example}: expected {found.expected}, got {found.got}"
                killers.append((found.component, found.check, detail))
                if first_only:
                    break
    except Exception as error:
        killers.append(("(harness)", "(harness)", described(error)))
    return {
        "mutant": mutant.name,
        "component": mutant.component,
        "row": mutant.row,
        "plugins": mutant.plugins,
        "killers": killers,
        "ran": ran,
        "seconds": time.perf_counter() - began,
    }


def main() -> None:
    """Parse the arguments, examine, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="bugs, or parts of their names; default all")
    parser.add_argument("--first", action="store_true", help="stop at the first check that fails")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write what was found here, too")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what the first failing check said")
    options = parser.parse_args()
    mutants = [m for m in all_mutants() if not options.names or any(name in m.name for name in options.names)]
    _preload()
    results = []
    context = multiprocessing.get_context("fork")
    with context.Pool(options.jobs, maxtasksperchild=1) as pool:
        for result in pool.imap(examine, [(mutant, options.first) for mutant in mutants], chunksize=1):
            results.append(result)
            killers = result["killers"]
            first = f"{killers[0][0]}/{killers[0][1]}" if killers else "SURVIVED"
            named = "" if killers and killers[0][0] == result["component"] else f"  (should name {result['component']})"
            print(f"{result['mutant']:50} {first}{named}  {len(killers)} of {result['ran']}, {result['seconds']:.1f} s")
            if options.verbose and killers:
                print(f"    {killers[0][2][:600]}")
            sys.stdout.flush()
    killed = [result for result in results if result["killers"]]
    right = [result for result in killed if result["killers"][0][0] == result["component"]]
    print(f"{len(killed)} of {len(results)} bugs caught; the first failing check names the component of {len(right)}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    sys.exit(0 if len(killed) == len(results) else 1)


def _preload() -> None:
    """Import what no bug is planted in."""
    import gymnasium.vector
    import hypothesis.strategies
    import matplotlib
    import pydantic
    import scipy.stats
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
