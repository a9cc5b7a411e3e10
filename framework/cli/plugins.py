"""The command `plugins`: what each plugin is, what it fills, and which options it has."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from framework.config import Section

QUIET = {
    *("add_hookspecs", "bundle", "config_sections", "conformance_checks", "conformance_values"),
    *("families", "libraries", "recommended_values"),
}
"""Hooks that fill no part of a run. The list leaves them out."""


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


def _print_plugin(console: Console, name: str, plugin: Any, whole: bool) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    from framework.hooks import PROJECT

    summary, *more = (inspect.getdoc(plugin) or "").split("\n\n")
    console.print(f"[bold]{escape(name)}[/bold]  {escape(summary.replace(chr(10), ' '))}")
    for paragraph in more if whole else ():
        console.print()
        console.print(_as_table(paragraph) or escape(re.sub(r"\n(?![*\s])", " ", paragraph)))
    if more and whole:
        console.print()
    hooks = [hook for hook in dir(plugin) if hasattr(getattr(plugin, hook), f"{PROJECT}_impl") and hook not in QUIET]
    if hooks:
        console.print(f"  fills {', '.join(hooks)}")
    sections: Sequence[type[Section]] = plugin.config_sections() if hasattr(plugin, "config_sections") else []
    for section in sections:
        table = Table(Column("option", no_wrap=True), "type", "default", "what", box=None, padding=(0, 2, 0, 2))
        for key, info in section.model_fields.items():
            kind = section.model_json_schema()["properties"][key]
            table.add_row(
                escape(f"{section.section_name}.{key}"),
                escape(_type(kind)),
                escape(_shown(info.default)),
                escape(info.description or ""),
            )
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


def _shown(default: Any) -> str:
    """A default as one writes it after --set: `none`, `true`, `[64]`, `huber`."""
    if default is None:
        return "none"
    return default if isinstance(default, str) else json.dumps(default)


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema as words: "integer ≥ 1", "linear or exponential", "number or none"."""
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join("none" if part.get("type") == "null" else _type(part) for part in schema["anyOf"])
    words = [str(schema.get("type", "any"))]
    for key, sign in (("exclusiveMinimum", ">"), ("minimum", "≥"), ("exclusiveMaximum", "<"), ("maximum", "≤")):
        if key in schema:
            words.append(f"{sign} {schema[key]}")
    return " ".join(words)
