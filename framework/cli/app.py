"""The command line with all its commands, in the order in which `--help` lists them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated

import typer

from framework.cli.ablate import ablate
from framework.cli.check import check
from framework.cli.config import show_config
from framework.cli.new import new
from framework.cli.plugins import list_plugins
from framework.cli.recorded.compare import compare
from framework.cli.recorded.evaluate import evaluate
from framework.cli.recorded.export import export
from framework.cli.recorded.inspect import inspect_run
from framework.cli.recorded.pull import pull
from framework.cli.recorded.push import push
from framework.cli.recorded.report import report
from framework.cli.recorded.watch import watch
from framework.cli.repeat import repeat, replay
from framework.cli.run import run
from framework.cli.sweep import sweep, sweep_worker

app = typer.Typer(
    name="python -m framework",
    help="Value-based reinforcement learning in which an algorithm is a list of plugins.\n\n"
    "Start with [bold]python -m framework run --plugins tabular,chain[/bold] (a second) or "
    "[bold]python -m framework run --plugins dqn,pong[/bold] (Pong, from pixels).",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from framework import __version__

        typer.echo(f"pluggable-q {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Value-based reinforcement learning in which an algorithm is a list of plugins."""


def _help(command: Callable[..., object]) -> str:
    """The docstring with each paragraph on one line, because rich keeps breaks in a paragraph."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(text if text.startswith(" ") else " ".join(text.split()) for text in paragraphs)


for command in (run, repeat, ablate, sweep, new, check, evaluate, watch, compare, report, export, push, pull):
    app.command(help=_help(command))(command)
app.command("inspect", help=_help(inspect_run))(inspect_run)
app.command("plugins", help=_help(list_plugins))(list_plugins)
app.command("config", help=_help(show_config))(show_config)
app.command(hidden=True, help=_help(replay))(replay)
app.command("sweep-worker", hidden=True, help=_help(sweep_worker))(sweep_worker)
