"""What commands here share: the line under a table, messages about missing packages, and results that are kept."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer


def need(module: str, install: str) -> None:
    """End the command with exit code 2 unless the module is installed."""
    if importlib.util.find_spec(module) is None:
        typer.echo(
            f"this measurement needs {module}, which is not installed. Install it: pip install {install}", err=True
        )
        raise typer.Exit(2)


def one_of(known: Iterable[str]) -> Callable[[list[str] | None], list[str] | None]:
    """Returns the callback of an option that takes names: another name ends the command with exit code 2."""
    names = list(known)

    def check(given: list[str] | None) -> list[str] | None:
        unknown = [name for name in given or () if name not in names]
        if unknown:
            raise typer.BadParameter(f"{', '.join(map(repr, unknown))}: choose from {', '.join(names)}")
        return given

    return check


def need_emulator() -> None:
    """End the command with exit code 2 unless Pong's emulator is installed."""
    need("ale_py", "'pluggable-q[pong]'")


def made_once(path: Path, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Returns what a JSON file holds. If it is missing, `make` makes that first; a stop before leaves no file."""
    if not path.is_file():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(made), encoding="utf-8")
        os.replace(partial, path)
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def foot(packages: Sequence[str] = (), **settings: object) -> str:
    """Returns how a table was made: the settings, the versions of Python, numpy and `packages`, and the machine."""
    how = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", *packages))
    return (
        f"Made with {how}; Python {platform.python_version()}, {versions}; {_processor()}, "
        f"{_cores()} usable cores, {platform.system()}.{_load()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _load() -> str:
    """Returns the load average, which includes this measurement's own threads, where the system has one."""
    return f" Load average at the end: {os.getloadavg()[0]:.1f}." if hasattr(os, "getloadavg") else ""
