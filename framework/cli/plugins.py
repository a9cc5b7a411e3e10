"""The command `plugins`: what each plugin is, what it fills, and which options it has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def list_plugins(
    names: Annotated[list[str] | None, typer.Argument(help="Only these. Default: all.", show_default=False)] = None,
) -> None:
    """List plugins: the hooks that each fills, and its options with types, defaults and descriptions.

    Of plugins that are named, the whole page is printed: the mathematics, and what differs from the paper.
    """
    print_catalogue(names or [])


def print_catalogue(names: Sequence[str], console: Console | None = None) -> None:
    """Print the named plugins, or the engine and every installed plugin. If one cannot be imported, print why.

    Raises:
        UsageError: if a named plugin is not available.
    """
    from rich.console import Console
    from rich.markup import escape

    from framework.assembly.discovery import installed, resolve
    from framework.assembly.manager import ENGINE
    from framework.defaults import plugin as defaults
    from framework.errors import UsageError

    console = console or Console(soft_wrap=False)
    for name in names or [ENGINE, *installed()]:
        try:
            plugin = defaults if name == ENGINE else resolve(name)[1]
        except UsageError as error:
            if names:
                raise
            console.print(f"[bold]{escape(name)}[/bold]  not available: {escape(str(error))}\n")
            continue
        _print_plugin(console, name, plugin, whole=bool(names))


def _print_plugin(console: Console, name: str, plugin: object, whole: bool) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    from framework.assembly.catalogue import describe

    entry = describe(plugin)
    console.print(f"[bold]{escape(name)}[/bold]  {escape(entry.summary)}")
    for paragraph in entry.paragraphs if whole else ():
        console.print()
        console.print(_as_table(paragraph) or escape(re.sub(r"\n(?![*\s])", " ", paragraph)))
    if entry.paragraphs and whole:
        console.print()
    if entry.fills:
        console.print(f"  fills {', '.join(entry.fills)}")
    for section in entry.sections:
        table = Table(Column("option", no_wrap=True), "type", "default", "what", box=None, padding=(0, 2, 0, 2))
        for option in section.options:
            table.add_row(*map(escape, (option.name, option.type, option.default, option.description)))
        console.print(table)
    console.print()


def _as_table(paragraph: str) -> Table | None:
    """A Markdown table as one of rich; None for any other paragraph."""
    from rich.markup import escape
    from rich.table import Table

    if not paragraph.startswith("|"):
        return None
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in paragraph.splitlines()]
    table = Table(*map(escape, rows[0]), box=None, padding=(0, 2, 0, 2))
    for row in rows[2:]:
        table.add_row(*map(escape, row))
    return table
