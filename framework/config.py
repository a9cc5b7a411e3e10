"""The options: one typed section for each plugin. The configuration records where each value came from.

Sources, weakest first: the default, a plugin's recommendation, a bundle, a TOML file, `--set`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from framework.errors import UsageError, did_you_mean

Values = Mapping[str, Any]
"""Flat: "section.key" → value."""


class Section(BaseModel):
    """The options of one plugin. Subclass it with a name: `class DQN(Section, name="dqn")`.

    A second keyword, `searched={"learning_rate": "log(1e-4, 1e-2)"}`, says what the command `sweep` tries. A third,
    `free=["address"]`, names options that may change when a run continues.

    Every field needs a default and `Field(description=…)`; a field without them raises TypeError.
    pydantic checks the constraints (`gt=0`, `Literal[…]`) of values from every source.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    section_name: ClassVar[str]

    presets: ClassVar[Mapping[str, Mapping[str, Values]]] = {}
    """An option that sets others: its key → its value, as text → the values that it stands for, as "section.key".

    They count as if the source that sets the option had set them, but each value that this source sets itself is
    stronger. For the option's default, they must be the defaults.
    """

    searched: ClassVar[Values] = {}
    """An option → the values that the command `sweep` tries if the user names no options: "log(1e-4, 1e-2)".

    A key of this section, or "section.key" for an option of another. A composition that does not read the option
    ignores the entry. The notation is that of `framework.search.space`.
    """

    free: ClassVar[Sequence[str]] = ()
    """Options that may change when a run continues: they affect neither the steps already made nor the next ones."""

    def __init_subclass__(
        cls, *, name: str = "", searched: Values | None = None, free: Sequence[str] = (), **kwargs: Any
    ) -> None:
        # pydantic passes the class's keywords here too; __pydantic_init_subclass__ uses them when the fields are known
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, name: str = "", searched: Values | None = None, free: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not name.isidentifier():
            raise TypeError(f"{cls.__name__} needs a section name: class {cls.__name__}(Section, name='…')")
        cls.section_name = name
        for key, info in cls.model_fields.items():
            if not info.description or info.is_required():
                raise TypeError(f"{name}.{key} needs a default and Field(description='…')")
        cls.searched = searched or {}
        for key in cls.searched:
            if "." not in key and key not in cls.model_fields:
                raise TypeError(f"{name}.searched names {key!r}, which is no option of {name}")
        cls.free = tuple(free)
        for key in cls.free:
            if key not in cls.model_fields:
                raise TypeError(f"{name}.free names {key!r}, which is no option of {name}")


S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Source:
    """A group of values. `label` says where they come from, in messages and in the run's config.toml.

    `unread` says what happens to a value that no part reads: "allowed" accepts it, "defaults" accepts it only if the
    composition would have the same value without it, and "refused" reports it as an error.
    """

    label: str
    values: Values
    unread: Literal["allowed", "defaults", "refused"] = "allowed"


class Config:
    """The values in force. `config[Section]` is the typed section.

    `config.sources["a.b"]` says where the value of a.b came from. It has no entry for an option that no source sets.
    """

    def __init__(self, sections: Iterable[Section], sources: Mapping[str, str]) -> None:
        self._sections: dict[type[Section], Section] = {type(section): section for section in sections}
        self.sources = dict(sources)

    def __getitem__(self, section: type[S]) -> S:
        value = self._sections[section]
        assert isinstance(value, section)
        return value

    def for_later(self) -> Config:
        """This configuration for a hook that the engine calls again after the assembly."""
        return self

    def __iter__(self) -> Iterator[Section]:
        return iter(self._sections.values())

    def flat(self) -> dict[str, Any]:
        """Every value in force as "section.key" → JSON-like value."""
        return {
            f"{section.section_name}.{key}": value
            for section in self
            for key, value in section.model_dump(mode="json").items()
        }

    def to_toml(self, only: Container[str]) -> str:
        """The options in `only` ("section.key") as TOML, each with its description and where its value came from."""
        import tomlkit

        document = tomlkit.document()
        for section in self:
            table = tomlkit.table()
            for key, value in section.model_dump(mode="json").items():
                if f"{section.section_name}.{key}" not in only:
                    continue
                source = self.sources.get(f"{section.section_name}.{key}", "default")
                description = type(section).model_fields[key].description or ""
                table.add(tomlkit.comment(f"{' '.join(description.split())} [{source}]"))
                if value is None:
                    table.add(tomlkit.comment(f"{key} = (not set)"))
                else:
                    table.add(key, value)
            if table.as_string():
                document.add(section.section_name, table)
        return tomlkit.dumps(document)


def build_config(sections: Sequence[type[Section]], sources: Sequence[Source]) -> Config:
    """Merge the sources, weakest first, and validate everything.

    Raises:
        UsageError: naming every unknown section or key and every bad value with its source.
    """
    by_name = {section.section_name: section for section in sections}
    merged: dict[str, dict[str, Any]] = {name: {} for name in by_name}
    origin: dict[str, str] = {}
    problems: list[str] = []
    for source in sources:
        for path, value in source.values.items():
            problem = unknown(path, by_name)
            if problem:
                problems.append(f"{path} (from {source.label}): {problem}")
                continue
            name, key = path.split(".", 1)
            merged[name][key] = value
            origin[path] = source.label
    built = []
    for name, section in by_name.items():
        try:
            built.append(section.model_validate(merged[name]))
        except pydantic.ValidationError as error:
            for item in error.errors():
                key = str(item["loc"][0]) if item["loc"] else ""
                path = f"{name}.{key}" if key else name
                message = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
                message = message.replace("a valid tuple", "a list, such as [1, 2]")
                message = message.replace("a valid dictionary", 'a table, such as {name = "value", other = 2}')
                shown = f" = {merged[name][key]!r}" if key in merged[name] else ""
                problems.append(f"{path}{shown} (from {origin.get(path, 'several values together')}): {message}")
    if problems:
        raise UsageError(problems)
    return Config(built, origin)


def unknown(path: str, by_name: Mapping[str, type[Section]]) -> str:
    """Why "section.key" is no option of these sections, with the nearest name; "" if it is one."""
    name, dot, key = path.partition(".")
    if not dot:
        return "write it as section.key=value"
    if name not in by_name:
        owners = [other for other, section in by_name.items() if key in section.model_fields]
        hint = did_you_mean(name, list(by_name)) or (f" Did you mean '{owners[0]}.{key}'?" if owners else "")
        return f"no loaded plugin has a section '{name}'.{hint} Sections here: {', '.join(sorted(by_name))}"
    fields = by_name[name].model_fields
    if key not in fields:
        hint = did_you_mean(key, list(fields))
        return f"'{name}' has no option '{key}'.{hint} Its options: {', '.join(fields)}"
    return ""


def parse_assignment(text: str) -> tuple[str, Any]:
    """ "section.key=value" → (path, value). The value is read as TOML or JSON, or as plain text if it is neither.

    The value "none", which TOML lacks, unsets an optional option.

    Raises:
        UsageError: if there is no "=" or no section.
    """
    path, equals, value = (part.strip() for part in text.partition("="))
    if not equals or "." not in path:
        raise UsageError(f"--set {text}: write it as --set section.key=value")
    return path, parse_value(value)


def parse_value(text: str) -> Any:
    """A value as it is written after `--set section.key=`."""
    if text.lower() == "none":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return json.loads(text) if text[:1] in ("{", "[") else text
    except ValueError:
        return text


def read_toml(path: Path) -> Values:
    """Read a configuration file as flat values. `run.plugins`, if present, is a list of names.

    Raises:
        UsageError: if the file cannot be read, is not valid TOML, has a key outside a [section], or if `run.plugins`
            is not a list of names.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    loose = [key for key, value in document.items() if not isinstance(value, dict)]
    if loose:
        raise UsageError(f"{path}: '{loose[0]}' is outside a [section]: move it into one")
    values = {f"{name}.{key}": value for name, table in document.items() for key, value in table.items()}
    plugins = values.get("run.plugins", [])
    if not isinstance(plugins, list) or not all(isinstance(name, str) for name in plugins):
        raise UsageError(f"{path}: run.plugins must be a list of names, not {plugins!r}")
    return values


__all__ = ["Config", "Field", "Section", "Source", "build_config", "parse_assignment", "read_toml"]
