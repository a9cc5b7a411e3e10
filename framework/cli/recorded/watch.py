"""The command `watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from framework.cli.options import OtherPluginsOption, RunArgument, SetOption, WeightsOption, assigned


def watch(
    run: RunArgument,
    episodes: Annotated[int, typer.Option(help="Number of episodes to show.", min=1)] = 1,
    video: Annotated[Path | None, typer.Option(help="Write an .mp4 or .gif instead of opening a window.")] = None,
    values: Annotated[
        bool, typer.Option("--values", help="Draw a bar for each action value beside the picture, and what was chosen.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed gives other episodes.", min=0)] = 0,
    plugins: OtherPluginsOption = None,
    weights: WeightsOption = None,
    assignments: SetOption = None,
) -> None:
    """Watch a trained agent play in a window, or write a video file with --video.

    Examples:

      python -m framework watch runs/first --video game.mp4

      python -m framework watch pong

      python -m framework watch pong --video pong.mp4 --values
    """
    from framework.inspection.screens import Screen, VideoFile, Window
    from framework.inspection.showing import show
    from framework.training.agents import load
    from framework.training.blame import plugins_named

    agent = load(run, weights, assigned(assignments), plugins)
    screen: Screen = Window() if video is None else VideoFile(video)
    with plugins_named(agent):
        for number, (total, cut) in enumerate(show(agent, screen, episodes, seed, values=values), start=1):
            typer.echo(f"episode {number} | return {total:.1f}{' | cut off at evaluation.max_steps' if cut else ''}")
    if video:
        typer.echo(f"wrote {video}")
