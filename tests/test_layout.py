"""The layout: what is in the root of `framework`, how large a folder may be, and what may import what."""

from __future__ import annotations

import ast
import re
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
    *("seeding", "spaces", "testing", "types"),
}
"""The modules that authors of plugins import. `types` is a folder."""

MOST = 18
"""The most modules and folders in a folder: the number of components with checks. `plugins` may have more."""


def modules() -> dict[str, Path]:
    """Every module by its dotted name; an `__init__` by the name of its package."""
    found = {}
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            if "templates" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(importer: str, path: Path, known: set[str]) -> Iterator[str]:
    """The modules that a file imports, also within functions and for type checkers."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                target = inner if inner in known else node.module
                if target in known:
                    yield target
                # the packages above it are imported, too; those above both are imported already
                parts = target.split(".")
                above = {".".join(parts[: n + 1]) for n in range(1, len(parts))} & known
                yield from (package for package in above if not f"{importer}.".startswith(f"{package}."))


def test_no_module_imports_itself_by_way_of_others() -> None:
    found = modules()
    graph = {name: set(imports_of(name, path, set(found))) - {name} for name, path in found.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' ← '.join(error.args[1])}")


STARTERS = {"framework", "framework.__main__", "framework.testing", "framework.pytest_plugin"}
"""Modules of the root that import what they start."""


def folder_of(module: str) -> str:
    """The row of the map in `docs/architecture.md` that a module belongs to."""
    parts = module.split(".")
    if parts[0] != "framework":
        return parts[0]
    if (
        parts[1:2] == ["conformance"]
        and parts[2:3] != []
        and (REPOSITORY / "framework" / "conformance" / parts[2]).is_dir()
    ):
        return ".".join(parts[:3])
    in_root = len(parts) == 1 or parts[1] in ROOT or not (REPOSITORY / "framework" / parts[1]).is_dir()
    return (
        ("framework.hookspecs" if module == "framework.hookspecs" else "framework") if in_root else ".".join(parts[:2])
    )


def test_the_map_of_the_architecture_is_true() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.split("| folder |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `([\w.]+)`[^|]*\|[^|]*\|([^|]*)\|$", table, re.MULTILINE)
    found, known = modules(), set(modules())
    imported: dict[str, set[str]] = {}
    for name, path in found.items():
        if name not in STARTERS:
            own = folder_of(name)
            imported.setdefault(own, set()).update(
                {folder_of(other) for other in imports_of(name, path, known)} - {own}
            )
    assert {row for row, _ in rows} == set(imported)
    for row, words in rows:
        if "nothing of the engine" in words:
            assert imported[row] == set(), row
        elif row != "framework.cli":  # it may import any folder of the engine
            named = {name if name in imported else f"framework.{name}" for name in re.findall(r"`([\w.]+)`", words)}
            assert imported[row] == named | {"framework"}, row


def test_the_root_of_the_engine_is_what_authors_import() -> None:
    root = REPOSITORY / "framework"
    assert {path.stem for path in root.glob("*.py")} | {
        path.parent.name for path in root.glob("types/__init__.py")
    } == ROOT


@pytest.mark.parametrize("folder", sorted({path.parent for path in modules().values()}), ids=str)
def test_a_folder_is_small_enough_to_be_looked_over(folder: Path) -> None:
    if folder == REPOSITORY / "plugins":
        pytest.skip("each entry is a plugin")
    entries = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    names = {path.stem for path in entries} - {"__init__"}
    assert len(names - (ROOT if folder == REPOSITORY / "framework" else set())) <= MOST, sorted(names)


def test_every_module_has_a_docstring() -> None:
    silent = [str(path) for path in modules().values() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_the_engine_imports_no_torch_no_plugins_and_no_environments() -> None:
    """Also through other modules. The linter checks only what a module imports itself."""
    code = (
        "import pkgutil, importlib, sys, framework\n"
        "names = [m.name for m in pkgutil.walk_packages(framework.__path__, 'framework.')]\n"
        "[importlib.import_module(n) for n in names if not n.endswith(('__main__', 'testing'))]\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'torch', 'plugins', 'envs'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
