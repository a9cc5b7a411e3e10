"""Writes folders as runs and studies leave them, without running anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit

from framework.study.runs import folder_name


def write_run(
    folder: Path,
    returns: Sequence[float | None] = (0.0, 1.0, 2.0),
    *,
    plugins: Sequence[str] = ("tabular", "chain"),
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
    evaluations: Sequence[float] = (),
    learning: bool = False,
    ended: bool = True,
    complete: bool = False,
) -> Path:
    """A run of ten steps, twenty frames and 36 seconds for each episode; `returns` are its running means."""
    folder.mkdir(parents=True)
    values = {"run.plugins": list(plugins), "run.seed": seed, "run.steps": 10 * len(returns), **(options or {})}
    document = tomlkit.document()
    for path, value in values.items():
        section, key = path.split(".")
        table = document.setdefault(section, tomlkit.table())
        source = "command line" if path in ("run.plugins", "run.seed") or path in (options or {}) else "default"
        table.add(tomlkit.comment(f"about {key} [{source}]"))
        table.add(key, value)
    (folder / "config.toml").write_text(tomlkit.dumps(document))
    told = {
        "plugins": [Path(name).stem if name.endswith(".py") else name for name in plugins],
        "slots": {"make_env": plugins[-1], "make_policy": plugins[0]},
        "environment": {},
        "versions": {"python": "3.11.7", "numpy": "2.0"},
        "command": ["framework", "run"],
        **(manifest or {}),
    }
    (folder / "manifest.json").write_text(json.dumps(told))
    rows: list[dict[str, Any]] = []
    for number, value in enumerate(returns, start=1):
        clocks = {"env_steps": 10 * number, "frames": 20 * number, "updates": number, "seconds": 36.0 * number}
        rows.append(
            {"kind": "episode", **clocks, "episode": number, "return": value, "mean_100": value, "epsilon": 0.5}
        )
        if learning:
            rows.append({"kind": "learning", **clocks, "loss": 1 / number, "steps_per_second": 100.0})
        if number <= len(evaluations):
            rows.append({"kind": "evaluation", **clocks, "mean": evaluations[number - 1], "deviation": 0.5})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if ended:
        (folder / "last.json").write_text(json.dumps({"env_steps": 10 * len(returns)}))
    if complete:
        (folder / "result.json").write_text("{}\n")
    return folder


def write_study(folder: Path, arms: Mapping[str, Mapping[int, Sequence[float | None] | None]]) -> Path:
    """A study. The value of a seed is its running means; None is a run that failed before its first row."""
    folder.mkdir(parents=True)
    definitions = {label: {"plugins": ["tabular", "chain"], "values": {}} for label in arms}
    (folder / "study.json").write_text(json.dumps({"arms": definitions}))
    for label, seeds in arms.items():
        place = folder / folder_name(label)
        place.mkdir()
        for seed, returns in seeds.items():
            write_run(place / f"seed-{seed}", returns or (), seed=seed, ended=bool(returns), complete=bool(returns))
            (place / f"seed-{seed}.output.txt").write_text("" if returns else "error: out of coffee\n")
    return folder
