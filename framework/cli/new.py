"""The command `new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def new(
    name: Annotated[str, typer.Argument(help="Name of the plugin: a Python name that is free.", show_default=False)],
    fills: Annotated[
        list[str] | None,
        typer.Option("--fills", help="The slot to fill, such as make_exploration or dqn_head.", show_default=False),
    ] = None,
    directory: Annotated[Path, typer.Option(help="Where to create its folder.")] = Path(),
) -> None:
    """Create a new plugin: a small one that works, with options, a test and packaging. Then edit it.

    The new plugin passes the command 'check' at once. Edit NAME/NAME.py from there.

    Without --fills, the command lists the slots that have a template.

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
