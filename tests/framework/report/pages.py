"""Reads a page as a browser does, and finds a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "img", "link", "br", "input", "base", "embed", "source"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass
class Page(HTMLParser):
    """The tags, addresses, scripts and texts of a page."""

    tags: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    handlers: list[str] = field(default_factory=list)
    policy: str = ""
    ids: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    open: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset", "data")]
        self.handlers += [name for name in given if name.startswith("on")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        if tag not in VOID:
            self.open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        tag, given = self.open[-1] if self.open else ("", {})
        if tag == "script" and given.get("type") == "application/json":
            self.data[given["id"] or ""] = json.loads(data)
        elif tag == "script":
            self.scripts.append(data)
        elif tag != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        """Everything that a reader sees, on one line."""
        return " ".join(" ".join(self.texts).split())


def read_page(html: str) -> Page:
    """Parse a page, and check what holds for every page: it needs nothing from elsewhere, and runs only our scripts."""
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == [], "every tag is closed"
    assert not {"link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert not page.handlers
    for address in page.addresses:
        assert address.startswith(("data:image/png;base64,", "./")), address[:80]
    assert "default-src 'none'" in page.policy and "unsafe-eval" not in page.policy
    assert "'unsafe-inline'" not in page.policy.split("script-src")[1]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts]
    assert [f"'sha256-{digest}'" for digest in digests] == page.policy.split("script-src ")[1].split(";")[
        0
    ].split() or (not digests and "script-src 'none'" in page.policy)
    assert len(set(page.ids)) == len(page.ids)
    return page


def browser() -> str | None:
    """The path of an installed browser that can run without a screen."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)
