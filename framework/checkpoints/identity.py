"""What makes a run this run and no other: plugins, versions, options, and what the parts say of themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from framework.assembly.configuration import ENDS
from framework.assembly.discovery import installed
from framework.assembly.manager import Plugins
from framework.assembly.parts import Parts
from framework.training.run_folder import manifest

FREE = (*ENDS, "checkpoint.every", "run.watchdog", "run.env_processes")
"""Options that may change without changing what was done up to now, nor what is done next."""

ABSENT = "(absent)"


def about(parts: Parts) -> dict[str, Any]:
    """What a checkpoint says of its run: how far it is, its options, and its identity."""
    return _as_json(
        {"counters": parts.counters.state_dict(), "options": parts.config.flat(), "identity": identity(parts)}
    )


def identity(parts: Parts) -> dict[str, Any]:
    """All that must be the same for the run to go on bit for bit. The machine and the command are left out."""
    described = {key: value for key, value in manifest(parts).items() if key not in ("machine", "command")}
    options = {path: value for path, value in parts.config.flat().items() if path not in FREE}
    return _as_json({**described, "options": options, "sources": _sources(parts.plugins)})


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Every leaf that differs between two identities, in words: "options.run.seed: 0 then, 1 now"."""
    then, today = dict(_leaves(before)), dict(_leaves(now))
    return [
        f"{path}: {then.get(path, ABSENT)} then, {today.get(path, ABSENT)} now"
        for path in sorted(then.keys() | today.keys())
        if then.get(path, ABSENT) != today.get(path, ABSENT)
    ]


def _sources(plugins: Plugins) -> dict[str, str]:
    """Plugin → the distribution and version that it comes from; of a loose file, the hash of its source."""
    return {name: _source(plugins.origins[name].text, plugins.manager.get_plugin(name)) for name in plugins.names}


def _source(text: str, plugin: object) -> str:
    points = installed().get(text, [])
    if points and points[0].dist is not None:
        return f"{points[0].dist.name} {points[0].dist.version}"
    file = getattr(plugin, "__file__", None)
    return f"sha256 {hashlib.sha256(Path(file).read_bytes()).hexdigest()}" if file else text


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, json.dumps(node, ensure_ascii=False)


def _as_json(value: dict[str, Any]) -> dict[str, Any]:
    """As it will be read back: tuples are lists, and what JSON lacks is text."""
    result: dict[str, Any] = json.loads(json.dumps(value, default=str))
    return result
