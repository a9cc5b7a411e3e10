"""Docstrings as Sphinx should read them: they are written as plain text, and Sphinx expects reStructuredText."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

STAR_IN_SHAPE = re.compile(r"\*(?=\w+[\],)])")
"""The star of "[B, *obs]", which is no emphasis."""


def adapted(lines: list[str]) -> list[str]:
    """The lines of a docstring with what reStructuredText would read otherwise.

    An indented block after a line that ends with a colon and an empty line is a table or code: its line breaks stay. A
    star in a shape is a star. What stands in backticks stays as it is.
    """
    found = [_outside_backticks(line) for line in lines]
    for number, (line, after) in enumerate(pairwise(lines)):
        below = lines[number + 2 : number + 3]
        if line.rstrip().endswith(":") and not line.rstrip().endswith("::") and not after.strip() and below:
            deeper = len(below[0]) - len(below[0].lstrip()) > len(line) - len(line.lstrip())
            if below[0].strip() and deeper:
                found[number] = f"{found[number].rstrip()}:"
    return found


def _outside_backticks(line: str) -> str:
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if part.startswith("`") else STAR_IN_SHAPE.sub(r"\\*", part) for part in parts)


def _adapt(app: Sphinx, what: str, name: str, given: object, options: object, lines: list[str]) -> None:
    lines[:] = adapted(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _adapt, priority=400)  # before napoleon, which has 500
    return {"parallel_read_safe": True}
