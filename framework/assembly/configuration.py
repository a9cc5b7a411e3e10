"""Loads plugins by their names and merges all values into the configuration. Builds no parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from framework.assembly.loading import expand, load_plugins
from framework.assembly.manager import Expected, Plugins
from framework.assembly.renamed import translate
from framework.config import Config, Section, Source, build_config
from framework.errors import UsageError

SECTIONS = Expected(
    "a sequence of Section classes",
    lambda given: (
        isinstance(given, Sequence)
        and all(isinstance(section, type) and issubclass(section, Section) for section in given)
    ),
)
VALUES = Expected(
    "a mapping of 'section.key' to values",
    lambda given: isinstance(given, Mapping) and all(isinstance(path, str) for path in given),
)
RECOMMENDATIONS = Expected(
    f"{VALUES.what}, or a list of `Source`s",
    lambda given: VALUES.accepts(given) or (isinstance(given, list) and all(isinstance(one, Source) for one in given)),
)
"""What the hooks `config_sections`, `conformance_values` and `recommended_values` must return."""

ENDS = ("run.steps", "run.episodes", "run.until", "run.patience")
"""The options that end a run."""


def plugin_names(names: str | Sequence[str]) -> list[str]:
    """ "dqn,pong" or ["dqn", "pong"] → the names."""
    parts = names.split(",") if isinstance(names, str) else names
    return [part.strip() for part in parts if part.strip()]


def configure(names: str | Sequence[str], sources: Sequence[Source] = ()) -> tuple[Plugins, Config, list[str]]:
    """Load plugins and merge the configuration: (plugins, config, notes). Builds no parts.

    Args:
        names: the plugins.
        sources: the user's values, weakest first. They are stronger than bundles, recommendations and defaults.

    Raises:
        UsageError: with every problem of the composition or, if it has none, of the configuration.
    """
    named, sources, notes = translate(plugin_names(names), sources, lambda given: list(expand(given).plugins))
    plugins = load_plugins(named)
    sections = gather_sections(plugins)
    loaded = {section.section_name for section in sections}
    recommendations = [
        replace(
            source, values={path: value for path, value in source.values.items() if path.partition(".")[0] in loaded}
        )
        for source in gather_recommendations(plugins)
    ]
    bundles: list[Source] = []
    for bundle, values in plugins.values:
        given, lost = _family_values_resolved(values, plugins, sections)
        if lost:
            notes.append(f"{bundle} sets {', '.join(lost)}, which no environment here has: left out")
        dropped = [path for path in given if path.partition(".")[0] not in loaded]
        if dropped:
            notes.append(f"{bundle} sets {', '.join(dropped)}, whose plugins are not loaded: ignored")
        kept = {path: value for path, value in given.items() if path not in dropped}
        bundles.append(Source(f"bundle {bundle}", kept))
    recommendations, bundles, sources = (
        with_presets(group, list(sections)) for group in (recommendations, bundles, sources)
    )
    stronger = {path for source in (*bundles, *sources) for path in source.values}
    problems = list(_disagreements(recommendations, stronger))
    if problems:
        raise UsageError(problems)
    own = Source("command line", {"run.plugins": tuple(absolute(name) for name in named)})
    return (
        plugins,
        build_config(list(sections), without_void_values((*recommendations, *bundles, *sources, own))),
        notes,
    )


def with_presets(sources: Sequence[Source], sections: Sequence[type[Section]]) -> list[Source]:
    """The sources, weakest first, with the values of presets (`Section.presets`) below the source that chooses them.

    All that the user gives for this run (`Source.unread` is "refused") counts as one source: `--steps` is stronger than
    a preset from `--set`.
    """
    presets = {f"{section.section_name}.{key}": given for section in sections for key, given in section.presets.items()}
    found: list[Source] = []
    for together, group in groupby(sources, lambda source: source.unread == "refused"):
        given = list(group)
        for level in [given] if together else [[source] for source in given]:
            found += [
                Source(f"{path} = {source.values[path]}, {source.label}", values)
                for source in level
                for path in source.values
                if (values := presets.get(path, {}).get(str(source.values[path])))
            ]
            found += level
    return found


def _family_values_resolved(
    values: Mapping[str, Any], plugins: Plugins, sections: Mapping[type[Section], str]
) -> tuple[dict[str, Any], list[str]]:
    """A bundle's values, with those for a family of environments given to the sections of the family's members.

    Returns:
        The values, and the options of a family that no member has.
    """
    found, lost = {}, []
    for path, value in values.items():
        family, _, key = path.partition(".")
        members = plugins.families.get(family)
        if members is None:
            found[path] = value
            continue
        own = [section for section, owner in sections.items() if owner in members and key in section.model_fields]
        found.update({f"{section.section_name}.{key}": value for section in own})
        lost += [] if own else [path]
    return found, lost


def without_void_values(sources: Iterable[Source]) -> list[Source]:
    """The sources, weakest first, without the values that a stronger source makes void (see `_without_ends`).

    Those that the user gave for this run (`Source.unread` is "refused") all count: --set and --steps go together.
    """
    settled: list[Source] = []
    for source in sources:
        settled = [
            other if source.unread == other.unread == "refused" else _without_ends(other, source.values)
            for other in settled
        ]
        settled.append(source)
    return settled


def gather_recommendations(plugins: Plugins) -> list[Source]:
    """What every plugin recommends. A plugin's own label is put behind its name."""
    return [
        Source(f"recommended by {plugin}{label}", values)
        for plugin, given in plugins.gather("recommended_values", RECOMMENDATIONS, names=plugins.names)
        for label, values in (
            [("", given)] if isinstance(given, Mapping) else [(f" ({own.label})", own.values) for own in given]
        )
    ]


def gather_sections(plugins: Plugins) -> dict[type[Section], str]:
    """Every section of options of a set of plugins → the plugin that declares it.

    Raises:
        UsageError: if two plugins have sections of the same name.
    """
    owners: dict[str, str] = {}
    sections: dict[type[Section], str] = {}
    for plugin, given in plugins.gather("config_sections", SECTIONS):
        for section in given:
            other = owners.setdefault(section.section_name, plugin)
            if other != plugin:
                raise UsageError(f"{other} and {plugin} both have a section '{section.section_name}': rename one")
            sections[section] = plugin
    return sections


def _disagreements(recommendations: Sequence[Source], stronger: set[str]) -> Iterable[str]:
    """One message for each contradiction between recommendations that no stronger source overrides."""
    first: dict[str, tuple[str, Any]] = {}
    for source in recommendations:
        for path, value in source.values.items():
            other, before = first.setdefault(path, (source.label, value))
            if before != value and path not in stronger:
                others = f"{other.removeprefix('recommended by ')} and {source.label.removeprefix('recommended by ')}"
                yield f"{others} recommend {before!r} and {value!r} for {path}: choose with --set {path}=…"


def is_file(name: str) -> bool:
    """Whether the name of a plugin is the path of a file."""
    return name.endswith(".py") and not name.startswith("no:")


def absolute(name: str) -> str:
    """The absolute path of a plugin file, so that the run can be loaded from any folder. Other names do not change."""
    return str(Path(name).resolve()) if is_file(name) else name


def _without_ends(weaker: Source, stronger: Mapping[str, Any]) -> Source:
    """The weaker source, without the values that a stronger source makes void.

    If the stronger source sets an end of the run, no weaker end counts. If it turns evaluations off, a weaker
    `run.until` or `run.patience` does not count, because only evaluations can reach it.
    """
    void = set(ENDS) if not set(ENDS).isdisjoint(stronger) else set()
    if stronger.get("evaluation.every") == 0:
        void |= {"run.until", "run.patience"}
    return replace(weaker, values={path: value for path, value in weaker.values.items() if path not in void})
