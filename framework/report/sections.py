"""What a page says of an arm, gathered from the folders of its runs and ready to be laid out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from framework.comparison.compare import Comparison
from framework.comparison.differences import Difference, differences
from framework.comparison.gathering import ComparedArm
from framework.comparison.measures import MeasuredArm
from framework.comparison.recorded import RecordedRun, option_sources
from framework.recording.drawing import picture_of
from framework.report.checked import Checked, checked, command_for
from framework.report.film import Strip, best_run, film_strip, png_uri
from framework.report.interactive import Figure
from framework.report.interactive import panels_figure as interactive_figure
from framework.report.series import panels
from framework.report.static import panels_figure as static_figure
from framework.study.progress import OUTPUT_LINES
from framework.study.statistics import shown

DEFAULT = "default"
"""The source of an option that nobody set, in config.toml."""

COMMANDS = ("__main__.py", "child.py", "pluggable-q")
"""The files that start the command line."""

FIGURE_DPI = 110


@dataclass(frozen=True)
class File:
    """A file of a run, and a link to it that is relative to the page."""

    name: str
    link: str


@dataclass(frozen=True)
class RunLine:
    """A run in the table of an arm."""

    name: str
    folder: str
    state: str
    numbers: tuple[str, ...]
    """Final, best and area."""
    files: tuple[File, ...]


@dataclass(frozen=True)
class Unfinished:
    """A run of a study that is not complete, and the end of what it printed."""

    folder: str
    output: str


@dataclass(frozen=True)
class Option:
    """An option that something else than the default set."""

    path: str
    value: str
    source: str


@dataclass(frozen=True)
class ArmSection:
    """Everything about an arm. An arm without a complete run has nothing but `unfinished`."""

    label: str
    unfinished: tuple[Unfinished, ...]
    runs: tuple[RunLine, ...] = ()
    command: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    slots: tuple[tuple[str, str], ...] = ()
    plugins: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    options: tuple[Option, ...] = ()
    differing: tuple[Difference, ...] = ()
    """What is not the same in all runs of the arm."""
    missing_curves: tuple[str, ...] = ()
    figure: Figure | None = None
    picture: str = ""
    """The same curves as a data URI."""
    film: Strip | None = None
    """None if no film was asked for."""
    checked: Checked | None = None
    """None if no check was asked for."""
    check_command: str = ""

    @property
    def option_rows(self) -> list[tuple[str, str, str]]:
        """The options as rows of a table."""
        return [(each.path, each.value, each.source) for each in self.options]

    @property
    def differing_rows(self) -> list[tuple[str, ...]]:
        """What is not the same in all runs, as rows of a table."""
        return [(each.kind, each.name, *each.values) for each in self.differing]


def empty_section(arm: ComparedArm) -> ArmSection:
    """An arm without a complete run."""
    return ArmSection(arm.label, _unfinished(arm))


def section_of(arm: MeasuredArm, comparison: Comparison, page: Path, *, film: bool, check: bool) -> ArmSection:
    """Gather everything about an arm. Films and checks run its plugins; nothing else does.

    Args:
        page: where the page is written; links are relative to its folder.
        film: play an episode with the best agent.
        check: run the checks of the composition.

    Raises:
        UsageError: if a file of a run cannot be read.
    """
    first = arm.arm.runs[0]
    drawn = panels(arm, comparison)
    still = static_figure(drawn, comparison.axis.label)
    names = arm.arm.names_of_runs()
    return ArmSection(
        label=arm.label,
        unfinished=_unfinished(arm.arm),
        runs=tuple(
            RunLine(name, str(run.folder), run.state(), _numbers(values), tuple(_files(run.folder, page)))
            for name, run, values in zip(names, arm.arm.runs, arm.runs, strict=True)
        ),
        command=_command(first),
        versions=_pairs({**first.told("versions"), **first.told("machine")}),
        slots=_pairs(first.told("slots")),
        plugins=", ".join(map(str, first.manifest.get("plugins") or first.plugins)),
        environment=_pairs(
            {key: first.manifest[key] for key in ("observations", "actions") if key in first.manifest}
            | dict(first.told("environment"))
        ),
        options=tuple(_options(first)),
        differing=tuple(differences([arm.arm])),
        missing_curves=tuple(panel.missing for panel in drawn if not panel.lines),
        figure=interactive_figure(drawn, comparison.axis.label),
        picture=png_uri(picture_of(still, "png", FIGURE_DPI)) if still else "",
        film=film_strip(best_run(arm)) if film else None,
        checked=checked(first) if check else None,
        check_command=command_for(first.options.get("run.plugins", ())),
    )


def _unfinished(arm: ComparedArm) -> tuple[Unfinished, ...]:
    return tuple(Unfinished(str(run), _output_tail(run)) for run in arm.unfinished)


def _output_tail(run: Path) -> str:
    """The last lines that a run of a study printed; empty if there is no such file."""
    try:
        text = run.with_name(f"{run.name}.output.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-OUTPUT_LINES:])


def _numbers(values: Any) -> tuple[str, ...]:
    return tuple(shown(getattr(values, measure)) for measure in ("final", "best", "area"))


def _command(run: RecordedRun) -> str:
    given = run.manifest.get("command")
    if not isinstance(given, list) or not given:
        return ""
    program, *words = map(str, given)
    start = "python -m framework" if Path(program).name in COMMANDS else shlex.quote(program)
    return " ".join([start, shlex.join(words)])


def _pairs(told: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in told.items())


def _options(run: RecordedRun) -> Iterator[Option]:
    for path, source in option_sources(run.folder).items():
        if source != DEFAULT:
            value = ", ".join(run.plugins) if path == "run.plugins" else str(run.options.get(path, "(not set)"))
            yield Option(path, value, source)


def _files(run: Path, page: Path) -> Iterator[File]:
    """The files of a run that people open, without those of checkpoints and hidden ones."""
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run)
        if path.is_file() and name.parts[0] != "checkpoints" and not any(part.startswith(".") for part in name.parts):
            # names that are no text of this system are shown with replacements, and their links still lead there
            yield File(os.fsencode(name.as_posix()).decode(errors="replace"), _link(path, page))


def _link(path: Path, page: Path) -> str:
    """A relative link, so that page and runs may be moved together. Its first part is no scheme."""
    relative = os.path.relpath(path.resolve(), page.resolve().parent)
    return quote(os.fsencode(f"./{Path(relative).as_posix()}"))
