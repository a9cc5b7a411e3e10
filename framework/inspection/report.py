"""Everything that the command `inspect` finds out about an agent, and the files that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from framework.assembly.parts import Agent
from framework.errors import UsageError
from framework.inspection.galleries import COLUMNS, draw_mistakes, draw_visits, row_of, shown, write_mistakes
from framework.inspection.heatmaps import draw_table
from framework.inspection.replayed import Contents, contents_of
from framework.inspection.saliency import image_leaf
from framework.inspection.tables import Table, table_of
from framework.recording.drawing import save_figure

SHOWN = 10
"""How many observations and transitions of the replay are listed."""


@dataclass(frozen=True)
class Question:
    """What is looked at, and how much of it."""

    agent: Agent
    run: Path
    """The run folder."""
    name: str
    """What titles of pictures call the run and its weights."""
    pictures: int
    """The most pictures of the film; 0: no film."""
    transitions: int
    """The most transitions of the replay that are read; 0: none."""
    seed: int
    """Another seed gives another episode for the film."""


def report(question: Question, folder: Path) -> Iterator[str]:
    """Look inside an agent, and write into a folder. Yield a line for each finding and each file.

    Everything is read before the first file is written. The folder is created then, if it is missing.

    Raises:
        UsageError: if the run's checkpoints or its environment do not fit, or the folder cannot be created.
        FrameworkError: if a file cannot be written.
    """
    agent = question.agent
    table = table_of(agent)
    contents, remarks = None, list[str]()
    if question.transitions:
        contents, remarks = contents_of(agent, question.run, question.transitions, SHOWN)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder '{folder}' cannot be created: {error.strerror}") from error
    yield from remarks
    if table is not None:
        path = save_figure(draw_table(table, agent.spaces, question.name), folder / "values.png")
        yield from _about_table(table)
        yield f"wrote {path}"
    elif question.pictures:
        yield from _film(question, folder)
    if contents is not None:
        yield from _about_replay(contents, question, folder)


def _about_table(table: Table) -> Iterator[str]:
    if table.masked:
        yield "values: best actions are not marked, because a state's number does not tell which actions are allowed"
    if len(table.states) < table.count:
        yield f"values: the first {len(table.states):,} of {table.count:,} states are drawn"
    if table.exact is None:
        yield f"values: no exact optimum beside them: {table.why_not}"
    else:
        labels = table.board.labels if table.board is not None else {}
        rows = [row for row, state in enumerate(table.states.tolist()) if state not in labels]
        error = abs(table.values[rows] - table.exact[rows]).max(initial=0.0)
        yield f"values: largest difference from the exact optimum {error:.3g} (γ = {table.gamma:g})"


def _film(question: Question, folder: Path) -> Iterator[str]:
    from framework.inspection.film import draw_film, frames_of, write_film

    try:
        frames = frames_of(question.agent, question.pictures, question.seed)
    except UsageError as error:
        yield f"film: none, because {error}"
        return
    last = frames[-1].moment
    path = write_film(draw_film(question.agent, frames), last.rate, folder, "film")
    if last.decision is not None:
        yield f"film: the first {len(frames):,} pictures of an episode; --pictures {2 * len(frames)} shows more"
    yield f"wrote {path} ({len(frames)} pictures, return {last.total:g})"


def _about_replay(contents: Contents, question: Question, folder: Path) -> Iterator[str]:
    spaces = question.agent.spaces
    part = (
        f"the newest {contents.read:,} of {contents.held:,}" if contents.read < contents.held else f"{contents.held:,}"
    )
    yield f"replay: {part} transitions, at step {contents.env_steps:,}"
    figure = draw_visits(contents, spaces, question.name)
    if image_leaf(spaces) is None:
        yield "most frequent observations"
        for visit in contents.visits:
            yield f"  {visit.count:>7,} × {shown(visit.obs)}"
    if figure is not None:
        yield f"wrote {save_figure(figure, folder / 'visits.png')}"
    if not contents.mistakes:
        yield "every transition is predicted exactly: no temporal-difference error but 0"
        return
    yield "largest temporal-difference errors, under these weights: reward + discount · max Q(s′, ·) − Q(s, a)"
    rows = [COLUMNS, *(row_of(one, spaces, digits=4) for one in contents.mistakes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield f"wrote {write_mistakes(folder / 'mistakes.csv', contents, spaces)}"
    figure = draw_mistakes(contents, spaces, question.name)
    if figure is not None:
        yield f"wrote {save_figure(figure, folder / 'mistakes.png')}"
