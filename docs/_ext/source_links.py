"""Links from pages to files of the repository: the site has a page with the source of each, as a code host does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

REPOSITORY = Path(__file__).parents[2]

FOLDER = "source"
"""The folder of the generated pages with sources."""

LINK = re.compile(r"\]\(((?:\.\./)+)((?:framework|plugins|envs|benchmarks|tests)/[\w./]+)(?<!\.md)(#[\w-]+)?\)")
"""A Markdown link to a file or a folder beside the folder of the pages. Group 2 is its path in the repository."""


def file_of(target: str) -> Path:
    """The file that a link names: of a package, its `__init__.py`. Relative to the repository."""
    path = REPOSITORY / target
    return Path(target) / "__init__.py" if path.is_dir() else Path(target)


def pages(texts: Iterable[str]) -> dict[str, str]:
    """Path of a page → its text, for each file to which one of the texts links.

    Raises:
        ValueError: if there is no such file.
    """
    files = {file_of(match[2]) for text in texts for match in LINK.finditer(text)}
    return {f"{FOLDER}/{path.as_posix()}.md": _page(path) for path in sorted(files)}


def _page(path: Path) -> str:
    if not (REPOSITORY / path).is_file():
        raise ValueError(f"a page links to {path}, which does not exist")
    up = "../" * (len(path.parts) + 1)
    language = "python" if path.suffix == ".py" else "text"
    lines = [
        "---",
        "orphan: true",
        "---",
        f"# {path.as_posix()}",
        "",
        f"```{{literalinclude}} {up}{path.as_posix()}",
        f":language: {language}",
        ":linenos:",
        "```",
        "",
    ]
    return "\n".join(lines)


def rewritten(text: str, depth: int) -> str:
    """The text of a page, with links to the pages in `FOLDER` in place of links to files of the repository.

    Args:
        depth: folders between the page and the folder of the pages.
    """

    def page(match: re.Match[str]) -> str:
        if match[1].count("../") != depth + 1:
            return match[0]
        return f"]({'../' * depth}{FOLDER}/{file_of(match[2]).as_posix()}.md)"

    return LINK.sub(page, text)


def _rewrite(app: Sphinx, name: str, content: list[str]) -> None:
    content[0] = rewritten(content[0], name.count("/"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _rewrite)
    return {"parallel_read_safe": True}
