"""Records which options the parts of a composition read while they are built, to report options without effect."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar, cast

from framework.assembly.manager import ENGINE, Plugins
from framework.config import Config, Section, Source
from framework.options import CheckpointOptions, EvaluationOptions, RecordOptions, RunOptions

S = TypeVar("S", bound=Section)

READ_LATER = {"make_env", "env_wrapper", "make_callbacks"}
"""Hooks that are also called after the assembly. A plugin with one of them counts as reading its own sections whole."""

READ_BY_RUNS = {
    f"{section.section_name}.{key}"
    for section in (RunOptions, EvaluationOptions, RecordOptions, CheckpointOptions)
    for key in section.model_fields
} - {"run.device"}
"""Options that training and evaluation read, whatever the parts are."""


TRUE_WITHOUT_READER: Mapping[str, tuple[Any, ...]] = {"run.device": ("auto", "cpu")}
"""Option → values that need no reader, because they are true without one: tables always live on the CPU."""


class Readings:
    """Notes which options of a configuration are read.

    `config` is for the parts and behaves like the original. A part may keep a section and read it later, so every
    option of a section that some object still refers to counts as read. If a part keeps the whole configuration, every
    option counts as read.
    """

    def __init__(self, config: Config) -> None:
        self._recorded: set[str] = set()
        self._handed_out: list[weakref.ref[_RecordedSection]] = []
        self._original = config
        self._config: Config | None = _RecordedConfig(config, self)
        self._kept = weakref.ref(self._config)

    @property
    def config(self) -> Config:
        """The configuration that is recorded, for the parts."""
        assert self._config is not None, "the readings have been read"
        return self._config

    def record(self, section: Section, keys: Iterable[str]) -> None:
        """Count these options of a section as read."""
        self._recorded.update(f"{section.section_name}.{key}" for key in keys)

    def recorded(self, section: S) -> S:
        """The section, wrapped so that its readings are recorded."""
        watched = _class_for(type(section))(section, self)
        self._handed_out.append(weakref.ref(watched))
        return cast(S, watched)

    def read(self) -> set[str]:
        """Every option that was read or can still be read, as "section.key". Call it when all parts are built."""
        self._config = None
        if self._kept() is not None:
            return set(self._original.flat())
        for handed_out in self._handed_out:
            kept = handed_out()
            if kept is not None:
                kept.record_all()
        return set(self._recorded)


class _RecordedConfig(Config):
    def __init__(self, config: Config, readings: Readings) -> None:
        super().__init__(config, config.sources)
        self._readings = readings

    def __getitem__(self, section: type[S]) -> S:
        return self._readings.recorded(super().__getitem__(section))

    def for_later(self) -> Config:
        return _LateConfig(Config(super().__iter__(), self.sources), self._readings)

    def __iter__(self) -> Iterator[Section]:
        for section in super().__iter__():
            self._readings.record(section, type(section).model_fields)
            yield section

    def __reduce__(self) -> tuple[type[Config], tuple[list[Section], dict[str, str]]]:
        return Config, (list(self), self.sources)


class _LateConfig(Config):
    """Records each section that is asked for as read whole, because its reader may be called again later.

    Keeping this configuration counts for nothing: a factory of environments always does.
    """

    def __init__(self, config: Config, readings: Readings) -> None:
        super().__init__(config, config.sources)
        self._readings = readings

    def __getitem__(self, section: type[S]) -> S:
        found = super().__getitem__(section)
        self._readings.record(found, type(found).model_fields)
        return found

    def __reduce__(self) -> tuple[type[Config], tuple[list[Section], dict[str, str]]]:
        return Config, (list(self), self.sources)


class _RecordedSection:
    """A wrapper of a section. It is an instance of the section's class for `isinstance`, and equal to the section."""

    __slots__ = ("__weakref__", "_readings", "_section")

    def __init__(self, section: Section, readings: Readings) -> None:
        self._section, self._readings = section, readings

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._section)

    def record_all(self) -> None:
        """Count all options of the section as read."""
        self._readings.record(self._section, type(self._section).model_fields)

    def __getattr__(self, name: str) -> Any:
        if name in type(self._section).model_fields:
            self._readings.record(self._section, [name])
        else:
            self.record_all()  # a method or a property may read any option
        return getattr(self._section, name)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        self.record_all()
        return iter(self._section)

    def __eq__(self, other: object) -> bool:
        self.record_all()
        return self._section == (other._section if isinstance(other, _RecordedSection) else other)

    def __hash__(self) -> int:
        return hash(self._section)

    def __repr__(self) -> str:
        return repr(self._section)

    def __reduce__(self) -> tuple[Callable[[Section], Section], tuple[Section]]:
        self.record_all()
        return _itself, (self._section,)


@cache
def _class_for(section: type[Section]) -> type[_RecordedSection]:
    """A class of wrappers with the class attributes that readers of a section ask for."""
    shown = {"model_fields": section.model_fields, "section_name": section.section_name, "__slots__": ()}
    return type(f"Recorded{section.__name__}", (_RecordedSection,), shown)


def _itself(section: Section) -> Section:
    return section


def read_options(plugins: Plugins, owners: Mapping[str, str], config: Config, readings: Readings) -> frozenset[str]:
    """Every option that the run or a part reads.

    Args:
        owners: section → the plugin that declares it.
        readings: the readings of the finished assembly.
    """
    late = [found for hook in READ_LATER for found in plugins.implementing(hook) if found.plugin != ENGINE]
    callers = {found.plugin for found in late}
    # sections of other plugins that such a hook names in its code may be read in another role
    named = {name for found in late for name in getattr(getattr(found.function, "__code__", None), "co_names", ())}
    classes = {section.section_name: type(section).__name__ for section in config}
    own = {
        path
        for path in config.flat()
        if owners[path.partition(".")[0]] in callers or classes[path.partition(".")[0]] in named
    }
    return frozenset(READ_BY_RUNS | own | readings.read())


def unread(sources: Iterable[Source], config: Config, read: frozenset[str], without: Callable[[], Config]) -> list[str]:
    """The options that nothing reads, although the user set them (`Source.unread` decides which are reported).

    Args:
        sources: the user's values, weakest first.
        config: the values in force.
        read: see `read_options`.
        without: makes the configuration that the composition has without the sources.
    """
    known = set(config.flat())
    anyway: dict[str, Any] | None = None
    strongest = {path: source for source in sources for path in source.values}
    found = []
    for path, source in strongest.items():
        if path not in known or path in read or source.values[path] in TRUE_WITHOUT_READER.get(path, ()):
            continue
        if source.unread == "defaults":
            anyway = anyway or {**without().flat()}
            if config.flat()[path] == anyway[path]:
                continue
        if source.unread != "allowed":
            found.append(path)
    return found


def explain(path: str, plugins: Plugins, owners: Mapping[str, str], config: Config, filled: Mapping[str, str]) -> str:
    """Say why an option has no effect: which plugin fills a slot in place of the plugin that would read the option.

    Args:
        filled: slot → the plugin that filled it.
    """
    name, _, key = path.partition(".")
    section = next(type(section) for section in config if section.section_name == name)
    owner, stated = owners[name], f"{path} = {config.flat()[path]!r} (from {config.sources[path]}) has no effect"
    for by_name in (True, False):
        for slot in plugins.slots():
            reader = next((found for found in plugins.implementing(slot) if found.plugin == owner), None)
            words = {*getattr(getattr(reader and reader.function, "__code__", None), "co_names", ())}
            if section.__name__ not in words or filled.get(slot) == owner:
                continue
            # a function that names no option of a section may hand the whole section on
            if key not in words if by_name else words & {*section.model_fields}:
                continue
            rival = filled.get(slot) or next((filled[user] for user in plugins.users(slot) if user in filled), None)
            if rival is not None:
                reads = "the engine" if owner == ENGINE else owner
                return (
                    f"{stated}: {rival} fills {slot} in place of {reads}, which would read it. Drop {path} or "
                    f"{'add no:' if plugins.is_brought(rival) else ''}{rival}"
                )
    return f"{stated}: no part of this composition reads it. Drop {path}"
