"""Writes the pages that are made from the code, before Sphinx reads the pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import catalogue
import source_links

from framework.recording.files import replacing

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDERS = ("plugins", source_links.FOLDER)
"""Folders that have only pages that are made."""


def write(folder: Path, pages: Mapping[str, str]) -> None:
    """Write each page whose text has changed, and remove pages of an earlier build that are no longer made.

    Args:
        folder: the folder of all pages.
        pages: path in it → text.
    """
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
    for made in FOLDERS:
        for path in (folder / made).rglob("*.md"):
            if path.relative_to(folder).as_posix() not in pages:
                path.unlink()


def hand_written(folder: Path) -> list[Path]:
    """The pages in a folder that somebody wrote."""
    made = catalogue.names_of_pages()
    found = {path: path.relative_to(folder) for path in sorted(folder.rglob("*.md"))}
    return [path for path, name in found.items() if name.parts[0] not in FOLDERS and name.as_posix() not in made]


def _write_pages(app: Sphinx) -> None:
    folder = Path(app.srcdir)
    pages = catalogue.pages()
    written = [path.read_text(encoding="utf-8") for path in hand_written(folder)]
    write(folder, {**pages, **source_links.pages([*written, *pages.values()])})


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", _write_pages)
    return {"parallel_read_safe": True}
