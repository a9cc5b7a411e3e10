"""The layout: what stands in the root of `framework`, how large a folder may be, and that imports make no circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("framework", "plugins", "envs")

ROOT = {
    *("__init__", "__main__", "config", "errors", "events", "hooks", "hookspecs", "options", "pytest_plugin"),
    *("seeding", "testing", "types"),
}
"""What authors of plugins import."""

MOST = 17
"""Modules and folders in a folder: as many as there are components with checks. The folder `plugins` holds plugins."""


def modules() -> dict[str, Path]:
    """Every module by its dotted name; packages by that of the package."""
    found = {}
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            if "templates" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(path: Path, known: set[str]) -> Iterator[str]:
    """The modules that a file imports anywhere: within functions and for type checkers, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                target = inner if inner in known else node.module
                if target in known:
                    yield target


def test_no_module_imports_itself_by_way_of_others() -> None:
    found = modules()
    graph = {name: set(imports_of(path, set(found))) - {name} for name, path in found.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' ← '.join(error.args[1])}")


def test_the_root_of_the_engine_is_what_authors_import() -> None:
    assert {path.stem for path in (REPOSITORY / "framework").glob("*.py")} == ROOT


@pytest.mark.parametrize("folder", sorted({path.parent for path in modules().values()}), ids=str)
def test_a_folder_is_small_enough_to_be_looked_over(folder: Path) -> None:
    if folder == REPOSITORY / "plugins":
        pytest.skip("each entry is a plugin")
    entries = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    names = {path.stem for path in entries} - {"__init__"}
    assert len(names - (ROOT if folder == REPOSITORY / "framework" else set())) <= MOST, sorted(names)


def test_every_folder_says_what_it_is_for() -> None:
    silent = [str(path) for path in modules().values() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_the_engine_imports_no_torch_no_plugins_and_no_environments() -> None:
    """What is imported in the end, not only what is written; the linter has the rule for what is written."""
    code = (
        "import pkgutil, importlib, sys, framework\n"
        "names = [m.name for m in pkgutil.walk_packages(framework.__path__, 'framework.')]\n"
        "[importlib.import_module(n) for n in names if not n.endswith(('__main__', 'testing'))]\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'torch', 'plugins', 'envs'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
