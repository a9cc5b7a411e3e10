"""The command `push`."""

from __future__ import annotations

from typing import Annotated

import typer

from framework.cli.options import RunArgument


def push(
    run: RunArgument,
    repository: Annotated[str, typer.Argument(help="The repository on the hub: USER/NAME.", show_default=False)],
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Also send the checkpoints, so that others can continue the run.")
    ] = False,
    private: Annotated[bool, typer.Option("--private", help="Create a repository that others cannot read.")] = False,
    message: Annotated[str | None, typer.Option(help="Message of the commit.", show_default=False)] = None,
) -> None:
    """Send a run to a Hugging Face hub: weights, options, metrics, pictures, films, and a card with its score.

    You need an account there and its token: run 'hf auth login', or set HF_TOKEN. The variable HF_ENDPOINT names
    another hub.

    Only data is sent. The run's copies of plugin files are code and stay here: who pulls the agent needs them from you.
    config.toml and manifest.json are sent as they are, with the paths and the command that they name.

    Examples:

      python -m framework push runs/first me/pong-in-three-minutes

      python -m framework push runs/first me/half-way --checkpoints --private
    """
    from framework.hub.send import push as send

    sent = send(run, repository, checkpoints=checkpoints, private=private, message=message)
    typer.echo(f"pushed   {len(sent.files)} files, {sent.bytes:,} bytes: {sent.url}")
    code = [name for name in sent.left_behind if name.startswith("plugins/")]
    others = [name for name in sent.left_behind if name not in code and not name.startswith("checkpoints/")]
    if code:
        typer.echo(f"note     plugin files are code and were not sent: {', '.join(code)}")
    if others:
        typer.echo(f"note     not sent: {', '.join(others)}")
    if sent.card_kept:
        typer.echo("note     README.md was edited on the hub and stays: its score may be that of an earlier push")
    typer.echo(f"anyone   python -m framework pull {sent.repository}")
