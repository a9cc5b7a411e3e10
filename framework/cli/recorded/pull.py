"""The command `pull`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def pull(
    repository: Annotated[str, typer.Argument(help="The repository on the hub: USER/NAME.", show_default=False)],
    to: Annotated[Path | None, typer.Option(help="The new run folder. Default: runs/NAME.", show_default=False)] = None,
    revision: Annotated[
        str | None, typer.Option(help="A branch, tag or commit. Default: the newest commit.", show_default=False)
    ] = None,
) -> None:
    """Fetch a run that somebody pushed to a Hugging Face hub, and verify it like a checkpoint.

    What arrives is data: options, metrics, weights in safetensors, pictures. Every file must have the SHA-256 in the
    repository's list; else nothing is kept. No code arrives, and nothing is run. 'evaluate' and 'watch' then import the
    plugins that the run names, which must be installed here.

    Examples:

      python -m framework pull someone/pong-in-three-minutes

      python -m framework watch runs/pong-in-three-minutes
    """
    from framework.hub.fetch import pull as fetch

    fetched = fetch(repository, to or Path("runs") / repository.rpartition("/")[2], revision=revision)
    folder = shlex.quote(str(fetched.folder))
    typer.echo(f"pulled   {fetched.bytes:,} bytes, commit {fetched.commit}: {folder}")
    typer.echo(f"plugins  {', '.join(map(_printable, fetched.plugins))}")
    for name in map(_printable, fetched.code):
        typer.echo(
            f"note     {Path(name).name} is a plugin file: code, which does not travel. Name yours with --plugins"
        )
    typer.echo(f"next     python -m framework evaluate {folder}")


def _printable(text: str) -> str:
    """A stranger's text without control characters, which could write to the terminal."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
