"""Writes a new plugin for the command `new`: a small one that works, in a folder of its own.

Each slot has a template: a plugin that fills it, and its test, as ordinary Python files that nothing imports.
The engine's templates are in `framework/cli/templates`. Those for a plugin's own slots are in a folder `templates`
beside its module. The user's name for the plugin replaces `my_variant` in their text, and `MyVariant` in class names.
"""

from __future__ import annotations

import json
import keyword
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from framework.assembly.discovery import DISTRIBUTION, installed, spec_of
from framework.assembly.manager import ENGINE
from framework.defaults.plugin import config_sections
from framework.errors import UsageError, did_you_mean, listed

PLACEHOLDER, CLASS_PLACEHOLDER = "my_variant", "MyVariant"


@dataclass(frozen=True)
class Template:
    """A plugin that fills a slot. `owner` is the plugin that declares the slot, or "" for the engine."""

    slot: str
    owner: str
    path: Path

    @property
    def test(self) -> Path:
        """The template of the plugin's test."""
        return self.path.with_name(f"test_{self.path.name}")

    def completed_by(self) -> list[str]:
        """The plugins that complete its composition: those in its CHECK_WITH, if it has one."""
        wish = re.search(r'^CHECK_WITH = "(.*)"$', self.path.read_text(encoding="utf-8"), re.MULTILINE)
        if wish:
            return wish[1].split(",")
        return [self.owner or "tabular"] if self.slot == "make_env" else [self.owner or "tabular", "chain"]


@dataclass(frozen=True)
class Created:
    """The files that were written, and the commands to type next."""

    files: Sequence[Path]
    commands: Sequence[str]


def templates() -> dict[str, Template]:
    """slot → its template: the engine's, then those of each installed plugin. No plugin is imported."""
    homes = {"": Path(__file__).parent}
    for name, points in installed().items():
        home = _home(points[0].module)
        if home:
            homes[name] = home
    return {
        path.stem: Template(path.stem, owner, path)
        for owner, home in homes.items()
        for path in sorted((home / "templates").glob(f"{owner}_*.py" if owner else "make_*.py"))
    }


def create(name: str, fills: Sequence[str], directory: Path) -> Created:
    """Write a plugin's folder.

    Args:
        name: the name of the plugin and of the folder.
        fills: the slot, exactly one.
        directory: where to create the folder.

    Raises:
        UsageError: if the name is invalid or taken, the slot has no template, or the folder is not empty.
    """
    _refuse_name(name)
    template = _template(fills)
    folder = directory / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists already: choose another name, or another place with --directory")
    _refuse_twins(name, template.path)
    texts = {
        "pyproject.toml": _pyproject(name, template),
        f"{name}.py": _named(name, template.path),
        f"test_{name}.py": _named(name, template.test),
        "README.md": _readme(name, template),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    commands = _commands(f"{folder / name}.py", str(folder), template)
    if not find_spec("pytest"):
        commands.insert(1, "python -m pip install pytest")
    return Created([folder / file for file in texts], commands)


def class_name(name: str) -> str:
    """my_variant → MyVariant."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _home(module: str) -> Path | None:
    spec = spec_of(module)
    return Path(spec.origin).parent if spec and spec.origin else None


def _refuse_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?", name) or keyword.iskeyword(name):
        raise UsageError(
            f"'{name}' cannot name a plugin: use letters, digits and _, start with a letter, do not end with _, and "
            "use no Python keyword"
        )
    if name in installed():
        raise UsageError(f"a plugin '{name}' is installed already: choose another name")
    sections = {section.section_name for section in config_sections()}
    place = _home(name)
    if name in {ENGINE, *sections, *sys.stdlib_module_names} or place:
        owner = "the engine" if name in {ENGINE, *sections} else f"a module in {place}" if place else "a Python module"
        raise UsageError(f"'{name}' is the name of {owner}, which the plugin would hide: choose another")


def _template(fills: Sequence[str]) -> Template:
    known = templates()
    names = listed(list(known), "or")
    if not fills:
        raise UsageError(f"what should the plugin fill? Add --fills with {names}")
    problems = [
        f"there is no template for '{slot}'.{did_you_mean(slot, list(known))} There are: {names}"
        for slot in fills
        if slot not in known
    ]
    if not problems and len(fills) > 1:
        problems = [f"one slot at a time: create a plugin for each of {listed(fills)}, or add the second hook by hand"]
    if problems:
        raise UsageError(problems)
    return known[fills[0]]


def _refuse_twins(name: str, path: Path) -> None:
    """Refuse a name that gives a class the name of something the template uses, as `frame` gives FrameReplay."""
    words = set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    for word in sorted(word for word in words if CLASS_PLACEHOLDER in word):
        named = word.replace(CLASS_PLACEHOLDER, class_name(name))
        if named in words and named != word:
            raise UsageError(f"'{name}' would give two things in the plugin the name '{named}': choose another")


def _named(name: str, path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return text.replace(PLACEHOLDER, name).replace(CLASS_PLACEHOLDER, class_name(name))


def _commands(file: str, folder: str, template: Template) -> list[str]:
    return [
        shlex.join(["python", "-m", "framework", "check", file]),
        shlex.join(["python", "-m", "pytest", folder]),
        shlex.join(["python", "-m", "framework", "run", "--plugins", ",".join([*template.completed_by(), file])]),
    ]


def _readme(name: str, template: Template) -> str:
    check, test, run = _commands(f"./{name}.py", ".", template)
    return (
        f"- Install it: `pip install -e '.[test]'`; its name, `{name}`, then works in place of its file.\n"
        f"- Check it: `{check}`. Run its own test as well: `{test}`.\n"
        f"- Run it: `{run}`.\n"
    )


def _requirements(template: Template) -> list[str]:
    """The distributions of the composition's plugins, each with the extras that have the name of such a plugin."""
    extras: dict[str, set[str]] = {DISTRIBUTION: set()}
    for name in template.completed_by():
        for point in installed().get(name, [])[:1]:
            if point.dist:
                offered = point.dist.metadata.get_all("Provides-Extra") or []
                extras.setdefault(point.dist.name, set()).update({name} & set(offered))
    return [f"{owner}[{','.join(sorted(found))}]" if found else owner for owner, found in extras.items()]


def _pyproject(name: str, template: Template) -> str:
    summary = template.path.read_text(encoding="utf-8").removeprefix('"""').partition("\n")[0].rstrip('."')
    return f"""\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name.replace("_", "-")}"
version = "0.1.0"
description = {json.dumps(summary, ensure_ascii=False)}
readme = "README.md"
requires-python = ">=3.11"
dependencies = {json.dumps(_requirements(template))}

[project.optional-dependencies]
test = ["{DISTRIBUTION}[test]"]

[project.entry-points."framework.plugins"]
{name} = "{name}"

[tool.setuptools]
py-modules = ["{name}"]
# without this, Python in the folder above would import this folder, which has the module's name, not the module
package-dir = {{ "" = "." }}

[tool.ruff]
line-length = 120
lint.ignore = ["F722", "F821", "UP037"]  # jaxtyping's shapes are strings that are not Python code
lint.isort.known-first-party = ["framework", "plugins"]
"""
