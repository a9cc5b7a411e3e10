"""The command `repeat`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def repeat(
    run: Annotated[Path, typer.Argument(help="Folder of a run with --deterministic.", show_default=False)],
    to: Annotated[
        int | None, typer.Option(help="Environment steps. Default: all that were recorded.", min=1, show_default=False)
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Record the repetition here: its last weights are those of the moment.")
    ] = None,
) -> None:
    """Repeat a recorded run up to any moment, and see that every step is what it was.

    Sampled batches, losses, actions, observations, rewards, evaluations and, each 1,000 steps, weights are compared.

    Exit code 0: all of it was the same; 1: the first step that differs is named, with what differs.

    Examples:

      python -m framework run --plugins dqn,chain --deterministic --run-dir runs/first

      python -m framework repeat runs/first --to 5000 --run-dir runs/first-at-5000

      python -m framework watch runs/first-at-5000
    """
    from framework.training.repeat import repeat as repeat_run

    repeated = repeat_run(run, to, run_dir, show_progress=True)
    for change in repeated.changes:
        typer.echo(f"changed  {change}")
    typer.echo(f"the same up to step {repeated.env_steps:,}{f': {run_dir}' if run_dir else ''}")


def replay(
    run: Annotated[Path, typer.Argument(show_default=False)],
    to: Annotated[int | None, typer.Option(min=1, show_default=False)] = None,
    run_dir: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """The old name of the command 'repeat'."""
    typer.echo("warning: the command 'replay' is called 'repeat' now; the old name goes in the next version", err=True)
    repeat(run, to, run_dir)
