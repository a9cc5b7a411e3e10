"""The command `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from framework.cli.recorded.compare import AxisOption, CurveOption, PlacesArgument, ThresholdOption


def report(
    places: PlacesArgument,
    to: Annotated[Path, typer.Option(help="The page to write: a .html.")] = Path("report.html"),
    x: AxisOption = "steps",
    of: CurveOption = "return",
    threshold: ThresholdOption = None,
    film: Annotated[
        bool,
        typer.Option(
            "--film/--no-film",
            help="Play an episode with the best agent of each arm and show pictures of it. This runs the plugins of "
            "the runs; all else only reads files.",
        ),
    ] = True,
    check: Annotated[
        bool, typer.Option("--check", help="Run the command 'check' on each composition: seconds to minutes.")
    ] = False,
) -> None:
    """Write a page about runs or studies: one HTML file of about 5 MB that opens from the disk, without a network.

    For each arm: its runs, curves of return, evaluation, loss, ε and speed, a film strip of the best agent, the plugin
    in each slot, options and where their values came from, the command, versions, and links to the files. Several arms
    are compared first, as 'compare' does it.

    Curves can be zoomed, and each seed can be switched off. A browser without scripts shows pictures of the curves.

    Needs the libraries of the extra 'report': pip install 'pluggable-q\\[report]'.

    Examples:

      python -m framework report runs/first

      python -m framework report runs/ablation --to ablation.html --threshold 1.9 --no-film

      python -m framework report runs/mine --check
    """
    from framework.comparison.compare import compare
    from framework.recording.files import require_place
    from framework.report.page import require_libraries, write_page
    from framework.report.sections import empty_section, section_of

    require_place("--to", to, (".html", ".htm"))
    require_libraries()
    found = compare(places, x=x, what=of, threshold=threshold)
    for warning in found.warnings:
        typer.echo(f"warning: {warning}", err=True)
    sections = []
    for arm in found.arms:
        typer.echo(f"{arm.label}: {len(arm.runs)} run{'' if len(arm.runs) == 1 else 's'}", err=True)
        sections.append(section_of(arm, found, to, film=film, check=check))
    sections += [empty_section(arm) for arm in found.empty]
    size = write_page(found, sections, to)
    for section in sections:
        if section.film is not None and section.film.missing:
            typer.echo(f"note: no film of {section.label}: {section.film.missing}")
    for note in found.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"wrote {to} ({size / 1e6:.1f} MB)")
