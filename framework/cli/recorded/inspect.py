"""The command `inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from framework.cli.options import OtherPluginsOption, RunArgument, SetOption, WeightsOption, assigned


def inspect_run(
    run: RunArgument,
    weights: WeightsOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the pictures. Default: the folder 'inspect' in the run's folder; for a plugin's agent "
            "inspect-NAME here.",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[
        int, typer.Option(help="The most pictures of the film, one for each step of an episode; 0: no film.", min=0)
    ] = 300,
    transitions: Annotated[
        int, typer.Option(help="Look at so many of the newest transitions of the replay; 0: at none.", min=0)
    ] = 10_000,
    seed: Annotated[int, typer.Option(help="Another seed gives another episode in the film.", min=0)] = 0,
    plugins: OtherPluginsOption = None,
    assignments: SetOption = None,
) -> None:
    """Look inside what a run has learnt: write pictures of its weights and of its replay, and print where they are.

    values.png, for environments with countable states: the value of each action in each state, the best actions (as
    arrows, where the environment declares a board), the exact optimum and the difference, where it can be computed.

    film.mp4, or film.gif without the extra video, for all others: an episode, with the action values beside each
    picture, the distributions of the return for c51, qr and iqn, and, where the agent sees images, what the value of
    the best action depends on: its change when a part of the image is covered (occlusion, Zeiler & Fergus 2014).

    visits.png, mistakes.csv and mistakes.png, if the run has a checkpoint with its replay: which observations are most
    frequent in it, and which transitions the weights predict worst.

    Examples:

      python -m framework inspect runs/first

      python -m framework inspect runs/first --weights last --out pictures

      python -m framework inspect pong --pictures 100
    """
    from framework.inspection.report import Question, report
    from framework.training.agents import load, saved_weights
    from framework.training.blame import plugins_named

    agent = load(run, weights, assigned(assignments), plugins)
    folder, path = saved_weights(run, weights)
    place = out or (folder / "inspect" if folder == run else Path(f"inspect-{run}"))
    name = f"{folder.resolve().name if folder == run else run}, {path.relative_to(folder).with_suffix('')}"
    question = Question(agent, folder, name, pictures, transitions, seed)
    with plugins_named(agent):
        for line in report(question, place):
            typer.echo(line)
