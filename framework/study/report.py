"""The report of a study: a table of its arms, the results of every run as CSV, and the plots."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from framework.recording.files import replacing
from framework.study.figures import draw_curves, draw_summary
from framework.study.results import RunResult
from framework.study.statistics import Estimate, Summary, shown, summarise

DEFINITIONS = (
    "Final return: the mean raw return of the last 100 training episodes. Area under the curve: that running mean, "
    "averaged over the run's environment steps. The table shows every seed, the interquartile mean and, with at least "
    "three seeds, its 95 % percentile bootstrap interval. In the first plot, a point is a seed, a tick the "
    "interquartile mean and a bar its interval. In the second plot, a thin line is a seed, and the thick line is their "
    "interquartile mean. The dotted lines show the first arm."
)

NORMALISED = (
    "Human-normalised: the mean return of the last evaluation, on a scale on which the published score of a random "
    "agent is 0 and that of a human 1."
)

LENGTHS_DIFFER = 1.01
"""The report has a remark if the longest run is more than this many times as long as the shortest."""


def write_report(results: Sequence[RunResult], folder: Path, notes: Sequence[str] = ()) -> list[Path]:
    """Write results.csv, summary.md, study.png and curves.png, and return their paths.

    Args:
        results: the results of at least one run.
        folder: the study folder.
        notes: further lines for summary.md.
    """
    summaries = summarise(results)
    page = [
        f"# {folder.resolve().name}",
        markdown_table(summaries),
        DEFINITIONS,
        *(f"- {note}" for note in (*remarks(results), *notes)),
        "![Final return and area under the curve of each arm](study.png)",
        "![The running mean return of each arm against environment steps](curves.png)",
    ]
    with replacing(folder / "summary.md") as temporary:
        temporary.write_text("\n\n".join(page) + "\n", encoding="utf-8")
    return [
        write_table(results, folder),
        folder / "summary.md",
        draw_summary(summaries, folder / "study.png"),
        draw_curves(summaries, folder / "curves.png"),
    ]


def write_table(results: Sequence[RunResult], folder: Path) -> Path:
    """Write results.csv, with a row for each of the runs (at least one), and return its path."""
    path = folder / "results.csv"
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        rows = [result.row() for result in results]
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def markdown_table(summaries: Sequence[Summary]) -> str:
    """A table with one row for each arm. Its columns are padded, so that it is readable in a terminal, too."""
    evaluated = any(summary.evaluation is not None for summary in summaries)
    normalised = any(summary.human_normalised is not None for summary in summaries)
    header = ["arm", "final return", "of each seed", "area under the curve", "of each seed"]
    if evaluated:
        header += ["last evaluation", "of each seed"]
    if normalised:
        header += ["human-normalised", "of each seed"]
    rows = [header, ["---"] * len(header)]
    for summary in summaries:
        runs = summary.runs
        row = [summary.arm, str(summary.final), _each(run.final for run in runs)]
        row += [str(summary.area), _each(run.area for run in runs)]
        if evaluated:
            row += [_or_dash(summary.evaluation), _each(run.evaluation for run in runs)]
        if normalised:
            row += [_or_dash(summary.human_normalised), _each(run.human_normalised for run in runs)]
        rows.append(row)
    return padded(rows)


def padded(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as a table of Markdown. A bar in a cell is escaped, and line breaks become spaces.

    Args:
        rows: the first is the header, the second its rule of dashes; all of one length.
    """
    rows = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    header = rows[0]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def remarks(results: Sequence[RunResult]) -> list[str]:
    """What a reader of these results must know."""
    explained = [NORMALISED] if any(result.human_normalised is not None for result in results) else []
    shortest, longest = (pick(result.steps for result in results) for pick in (min, max))
    if longest > LENGTHS_DIFFER * shortest:
        return [
            *explained,
            f"The runs are {shortest:,} to {longest:,} environment steps long, so their areas under the curve are "
            "averages over different lengths: end runs by --steps to compare them.",
        ]
    return explained


def _each(values: Iterable[float | None]) -> str:
    return ", ".join(shown(value) for value in values)


def _or_dash(given: Estimate | None) -> str:
    return "–" if given is None else str(given)
