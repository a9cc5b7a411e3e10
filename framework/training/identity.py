"""The identity of a run: its plugins, versions, options, and the parts' descriptions of themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from framework.assembly.configuration import is_file
from framework.assembly.discovery import installed
from framework.assembly.manager import Plugins
from framework.assembly.parts import Parts
from framework.training.run_folder import manifest

ABSENT = "(absent)"


def about(parts: Parts) -> dict[str, Any]:
    """What a checkpoint's manifest says about the run: its counters, options and identity."""
    return as_json(
        {"counters": parts.counters.state_dict(), "options": parts.config.flat(), "identity": identity(parts)}
    )


def identity(parts: Parts) -> dict[str, Any]:
    """Everything that must be the same for a run to continue bit for bit. The machine and the command may change."""
    described = {key: value for key, value in manifest(parts).items() if key not in ("machine", "command")}
    free = {f"{section.section_name}.{key}" for section in parts.config for key in section.free}
    options = {path: value for path, value in parts.config.flat().items() if path not in free}
    # a file may lie elsewhere, or be the run's own copy: its content is compared below
    options["run.plugins"] = [Path(name).name if is_file(name) else name for name in options["run.plugins"]]
    return as_json({**described, "options": options, "sources": _sources(parts.plugins)})


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Every value that differs between two identities, as text: "options.run.seed: 0 then, 1 now"."""
    then, today = dict(leaves(before)), dict(leaves(now))
    return [
        f"{path}: {then.get(path, ABSENT)} then, {today.get(path, ABSENT)} now"
        for path in sorted(then.keys() | today.keys())
        if then.get(path, ABSENT) != today.get(path, ABSENT)
    ]


def _sources(plugins: Plugins) -> dict[str, str]:
    """Plugin → its distribution and version; for a plugin that is not installed, the hash of its source file."""
    return {name: _source(plugins.origins[name].text, plugins.manager.get_plugin(name)) for name in plugins.names}


def _source(text: str, plugin: object) -> str:
    points = installed().get(text, [])
    if points and points[0].dist is not None:
        return f"{points[0].dist.name} {points[0].dist.version}"
    file = getattr(plugin, "__file__", None)
    return f"sha256 {hashlib.sha256(Path(file).read_bytes()).hexdigest()}" if file else text


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a nested mapping that is no mapping: ("a.b", its JSON). A list is one value."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, json.dumps(node, ensure_ascii=False)


def as_json(value: dict[str, Any]) -> dict[str, Any]:
    """The value as JSON gives it back: tuples become lists, and values that JSON cannot store become text."""
    result: dict[str, Any] = json.loads(json.dumps(value, default=str))
    return result
