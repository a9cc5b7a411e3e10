"""What a plugin says about itself: its docstring, the hooks that it fills, and its options in words."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from framework.config import Section
from framework.hooks import PROJECT

QUIET = {
    *("add_hookspecs", "bundle", "config_sections", "conformance_checks", "conformance_values"),
    *("families", "libraries", "recommended_values"),
}
"""Hooks that fill no part of a run. An entry leaves them out."""


@dataclass(frozen=True)
class OptionEntry:
    """An option in words."""

    name: str
    """The name as after `--set`: "section.key"."""
    type: str
    """"integer ≥ 1", "linear or exponential", "number or none"."""
    default: str
    """The default as after `--set`: `none`, `true`, `[64]`, `huber`."""
    description: str


@dataclass(frozen=True)
class SectionEntry:
    """A section of options."""

    name: str
    summary: str
    """The section's docstring."""
    options: tuple[OptionEntry, ...]


@dataclass(frozen=True)
class PluginEntry:
    """A plugin in words."""

    summary: str
    """The first paragraph of its docstring, on one line."""
    paragraphs: tuple[str, ...]
    """The other paragraphs, as they are written."""
    fills: tuple[str, ...]
    """Hooks of which the plugin implements one, by name, without `QUIET`."""
    sections: tuple[SectionEntry, ...]


def describe(plugin: object) -> PluginEntry:
    """The entry of a plugin that has been imported."""
    summary, *more = (inspect.getdoc(plugin) or "").split("\n\n")
    hooks = [hook for hook in dir(plugin) if hasattr(getattr(plugin, hook), f"{PROJECT}_impl") and hook not in QUIET]
    sections: Sequence[type[Section]] = getattr(plugin, "config_sections", list)()
    return PluginEntry(summary.replace("\n", " "), tuple(more), tuple(hooks), tuple(map(describe_section, sections)))


def describe_section(section: type[Section]) -> SectionEntry:
    """The entry of a section of options."""
    return SectionEntry(section.section_name, inspect.getdoc(section) or "", tuple(_options(section)))


def _options(section: type[Section]) -> Iterator[OptionEntry]:
    properties = section.model_json_schema()["properties"] if section.model_fields else {}
    for key, info in section.model_fields.items():
        name = f"{section.section_name}.{key}"
        yield OptionEntry(name, _type(properties[key]), _shown(info.default), info.description or "")


def _shown(default: Any) -> str:
    if default is None:
        return "none"
    return default if isinstance(default, str) else json.dumps(default)


def _type(schema: dict[str, Any]) -> str:
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
