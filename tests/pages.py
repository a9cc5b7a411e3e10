"""The pages of the documentation as tests read them: their code blocks, and the commands in them.

A comment of HTML above a block says what a reader need not see:

    <!-- not run: it takes minutes -->    the block is only parsed; the reason is for the author
    <!-- exit code 2 -->                  every command of the block ends with this code
    <!-- first: COMMAND -->               a command that the page needs, and that its reader has made on another page

A paragraph that ends with a file's name, such as "`rank.py`:", says that the block below it is that file. A block
```text below one that runs is what it prints, line by line. "…" in it stands for anything.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"

sys.path.insert(0, str(DOCS / "_ext"))  # Sphinx finds its extensions in the same way
import catalogue  # noqa: E402
import docstrings  # noqa: E402
import generated  # noqa: E402
import source_links  # noqa: E402

__all__ = [
    "DOCS",
    "GENERATED",
    "PAGES",
    "REPOSITORY",
    "Block",
    "arguments_of",
    "blocks_of",
    "catalogue",
    "commands_in",
    "docstrings",
    "generated",
    "source_links",
]

GENERATED = {DOCS / name for name in catalogue.names_of_pages()}
"""Pages that the site makes from the code, which may be there or not."""

PAGES = [*sorted(REPOSITORY.glob("*.md")), *generated.hand_written(DOCS)]
"""The pages that somebody wrote."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    """Where it begins, from 1."""
    file: str | None = None
    """The name of the file that the block is."""
    first: tuple[str, ...] = ()
    """Commands to run before."""
    not_run: bool = False
    exit_code: int = 0


def blocks_of(page: str) -> Iterator[Block]:
    """The blocks of a page in their order."""
    paragraph, comments = "", list[str]()
    for token in MarkdownIt("commonmark").parse(page):
        if token.type == "html_block":
            comments += re.findall(r"<!--\s*(.*?)\s*-->", token.content, re.DOTALL)
        elif token.type == "inline":
            paragraph = token.content
        elif token.type == "fence" and token.map:
            named = re.search(r"`([^`]+\.\w+)`[^`]*:$", paragraph)
            codes = [
                int(comment.removeprefix("exit code ")) for comment in comments if comment.startswith("exit code ")
            ]
            yield Block(
                token.info.strip(),
                token.content,
                token.map[0] + 1,
                named[1] if named else None,
                tuple(comment.removeprefix("first: ") for comment in comments if comment.startswith("first: ")),
                any(comment.startswith("not run: ") for comment in comments),
                codes[0] if codes else 0,
            )
            paragraph, comments = "", []


def commands_in(text: str) -> list[str]:
    """The commands of a shell block: a line each, or several lines with a backslash at their ends."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def arguments_of(page: str) -> list[list[str]]:
    """The arguments of every `python -m framework` on a page, in shell blocks and within lines."""
    typed = [line for block in blocks_of(page) if block.language == "sh" for line in commands_in(block.text)]
    typed += re.findall(r"`([^`\n]*python -m framework [^`\n]*)`", page)
    behind = [line.split("python -m framework ", 1)[1] for line in typed if "python -m framework " in line]
    return [shlex.split(line, comments=True) for line in behind]
