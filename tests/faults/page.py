"""Writes docs/results/reliability.md from what was measured."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.faults.corruption import Tally
from tests.faults.injection import Injected

PAGE = Path(__file__).parents[2] / "docs" / "results" / "reliability.md"


@dataclass(frozen=True)
class Measured:
    """The figures of the page. `kills` are (kills, runs); `costs` is a table as benchmarks/ prints it."""

    command: str
    seed: int
    kills: tuple[int, int]
    injected: Sequence[Injected]
    tally: Tally
    files: int
    costs: str


def write_page(measured: Measured) -> None:
    """Write the page."""
    PAGE.write_text("\n\n".join(_sections(measured)) + "\n", encoding="utf-8")


def _sections(measured: Measured) -> list[str]:
    struck = [one for one in measured.injected if one.struck]
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "safetensors", "gymnasium", "torch"))
    kills, runs = measured.kills
    return [
        "# What a run survives",
        f"Written by `{measured.command}` (`tox -e faults`), seed {measured.seed}. Every row is a number of tries, of "
        "which none ended otherwise than the row says: the command stops at the first that does.",
        "| what was done | times | what came of it |\n| --- | ---: | --- |\n"
        f"| `kill -9` at a random moment, saves included; the run is taken up again, {runs} runs in all | {kills} "
        "| the newest checkpoint is whole; in the end the metrics and weights of the run that nothing happened to |\n"
        f"| a call of the system fails or kills the process, each that a resumed run with saves makes | {len(struck)} "
        "| no checkpoint is damaged; the process says `error: …` or is unharmed; taken up again, the same weights |\n"
        f"| a file of a run is damaged | {measured.tally.outcomes.total():,} | refused by the file's name, made good "
        "from the checkpoint before, or of no consequence; never other weights, code run or memory without bound |\n"
        f"| a file is made up, led by the lines that it reaches (atheris) | {measured.files:,} | refused, or read as "
        "what it says; nothing else is raised, hangs or takes more than 1.5 GB |",
        f"Python {platform.python_version()}, {packages}; {platform.system()}, {platform.machine()}.",
        "## Calls of the system that fail",
        "`strace` makes the k-th call of a kind fail, for every k, whichever library makes it. Exit code 0 is a "
        "process that could do without the call, as without a hard link.",
        _injected(struck),
        "## Damage",
        _counted("what was done to one file", measured.tally.kinds),
        _counted("what became of the run", measured.tally.outcomes),
        "Of every damaged folder the agent is loaded, too (`evaluate`, `watch`): it is the one that was saved, or "
        "refused.",
        "## What a checkpoint costs",
        "```\n"
        + measured.costs.strip()
        + "\n```\n\nThe foot says how busy the machine was; figures of an idle one are in "
        "[Checkpoints](../checkpoints.md).",
        "## What is not promised",
        "`kill -9` and failing calls prove that a save is atomic: the old checkpoint or the new one. They do not prove "
        "that it outlives a loss of power, as a page that the system holds is lost then. What the syncs do about it: "
        "each file is synced before its name is given, the folder before `LATEST` is replaced, and `LATEST` itself, so "
        "that a disk which does what it says has all of it or the checkpoint before. A disk, or a virtual machine, "
        "that answers before it has written can lose the last checkpoints; what is left of them is refused, not "
        "loaded. What else is not promised stands in [Checkpoints](../checkpoints.md).",
    ]


def _injected(struck: Sequence[Injected]) -> str:
    hows = list(dict.fromkeys(one.fault.how for one in struck))
    calls = list(dict.fromkeys(one.fault.call for one in struck))
    lines = [f"| call | {' | '.join(hows)} |", f"| --- |{' ---: |' * len(hows)}"]
    for call in calls:
        cells = []
        for how in hows:
            codes = Counter(one.code for one in struck if (one.fault.call, one.fault.how) == (call, how))
            done = codes.pop(0, 0)
            cells.append(f"{codes.total()} ended, {done} went on" if done else f"{codes.total()} ended")
        lines.append(f"| `{call}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _counted(what: str, counts: Counter[str]) -> str:
    rows = [f"| {name} | {count:,} |" for name, count in sorted(counts.items(), key=lambda item: -item[1])]
    return "\n".join([f"| {what} | times |", "| --- | ---: |", *rows])
