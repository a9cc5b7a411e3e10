"""The command `compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from framework.comparison.compare import Comparison

PlacesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN_OR_STUDY…",
        help="Folders: of runs, of studies (all their arms), of an arm of a study, or of a single seed of one.",
        show_default=False,
    ),
]
AxisOption = Annotated[
    str,
    typer.Option(
        "--x",
        help="What curves are drawn against: steps (of the environment), frames, or hours (of training by the clock, "
        "without evaluations).",
    ),
]
CurveOption = Annotated[
    str,
    typer.Option(
        "--of",
        help="What curves show: return (the mean of the last 100 training episodes) or evaluation.",
        metavar="TEXT",
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(help="A return: also measure when each run first reaches it.", show_default=False),
]


def compare(
    places: PlacesArgument,
    to: Annotated[Path, typer.Option(help="The picture to write: a .png or .svg.")] = Path("comparison.png"),
    x: AxisOption = "steps",
    of: CurveOption = "return",
    threshold: ThresholdOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with all runs and all pairs of arms.")
    ] = False,
) -> None:
    """Compare runs, studies, arms and single seeds: one picture, one table, and what differs between them.

    Single runs with the same plugins and options make one arm; a study keeps its arms. In the picture, a thin line is a
    seed, a thick one the interquartile mean of an arm's seeds, and a band its 95 % bootstrap interval.

    The table has the last, best and average return of each arm, the probability that a run of it is better than one of
    the first arm, and with --threshold the time to a return. Below it stands what differs between the arms: slots,
    options, the protocol of the environment, versions. Other environments or protocols are warned of first.

    Only files are read, and no plugin is run, so a comparison needs none of the plugins.

    Examples:

      python -m framework compare runs/first runs/second

      python -m framework compare runs/ablation runs/mine/seed-0 --threshold 18 --to curves.svg

      python -m framework compare runs/dqn runs/pqn --x hours --of evaluation --json
    """
    from framework.comparison.compare import compare as compare_places
    from framework.comparison.figures import figure_of
    from framework.comparison.tables import to_json
    from framework.recording.drawing import picture_of
    from framework.recording.files import replacing, require_place

    require_place("--to", to, (".png", ".svg"))
    found = compare_places(places, x=x, what=of, threshold=threshold)
    for warning in found.warnings:
        typer.echo(f"warning: {warning}", err=True)
    picture = picture_of(figure_of(found), to.suffix[1:].lower())
    with replacing(to) as temporary:
        temporary.write_bytes(picture)
    if as_json:
        typer.echo(json.dumps({**to_json(found), "picture": str(to)}, allow_nan=False))
        return
    _print(found)
    typer.echo(f"wrote {to}")


def _print(found: Comparison) -> None:
    from framework.comparison.tables import differences_table, measures_table
    from framework.study.report import padded

    for table in (measures_table(found), differences_table(found)):
        header, rows = table
        if rows:
            typer.echo(f"\n{padded([header, ['---'] * len(header), *rows])}")
    if not found.differences and sum(len(arm.runs) for arm in found.arms) > 1:
        typer.echo("\nnothing differs but the seeds")
    for note in found.notes:
        typer.echo(f"note: {note}")
