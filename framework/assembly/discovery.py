"""Finds a plugin by its name: an entry point, a dotted module, a file or the id of a gymnasium environment.

Only named plugins are imported. For suggestions ("add chain, grid or pong") this module parses the source of the
installed plugins and does not run it.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from framework.environments.gym import PREFIX, GymEnvironment
from framework.errors import UsageError, did_you_mean

DISTRIBUTION = "pluggable-q"

GROUP = "framework.plugins"

OWN_PACKAGES = ("framework", "plugins", "envs")
"""The packages of this project. A folder of the user with such a name hides them, or they hide it."""


@cache
def installed() -> Mapping[str, list[EntryPoint]]:
    """The name of each installed plugin → the entry points with that name; more than one is a conflict.

    Cached, because this parses the metadata of every distribution, and the harness resolves names often.
    """
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        owner = point.dist.name if point.dist else ""
        found.setdefault(point.name, {})[f"{owner}:{point.value}"] = point
    return {name: list(points.values()) for name, points in sorted(found.items())}


def resolve(text: str) -> tuple[str, object]:
    """The plugin that `text` names: (its short name, the plugin object).

    Args:
        text: an installed plugin's name, a dotted module, the path of a `.py` file, or `gym:` and a gymnasium id.

    Raises:
        UsageError: if there is no such plugin, if two distributions provide it, or if its import fails.
    """
    if text.startswith(PREFIX):
        return text, GymEnvironment(text.removeprefix(PREFIX))
    points = installed().get(text, [])
    if len(points) > 1:
        owners = sorted(f"'{point.dist.name if point.dist else point.value}'" for point in points)
        raise UsageError(f"plugin '{text}' is provided by {' and by '.join(owners)}: uninstall all but one")
    if points:
        return text, _import(points[0], text)
    if text.endswith(".py") or "/" in text:
        return Path(text).stem, _import_file(Path(text))
    if "." in text and _find(text):
        return text.rpartition(".")[2], _import(EntryPoint(text, text, GROUP), text)
    if _find(text):
        return text, _import(EntryPoint(text, text, GROUP), text)
    package, file = text.partition(".")[0], Path(*text.split(".")).with_suffix(".py")
    if package in OWN_PACKAGES and file.is_file():
        raise UsageError(
            f"plugin '{text}': the package '{package}' of {DISTRIBUTION} hides your folder of that name: name the "
            f"file, {file}, or rename the folder"
        )
    known = list(installed())
    if not known:
        raise UsageError(f"unknown plugin '{text}': no plugins are installed; run 'pip install -e .' in the checkout")
    hint = did_you_mean(text, known) or " See 'python -m framework plugins' for the installed ones."
    raise UsageError(f"unknown plugin '{text}'.{hint}")


def spec_of(dotted: str) -> ModuleSpec | None:
    """Where a module is, without importing it; None if it cannot be found. The packages above it are imported."""
    try:
        return importlib.util.find_spec(dotted)
    except Exception:  # a broken package may raise anything
        return None


def _find(dotted: str) -> bool:
    """Whether a module of this name exists outside the standard library."""
    if dotted.partition(".")[0] in sys.stdlib_module_names:
        return False
    try:
        spec = importlib.util.find_spec(dotted)
    except (ImportError, ValueError, AttributeError):
        return False
    except Exception:  # it exists, and importing it will say what is wrong
        return True
    return spec is not None and spec.origin is not None


def _import(point: EntryPoint, text: str) -> object:
    try:
        return point.load()
    except ImportError as error:
        raise UsageError(_import_problem(point.module, text, error)) from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"plugin '{text}' cannot be imported: {type(error).__name__}: {error}") from error


def _import_problem(module: str, text: str, error: ImportError) -> str:
    package = module.partition(".")[0]
    if error.name and (error.name == module or module.startswith(f"{error.name}.")):
        found = getattr(sys.modules.get(package), "__file__", None)
        if found and Path(found).parent.parent != Path(__file__).parent.parent:
            return (
                f"plugin '{text}': its package '{package}' is hidden by {Path(found).parent}: "
                "rename that folder or start from another one"
            )
    missing = error.name.partition(".")[0] if error.name else ""
    fix = f": install it with 'pip install {missing}'" if missing and missing != package else ""
    return f"plugin '{text}' cannot be imported: {error}{fix}"


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"plugin file '{path}' {'is a folder' if path.is_dir() else 'does not exist'}")
    if not path.stem.isidentifier():
        raise UsageError(
            f"plugin file '{path}': '{path.stem}' is not a Python name: rename it, with letters, digits and _"
        )
    # a unique name, so that a file can never hide another module; the same file always has the same name
    name = f"framework_plugin_{path.stem}_{zlib.crc32(str(path.resolve()).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"plugin file '{path}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look up their module by its name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UsageError(f"plugin file '{path}' cannot be imported: {type(error).__name__}: {error}") from error
    return module


@cache
def providers() -> dict[str, tuple[str, ...]]:
    """Hook → the installed plugins that could provide it, read from their source without importing them.

    If families offer defaults for a hook, only the families are listed: the other plugins are variants of them. For
    `make_env`, the environments of gymnasium are listed as one.
    """
    claims: dict[str, list[str]] = {}
    families: dict[str, list[str]] = {}
    for name, points in installed().items():
        for hook, marks in _implemented(points[0].module).items():
            if "wrapper" not in marks:
                (families if "trylast" in marks else claims).setdefault(hook, []).append(name)
    found = {hook: tuple(names) for hook, names in (claims | families).items()}
    return {**found, "make_env": (*found.get("make_env", ()), f"{PREFIX}ID")}


def _implemented(module: str) -> dict[str, str]:
    """Hook → the source of its marker, such as "hookimpl(trylast=True)"."""
    spec = spec_of(module)
    if spec is None or spec.origin is None:
        return {}
    try:
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return {}
    return {
        node.name: ast.unparse(decorator)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if "hookimpl" in ast.unparse(decorator)
    }
