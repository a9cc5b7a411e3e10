"""The report of a sweep: its trials as a table and as CSV, the best values as TOML, and what to expect of them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from framework.assembly.assemble import assemble_tolerantly
from framework.config import Source
from framework.recording.files import replacing
from framework.search.definition import Definition
from framework.search.figures import draw_importances, draw_slices
from framework.search.ledger import Ledger, Trial, best_of
from framework.search.objective import OBJECTIVES
from framework.search.overstated import overstatement, scatter
from framework.search.sweep import value_text, values_text
from framework.study.report import padded
from framework.study.statistics import shown

if TYPE_CHECKING:
    from rich.table import Table

TOP = 10
"""Trials in the printed table."""

TRIALS, BEST, SUMMARY = "trials.csv", "best.toml", "summary.md"
IMPORTANCES, SLICES = "importances.png", "slices.png"


def write_report(folder: Path, definition: Definition) -> list[str]:
    """Write every file of the report for which there is something to say, and return their names."""
    ledger = Ledger(folder, definition)
    trials = ledger.trials()
    _write_csv(folder / TRIALS, definition, trials)
    written = [TRIALS, SUMMARY]
    best = best_of(trials)
    if best is not None:
        with replacing(folder / BEST) as temporary:
            temporary.write_text(best_toml(folder, definition, best), encoding="utf-8")
        importances = ledger.importances()
        draw_importances(importances, folder / IMPORTANCES)
        draw_slices(definition, trials, folder / SLICES)
        written += [BEST, IMPORTANCES, SLICES]
    page = [
        f"# {folder.resolve().name}",
        padded([columns(definition), ["---"] * len(columns(definition)), *rows(definition, ranked(trials))]),
        *remarks(definition, trials),
    ]
    if best is not None:
        page += [
            f"![The importance of each option]({IMPORTANCES})",
            f"![The objective of each trial against each option]({SLICES})",
        ]
    with replacing(folder / SUMMARY) as temporary:
        temporary.write_text("\n\n".join(page) + "\n", encoding="utf-8")
    return written


def best_toml(folder: Path, definition: Definition, best: Trial) -> str:
    """The whole configuration of the best trial as TOML, each option with where its value comes from."""
    label = f"trial {best.number} of {folder.resolve().name}"
    parts = assemble_tolerantly(
        definition.plugins,
        [
            Source("values of the sweep", definition.values, unread="refused"),
            Source(label, best.values, unread="refused"),
        ],
    )
    parts.close()
    seeds = f"{definition.seeds} seed{'s' if definition.seeds > 1 else ''}"
    objective = f"# {label}: {OBJECTIVES[definition.objective]} was {shown(best.value)} over {seeds}\n\n"
    return objective + parts.config.to_toml(parts.read)


def table(definition: Definition, trials: Sequence[Trial]) -> Table:
    """The best trials as a table of rich."""
    from rich.markup import escape
    from rich.table import Table

    found = Table(*map(escape, columns(definition)), box=None, padding=(0, 2, 0, 0))
    for row in rows(definition, ranked(trials)[:TOP]):
        found.add_row(*map(escape, row))
    return found


def columns(definition: Definition) -> list[str]:
    """The header of the table."""
    return ["trial", definition.objective, "of each seed", *definition.space]


def rows(definition: Definition, trials: Sequence[Trial]) -> list[list[str]]:
    """A row of text for each trial."""
    return [
        [
            str(trial.number),
            shown(trial.value) if trial.state == "complete" else trial.state,
            ", ".join(map(shown, trial.of_seeds)) or "–",
            *(value_text(trial.values[path]) for path in definition.space),
        ]
        for trial in trials
    ]


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The complete trials from the best on, then the others."""
    complete = [trial for trial in trials if trial.state == "complete"]
    others = [trial for trial in trials if trial.state != "complete"]
    return [*sorted(complete, key=lambda trial: (-(trial.value or 0.0), trial.number)), *others]


def remarks(definition: Definition, trials: Sequence[Trial]) -> Iterator[str]:
    """What a reader of the table must know."""
    seeds = "over one seed" if definition.seeds == 1 else f"over {definition.seeds} seeds"
    yield f"{definition.objective}: {OBJECTIVES[definition.objective]}; the mean {seeds}. Larger is better."
    counts = Counter(trial.state for trial in trials)
    yield f"{len(trials)} trials: " + ", ".join(f"{count} {state}" for state, count in counts.items()) + "."
    reasons = Counter(trial.reason for trial in trials if trial.state == "failed")
    for reason, count in reasons.most_common(3):
        yield f"Failed ({count}): {reason}"
    best = best_of(trials)
    if best is not None:
        yield f"Best: trial {best.number}, {shown(best.value)} with {values_text(best)}."
        yield overstated(trials)


def overstated(trials: Sequence[Trial]) -> str:
    """A sentence about how much the best trial overstates."""
    complete = [trial.of_seeds for trial in trials if trial.state == "complete"]
    competed = sum(trial.state in ("complete", "pruned") for trial in trials)
    if competed < 2:
        return "One trial alone is not a choice, so its value overstates nothing."
    sigma, excess = scatter(complete), overstatement(complete, competed)
    advice = "--confirm 5 measures the best values, and the defaults, with fresh seeds."
    if sigma is None or excess is None:
        return (
            f"The best of {competed} trials was also lucky, so its value is too high. By how much is unknown, because "
            f"each trial has one seed: use --seeds 2 or more. {advice}"
        )
    if sigma == 0:
        return f"All seeds of each trial gave the same value, so luck between seeds made no trial look better. {advice}"
    seeds = len(complete[0])
    return (
        f"The best of {competed} trials was also lucky, so its value is too high. If all of them were equally good, "
        f"the best would still show {shown(excess)} too much, on average (the standard deviation between seeds is "
        f"{shown(sigma)}, with {seeds} seeds a trial). A lead of less than that means little. {advice}"
    )


def _write_csv(path: Path, definition: Definition, trials: Sequence[Trial]) -> None:
    seeds = [f"seed {definition.seed + number}" for number in range(definition.seeds)]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", definition.objective, *seeds, *definition.space, "reason"])
        for trial in trials:
            of_seeds = [*trial.of_seeds, *[""] * (len(seeds) - len(trial.of_seeds))]
            value = trial.value if trial.state == "complete" else ""
            values = [trial.values[path] for path in definition.space]
            writer.writerow([trial.number, trial.state, value, *of_seeds, *values, trial.reason])
