"""Docstrings as Sphinx should read them: they are written as plain text, and Sphinx expects reStructuredText."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

STAR_IN_SHAPE = re.compile(r"\*(?=\w+[\],)])")
"""The star of "[B, *obs]", which is no emphasis."""


def adapted(lines: list[str]) -> list[str]:
    """The lines of a docstring with what reStructuredText would read otherwise.

    An indented block after a line that ends with a colon and an empty line becomes a list of definitions, if it has a
    name and some spaces in each row, else a block of code. A star in a shape is a star. What stands in backticks stays
    as it is.
    """
    found: list[str] = []
    rest = list(lines)
    while rest:
        line = rest.pop(0)
        found.append(_outside_backticks(line))
        if not line.rstrip().endswith(":") or line.rstrip().endswith("::") or rest[:1] != [""]:
            continue
        margin = _indent(line)
        block = _deeper_than(margin, rest[1:])
        if block and block[0].strip():
            del rest[: len(block) + 1]
            definitions = _definitions(block, margin)
            found[-1] += "" if definitions else ":"
            found += ["", *(definitions or block)]
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _deeper_than(margin: int, lines: list[str]) -> list[str]:
    return list(takewhile(lambda line: not line.strip() or _indent(line) > margin, lines))


def _definitions(block: list[str], margin: int) -> list[str]:
    """Rows such as "seeds    random generators" as a list of definitions; empty if a row is none."""
    found: list[str] = []
    deepest = max(_indent(row) for row in block)
    for row in block:
        named = re.fullmatch(r"\s+([\w.]+)\s{2,}(\S.*)", row)
        if named:
            found += [f"{' ' * margin}{named[1]}", f"{' ' * margin}    {named[2]}"]
        elif row.strip() and found and _indent(row) == deepest:  # the row before goes on
            found.append(f"{' ' * margin}    {row.strip()}")
        elif row.strip():
            return []
    return [*found, ""]


def _outside_backticks(line: str) -> str:
    parts = re.split(r"(`[^`]*`)", line)
    text = "".join(part if part.startswith("`") else STAR_IN_SHAPE.sub(r"\\*", part) for part in parts)
    return re.sub(r"(`[^`]+`)(?=[a-z])", r"\1\\ ", text)  # the end of a word in backticks, as in "`Source`s"


def _adapt(app: Sphinx, what: str, name: str, given: object, options: object, lines: list[str]) -> None:
    lines[:] = adapted(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _adapt, priority=400)  # before napoleon, which has 500
    return {"parallel_read_safe": True}
