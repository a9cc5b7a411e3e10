"""The pages of the shipped plugins, and the page of all options, as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from framework.assembly.catalogue import PluginEntry, SectionEntry, describe, describe_section
from framework.assembly.discovery import DISTRIBUTION, installed, resolve
from framework.conformance.runner.completion import candidates, complete
from framework.defaults import plugin as defaults
from framework.environments.gym_options import GymOptions

REPOSITORY = Path(__file__).parents[2]

OPTIONS = "reference/options.md"


def shipped() -> list[str]:
    """The names of the plugins of this distribution. Plugins of others may be installed beside them."""
    ours = {name for name, points in installed().items() if any(p.dist and p.dist.name == DISTRIBUTION for p in points)}
    return sorted(ours)


def page_of(name: str) -> str:
    """The page of a plugin, relative to the folder of the pages."""
    return f"plugins/{name}.md"


def kinds() -> dict[str, list[str]]:
    """Kind → names of plugins, as the README's table groups them.

    Raises:
        ValueError: if a shipped plugin is missing there.
    """
    table = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("| kind | plugins |\n")[1].split("\n\n")[0]
    rows = [line.strip("|").split("|", 1) for line in table.splitlines()[1:]]
    known = set(shipped())
    found = {kind.strip(): [name for name in re.findall(r"`(\w+)`", text) if name in known] for kind, text in rows}
    missing = known - {name for names in found.values() for name in names}
    if missing:
        raise ValueError(f"the README's table of plugins leaves out {', '.join(sorted(missing))}")
    return found


def index_page(entries: Mapping[str, PluginEntry]) -> str:
    """The list of all plugins, by kind, with a sentence each."""
    lines = [
        "# Catalogue of plugins",
        "",
        "Each plugin that comes with the package has a page. The pages are made from the plugins themselves. The",
        "command `python -m framework plugins NAME` prints the same.",
        "",
    ]
    for kind, names in kinds().items():
        lines += [f"## {kind[0].upper()}{kind[1:]}", "", "| plugin | what it is |", "| --- | --- |"]
        lines += [f"| [`{name}`]({name}.md) | {_cell(entries[name].summary)} |" for name in names]
        if kind == "environments":
            lines.append(
                "| [`gym:ID`](../environments.md) | Any environment of gymnasium whose actions can be counted. |"
            )
        lines.append("")
    lines += ["```{toctree}", ":hidden:", "", *entries, "```", ""]
    return "\n".join(lines)


def plugin_page(name: str, entry: PluginEntry, plugin: object) -> str:
    """One plugin: how to run it, what it is, what it fills, its options and its checks."""
    environments = kinds()["environments"]
    source = Path(inspect.getfile(plugin)).relative_to(REPOSITORY)  # type: ignore[arg-type]  # a module
    lines = [
        f"# {name}",
        "",
        entry.summary,
        "",
        *[line for paragraph in entry.paragraphs for line in (_paragraph(paragraph), "")],
        "## Run it",
        "",
        "```sh",
        *[f"python -m framework run --plugins {','.join(names)}" for names in _compositions(name)],
        "```",
        "",
        *(["The last name is the environment: put your own in its place.", ""] if name not in environments else []),
        "## What it fills",
        "",
    ]
    if entry.fills:
        lines += [f"{', '.join(f'`{hook}`' for hook in entry.fills)} ([the page of hooks](../reference/hooks.md))"]
    else:
        lines += ["Nothing itself: it brings other plugins and values of their options into the composition."]
    lines += [f"· [source](../../{source.as_posix()})", ""]
    if entry.sections:
        lines += ["## Options", "", *[line for section in entry.sections for line in _options(section)]]
    checks = plugin.conformance_checks() if hasattr(plugin, "conformance_checks") else []
    if checks:
        lines += [
            "## Its own checks",
            "",
            f"`python -m framework check {name}` runs [the checks of the slots that it fills](../check.md), and these:",
            "",
            *[f"- `{check.name}`: {_text(check.says)}" for check in checks],
            "",
        ]
    return "\n".join(lines)


def options_page(entries: Mapping[str, PluginEntry]) -> str:
    """Every option of the engine, of `gym:ID` and of the shipped plugins."""
    lines = [
        "# Every option",
        "",
        "An option is set with `--set section.key=value`, or in a",
        "[TOML file](../how-to/index.md#keep-the-options-in-a-toml-file). The defaults here are those of the code. An",
        "environment, a bundle or a plugin may recommend others: the command `python -m framework config --plugins …`",
        "shows the values that a composition gets, and where each is from.",
        "",
        "## The engine",
        "",
    ]
    for section in describe(defaults).sections:
        lines += [f"### {section.name}", "", *_options(section)]
    lines += ["## Environments of gymnasium", "", "### gym", "", *_options(describe_section(GymOptions))]
    lines += ["## Plugins", ""]
    for name, entry in entries.items():
        for section in entry.sections:
            lines += [f"### {section.name}", "", f"Of the plugin [`{name}`](../plugins/{name}.md).", ""]
            lines += _options(section)
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """Path, relative to the folder of the pages → the text of each page that is made from the code."""
    plugins = {name: resolve(name)[1] for name in shipped()}
    entries = {name: describe(plugin) for name, plugin in plugins.items()}
    made = {page_of(name): plugin_page(name, entries[name], plugin) for name, plugin in plugins.items()}
    return {**made, page_of("index"): index_page(entries), OPTIONS: options_page(entries)}


def names_of_pages() -> set[str]:
    """The paths of `pages`, without making them."""
    return {*map(page_of, shipped()), page_of("index"), OPTIONS}


def _options(section: SectionEntry) -> Iterator[str]:
    yield from (_text(section.summary), "")
    yield from ("| option | type | default | what |", "| --- | --- | --- | --- |")
    for option in section.options:
        kind = re.sub(r"([≥≤<>]) ", "\\1\N{NO-BREAK SPACE}", option.type)
        words = (f"`{option.name}`", kind, f"`{option.default}`" if option.default else "", option.description)
        yield f"| {' | '.join(map(_cell, words))} |"
    yield ""


def _paragraph(text: str) -> str:
    """A paragraph of a docstring as Markdown. Tables are Markdown already."""
    return text if text.startswith("|") else _text(text)


def _text(text: str) -> str:
    """Prose with its mathematics: a bracket before a parenthesis is no link, and a single star no emphasis."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([<\[\]])", r"\\\1", part) for part in parts)


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|").replace("\n", " ")


def _compositions(name: str) -> list[Sequence[str]]:
    """The compositions in which `check` would check the plugin, as one types them."""
    named = "chapter,chain" if name == "chapter" else name  # alone, it names an Atari game
    tried = candidates(named)
    # to build one takes seconds where it has emulators, so do that only where there is a choice
    fitting = tried if len(tried) == 1 else [subject.names for subject in complete(named)[0]]
    return [_as_typed(names) for names in fitting]


def _as_typed(names: Sequence[str]) -> Sequence[str]:
    """Family, variants, environment."""
    first = [name for name in ("tabular", "dqn") if name in names]
    last = [name for name in kinds()["environments"] if name in names]
    return [*first, *[name for name in names if name not in (*first, *last)], *last]
