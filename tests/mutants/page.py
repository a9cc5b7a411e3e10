"""Writes docs/results/harness.md from what was measured."""

from __future__ import annotations

import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tests.mutants.correct_compositions import COMPOSITIONS, CORRECT
from tests.mutants.examination import SEEDS, Examination
from tests.mutants.mutant import Mutant, all_mutants
from tests.mutants.timing import Timing

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results" / "harness.md"

WHOLE, COMPONENT = 60.0, 10.0
"""Seconds that a composition and a component may take on two cores."""

Results = Sequence[tuple[Mutant, Examination]]


def write_page(bugs: Results, correct: Sequence[Examination], timings: Sequence[Timing], commit: str) -> None:
    """Write the page. `commit` is the commit that was measured."""
    PAGE.write_text("\n\n".join(_sections(bugs, correct, timings, commit)) + "\n", encoding="utf-8")


def measured_commit() -> str:
    """The commit of this checkout at the start; "unknown" without git."""
    try:
        command = ["git", "describe", "--always", "--dirty"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _sections(bugs: Results, correct: Sequence[Examination], timings: Sequence[Timing], commit: str) -> list[str]:
    caught = [(mutant, found.failures[0]) for mutant, found in bugs if found.failures]
    right = sum(failure.component == mutant.component for mutant, failure in caught)
    accused = sum(bool(found.failures) for found in correct)
    independent = sum(str(CORRECT) in found.plugins for found in correct)
    longest = max(timings, key=lambda timing: timing.whole)
    slowest = max(timings, key=lambda timing: timing.alone)
    everything = sum(sum(found.seconds.values()) + found.again for found in correct)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "gymnasium", "hypothesis", "numpy"))
    return [
        "# How good the harness is",
        "Written by `python -m tests.mutants --page` (`tox -e mutants`), from the root of a checkout. A *bug* is a few "
        "lines of the project's own code, exchanged while they are imported; half of them re-enact one of a public "
        "project, which the table of bugs names; of the others, *not in the catalogue*, no report is known. Each is "
        "planted in a process of its own, and every check that there is for the composition is run on it, up to the "
        "end of the component that is the first to have one that fails. Where fewer bugs were planted than there are, "
        "they are an even sample (`--every`). [How it does with bugs that nobody chose](harness-unseen.md).",
        "| what | measured | wanted |\n| --- | ---: | ---: |\n"
        f"| bugs planted, of {len(all_mutants())} that there are | {len(bugs)} | ≥ 100 |\n"
        f"| bugs caught | {len(caught)} | all |\n"
        f"| … and the first failing check names the right component | {right} ({100 * right / len(bugs):.0f} %) "
        "| 95 % |\n"
        f"| correct compositions, of {len(COMPOSITIONS)} | {len(correct)} | |\n"
        f"| … of them written independently | {independent} | ≥ 5 |\n"
        f"| … accused by any check (those with statistics under {SEEDS} seeds) | {accused} | 0 |\n"
        f"| longest composition, by `check` | {longest.whole:.0f} s (`{longest.plugins}`) | {WHOLE:.0f} s |\n"
        f"| longest component, by `check --component` | {slowest.alone:.1f} s ({slowest.component} of "
        f"`{slowest.plugins}`) | {COMPONENT:.0f} s |\n"
        f"| all correct compositions under all seeds, two cores | {everything / 120:.0f} min | 30 min |",
        f"Commit `{commit}`; Python {platform.python_version()}, {packages}; {platform.machine()}, two cores. Checks "
        "and bugs that are younger are not on this page.",
        "## Which check kills how many bugs",
        _by_check(bugs, correct),
        "## Which bug is killed by what",
        _by_bug(bugs),
        "## Correct compositions",
        _by_composition(correct),
    ]


def _named(found: Examination) -> str:
    return found.plugins.replace(f"{CORRECT}/", "")


def _by_check(bugs: Results, correct: Sequence[Examination]) -> str:
    killed = Counter(check for _, found in bugs for check in {failure.check for failure in found.failures})
    alone = Counter(
        next(iter(checks)) for _, found in bugs if len(checks := {failure.check for failure in found.failures}) == 1
    )
    ran = Counter(check for found in correct for check in found.checks)
    lines = [
        "*Alone*: bugs that no other check of its component catches. *Correct*: compositions without bugs to which it "
        "applies. A check without a number either is of a component that comes after others which caught its bugs, or "
        "its bugs are not in the sample.",
        "",
        "| check | kills | alone | correct |\n| --- | ---: | ---: | ---: |",
        *(
            f"| `{check}` | {killed[check]} | {alone[check] or ''} | {ran[check]} |"
            for check in sorted({*killed, *ran}, key=lambda check: (-killed[check], check))
        ),
    ]
    return "\n".join(lines)


def _by_bug(bugs: Results) -> str:
    lines = [
        "| bug | where | re-enacts | first failing check | and then | checks |\n| --- | --- | --- | --- | --- | ---: |"
    ]
    for mutant, found in bugs:
        first = f"{found.failures[0].component}: `{found.failures[0].check}`" if found.failures else "**none**"
        mark = "" if found.failures and found.failures[0].component == mutant.component else " (!)"
        lines.append(
            f"| {mutant.name.replace('_', ' ')} | {mutant.component}{mark} | {mutant.row} | {first} "
            f"| {', '.join(f'`{failure.check}`' for failure in found.failures[1:])} | {len(found.checks)} |"
        )
    return "\n".join(lines)


def _by_composition(correct: Sequence[Examination]) -> str:
    lines = ["| composition | checks that apply | failed |\n| --- | ---: | ---: |"]
    for found in correct:
        failed = ", ".join(sorted({failure.check for failure in found.failures})) or "0"
        lines.append(f"| `{_named(found)}` | {len(found.checks)} | {failed} |")
    return "\n".join(lines)
