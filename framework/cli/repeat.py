"""The command `repeat`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def repeat(
    run: Annotated[Path, typer.Argument(help="Folder of a run with --deterministic.", show_default=False)],
    to: Annotated[
        int | None, typer.Option(help="Last step to repeat. Default: the last recorded.", min=1, show_default=False)
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder for the repetition. Its last weights are those of the run at that step.")
    ] = None,
) -> None:
    """Repeat a recorded run up to any step, and check that every step is the same.

    The command compares sampled batches, losses, actions, observations, rewards, evaluations and, every 1,000 steps,
    weights.

    Exit code 0: everything was the same; 1: a step differs, and the output names the first such step and what differs.

    Examples:

      python -m framework run --plugins dqn,chain --deterministic --run-dir runs/dqn

      python -m framework repeat runs/dqn --to 5000 --run-dir runs/dqn-at-5000

      python -m framework watch runs/dqn-at-5000
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
    typer.echo("warning: the command 'replay' is now called 'repeat'; the next version removes the old name", err=True)
    repeat(run, to, run_dir)
