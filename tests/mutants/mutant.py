"""A planted bug: a few lines of a module that are replaced while it is imported."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """One bug.

    name: of the bug, unique.
    component: that the first failing check should name; one of `framework.conformance.check.COMPONENTS`.
    row: of the catalogue of real bugs that it re-enacts ("owner/repository#issue"), or what it is.
    plugins: the composition that has it.
    module, old, new: in the source of this module, `old` (found exactly once) becomes `new`.
    """

    name: str
    component: str
    row: str
    plugins: str
    module: str
    old: str
    new: str


class _Planter(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert found is not None and found.origin is not None
        return importlib.util.spec_from_file_location(
            fullname, found.origin, loader=self, submodule_search_locations=found.submodule_search_locations
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None and module.__spec__.origin is not None
        with open(module.__spec__.origin, encoding="utf-8") as file:
            source = planted(file.read(), self._mutant)
        exec(compile(source, module.__spec__.origin, "exec"), module.__dict__)


def planted(source: str, mutant: Mutant) -> str:
    """The source with the bug in it.

    Raises:
        ValueError: if the source does not have the lines exactly once.
    """
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.module} has {source.count(mutant.old)} times {mutant.old!r}")
    return source.replace(mutant.old, mutant.new)


def plant(mutant: Mutant) -> None:
    """Plant the bug in this process, which must not have imported the module yet."""
    assert mutant.module not in sys.modules, f"{mutant.module} is imported already"
    sys.meta_path.insert(0, _Planter(mutant))


def all_mutants() -> list[Mutant]:
    """The bugs of every module `bugs_…` beside this one, in alphabetical order of the modules."""
    import pkgutil
    from pathlib import Path

    here = Path(__file__).parent
    found: list[Mutant] = []
    for name in sorted(module.name for module in pkgutil.iter_modules([str(here)])):
        if name.startswith("bugs_"):
            module: Any = importlib.import_module(f"tests.mutants.{name}")
            found += module.MUTANTS
    return found
