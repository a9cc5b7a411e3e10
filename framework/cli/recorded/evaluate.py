"""The command `evaluate`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from framework.cli.options import OtherPluginsOption, RunArgument, SetOption, WeightsOption, assigned


def evaluate(
    run: RunArgument,
    episodes: Annotated[int, typer.Option(help="Number of episodes to play.", min=1)] = 100,
    epsilon: Annotated[
        float | None, typer.Option(help="Probability of a random action. Default: as in the run.", min=0, max=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other episodes.", min=0)] = 0,
    plugins: OtherPluginsOption = None,
    weights: WeightsOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with the return, length and info of each episode.")
    ] = False,
    assignments: SetOption = None,
) -> None:
    """Let a trained agent play without learning, and report its raw returns.

    "100 episodes (12 different)" means that only 12 of them had actions or rewards of their own: where neither the game
    nor the agent draws random numbers, the same game is played again.

    The output has the mean of the environment's is_success, if there is one, and of the metrics of record.info.
    If the environment declares published scores, the human-normalised mean follows: on its scale, a random agent has 0
    and a human 1.

    Examples:

      python -m framework evaluate runs/first --episodes 100

      python -m framework evaluate pong --episodes 10 --set pong.sticky=0.25

      python -m framework evaluate runs/first --set 'record.info=["sum:reward_forward"]'
    """
    from rich.console import Console

    from framework.training.agents import load
    from framework.training.blame import plugins_named
    from framework.training.evaluation import evaluate as play

    agent = load(run, weights, assigned(assignments), plugins)
    with plugins_named(agent), Console(stderr=True).status(f"playing {episodes} episodes"):
        result = play(agent, name=f"command/{seed}", episodes=episodes, epsilon=epsilon)
    if as_json:
        fields = ("returns", "lengths", "info", "epsilon", "seconds")
        figures = {**result.summary(), **{field: getattr(result, field) for field in fields}}
        typer.echo(json.dumps(figures))
        return
    typer.echo(
        f"{result.describe()} | min {min(result.returns):g} | max {max(result.returns):g} | "
        f"epsilon {result.epsilon:g} | {result.seconds:.1f} s"
    )
