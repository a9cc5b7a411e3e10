"""Lays a report out as one HTML file, and writes it whole.

The file needs nothing from elsewhere. A policy in it forbids the browser every request, and every script but the two
that this module puts in, by their hashes: a text from a run never runs as a script, even if it were not escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from framework.assembly.discovery import DISTRIBUTION
from framework.comparison.compare import Comparison
from framework.comparison.figures import figure_of
from framework.comparison.tables import DEFINITIONS, differences_table, measures_table
from framework.errors import need
from framework.recording.drawing import picture_of
from framework.recording.files import replacing
from framework.report.film import png_uri
from framework.report.interactive import comparison_figure
from framework.report.sections import FIGURE_DPI, ArmSection

TEMPLATES = Path(__file__).with_name("templates")

NAMED = 3
"""The largest number of arms that the title names."""


def require_libraries() -> None:
    """Refuse to begin without the optional libraries.

    Raises:
        UsageError: that names the missing one and the extra that brings it.
    """
    for module in ("jinja2", "plotly", "PIL"):
        need(module, "a report", "report")


def write_page(comparison: Comparison, sections: Sequence[ArmSection], path: Path) -> int:
    """Write the page, and return its size in bytes.

    Raises:
        FrameworkError: if the system refuses to write the file.
    """
    content = render(comparison, sections).encode()
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return len(content)


def render(comparison: Comparison, sections: Sequence[ArmSection]) -> str:
    """The page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = {f"figure-{number}": section.figure for number, section in enumerate(sections) if section.figure}
    several = len(comparison.arms) > 1
    if several:
        figures["figure-comparison"] = comparison_figure(comparison)
    # texts of this project and of plotly: they are no input, and must reach the browser as their hashes say
    scripts = [Markup(text) for text in ((get_plotlyjs(), _own("report.js")) if figures else ())]  # noqa: S704
    words: dict[str, Any] = {
        "title": _title([section.label for section in sections]),
        "made": f"{datetime.now().astimezone():%Y-%m-%d %H:%M}",
        "version": _version(),
        "comparison": comparison,
        "several": several,
        "picture": png_uri(picture_of(figure_of(comparison), "png", FIGURE_DPI)) if several else "",
        "measures": measures_table(comparison),
        "differences": differences_table(comparison),
        "definitions": DEFINITIONS,
        "sections": sections,
        "figures": figures,
        "scripts": scripts,
        "hashes": " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'",
        "style": Markup(_own("report.css")),  # noqa: S704
    }
    return environment.get_template("report.html").render(words)


def _title(labels: Sequence[str]) -> str:
    return f"Report: {', '.join(labels) if len(labels) <= NAMED else f'{len(labels)} arms'}"


def _own(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
