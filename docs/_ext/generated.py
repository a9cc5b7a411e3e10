"""Writes the pages that are made from the code, before Sphinx reads the pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import catalogue
import source_links

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def write(folder: Path, pages: dict[str, str]) -> None:
    """Write each page whose text has changed, and remove pages of an earlier build that are no longer made."""
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for made in ("plugins", source_links.FOLDER):
        for path in (folder / made).rglob("*.md"):
            if path.relative_to(folder).as_posix() not in pages:
                path.unlink()


def _write_pages(app: Sphinx) -> None:
    folder = Path(app.srcdir)
    pages = catalogue.pages()
    hand_written = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.md"))]
    sources = source_links.pages([*hand_written, *pages.values()])
    write(folder, {**pages, **sources})


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", _write_pages)
    return {"parallel_read_safe": True}
