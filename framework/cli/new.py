"""The command `new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def new(
    name: Annotated[str, typer.Argument(help="Of the plugin: a Python name that is not taken.", show_default=False)],
    fills: Annotated[
        list[str] | None,
        typer.Option("--fills", help="What it fills, such as make_exploration or dqn_head.", show_default=False),
    ] = None,
    directory: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path(),
) -> None:
    """Write a plugin to begin with: a small one that works, with its options, its test and its packaging.

    What is written passes the command 'check' as it stands. Edit NAME/NAME.py from there.

    Without --fills, the slots that there are templates for are listed.

    Examples:

      python -m framework new my_variant --fills dqn_bootstrap

      python -m framework new curious --fills make_exploration --directory ideas
    """
    from framework.cli.scaffold import create

    created = create(name, fills or [], directory)
    for file in created.files:
        typer.echo(f"wrote {file}")
    typer.echo("\nCheck it, test it, run it:\n")
    for command in created.commands:
        typer.echo(f"  {command}")
