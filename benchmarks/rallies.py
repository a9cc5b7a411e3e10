"""The rallies of greedy games, and what the agent expects along them: why a run of Pong does not reach its goal.

    python benchmarks/rallies.py RUN
    python benchmarks/rallies.py RUN --weights last --values 0

A line is a game: its return, and for each point `+` or `−` with the steps of its rally. With `--values`, the rallies of
one game follow with two numbers for each step: the largest action value, and by how much the smallest is below it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from jaxtyping import Float
from machine import need_emulator

import framework
from framework.assembly.parts import Agent
from framework.errors import UsageError


class Rally(NamedTuple):
    """The steps of a game from one reward to the next."""

    reward: float
    values: Float[np.ndarray, "T A"]

    def __str__(self) -> str:
        return f"{'+' if self.reward > 0 else '−'}{len(self.values)}"


def play(agent: Agent, games: int) -> list[list[Rally]]:
    """Returns the rallies of each game. Games are played greedily, side by side, one in each environment."""
    stream = agent.open_stream("evaluate", games, "rallies")
    seen: list[list[np.ndarray]] = [[] for _ in range(games)]
    rallies: list[list[Rally]] = [[] for _ in range(games)]
    playing = set(range(games))
    try:
        while playing:
            values = agent.policy.action_values(stream.observations, explore=False)
            stream.begin(values.argmax(axis=1))
            step = stream.finish()
            for row, env_id in enumerate(step.env_id.tolist()):
                if env_id not in playing:
                    continue
                seen[env_id].append(values[env_id])
                if step.raw_reward[row]:
                    rallies[env_id].append(Rally(float(step.raw_reward[row]), np.array(seen[env_id])))
                    seen[env_id] = []
                if step.over[row]:
                    playing.discard(env_id)
    finally:
        stream.close()
    return rallies


def main(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or the name of a plugin with a trained agent.")],
    weights: Annotated[
        str | None, typer.Option(help="evaluation, last or mean_100. Default: the first of them that the run saved.")
    ] = None,
    games: Annotated[int, typer.Option(min=1, help="Games.")] = 8,
    values: Annotated[
        int | None, typer.Option(min=0, help="Print what the agent expects along the rallies of this game.")
    ] = None,
) -> None:
    """Print the rallies of each game."""
    need_emulator()
    if values is not None and values >= games:
        raise typer.BadParameter(f"there are games 0 to {games - 1}", param_hint="--values")
    try:
        agent = framework.load(run, weights)
    except UsageError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from error
    played = play(agent, games)
    for rallies in played:
        print(f"{sum(rally.reward for rally in rallies):+.0f}:", *rallies)
    for rally in [] if values is None else played[values]:
        print(f"\n{rally}")
        print("value", *(f"{step.max():+.2f}" for step in rally.values))
        print("gap  ", *(f"{np.ptp(step):5.2f}" for step in rally.values))


if __name__ == "__main__":
    typer.run(main)
