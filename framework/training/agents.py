"""Loads trained agents: from the folder of a run, or from the package of a plugin that includes one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from framework.assembly.assemble import assemble_agent
from framework.assembly.configuration import configure, plugin_names
from framework.assembly.discovery import installed, spec_of
from framework.assembly.parts import Agent
from framework.assembly.renamed import RENAMED
from framework.config import Source
from framework.errors import UsageError, listed
from framework.recording.files import readable
from framework.recording.states import load_state
from framework.training.run_folder import CONFIG, recorded_options, recorded_plugins

WEIGHTS = {
    "evaluation": "best/evaluation.safetensors",
    "last": "last.safetensors",
    "mean_100": "best/mean_100.safetensors",
}
"""The weights that a run may have saved, the preferred first."""


def load(
    run: str | Path,
    weights: str | None = None,
    values: Mapping[str, Any] | None = None,
    plugins: str | Sequence[str] | None = None,
) -> Agent:
    """The agent of a recorded run.

    Args:
        run: the run folder, or the name of an installed plugin that includes a trained agent.
        weights: "evaluation", "last" or "mean_100"; default: the first of them that the run saved.
        values: options as {"section.key": value}. They override the run's own options.
        plugins: used in the place of those that the run names, all of them. Options of plugins that are not among them
            are left out.

    Raises:
        UsageError: if this is not a run folder, it has no such weights, its plugins are not available, or a file is
            damaged.
    """
    (folder, path), chosen = saved_weights(run, weights), plugins
    recorded = recorded_options(folder)
    if plugins is not None:
        known = {*configure(plugins)[1].flat(), *RENAMED}
        recorded = {option: value for option, value in recorded.items() if option in known}
    else:
        plugins = recorded_plugins(folder, recorded)
    sources = [Source(f"file {folder / CONFIG}", recorded), Source("values", values or {})]
    state, agent = load_state(path), assemble_agent(plugins, sources)
    try:
        agent.policy.load_state_dict(state)
    except UsageError as error:
        fitted = folder / CONFIG if chosen is None else ",".join(plugin_names(chosen))
        raise UsageError(f"{path} does not fit {fitted}: {error}") from error
    return agent


def saved_weights(run: str | Path, weights: str | None) -> tuple[Path, Path]:
    """A run folder, and the file of its weights. The arguments are those of `load`.

    Raises:
        UsageError: if this is not a run folder, or it has no such weights.
    """
    folder = _folder_of(run)
    if weights is not None and weights not in WEIGHTS:
        raise UsageError(f"no weights are called '{weights}': choose one of {', '.join(WEIGHTS)}")
    saved = [folder / WEIGHTS[name] for name in ([weights] if weights else WEIGHTS)]
    path = next((candidate for candidate in saved if candidate.is_file()), None)
    if path is None:
        others = [name for name, place in WEIGHTS.items() if (folder / place).is_file()]
        instead = f"; it has {listed([repr(name) for name in others])}" if others else ""
        wanted = ", ".join(str(place.relative_to(folder)) for place in saved)
        raise UsageError(f"'{folder}' has no saved weights ({wanted}){instead}")
    return folder, path


def env_steps_of(path: Path) -> int | None:
    """The environment steps after which weights were saved; None if the file beside them does not say so."""
    try:
        return int(json.loads(path.with_suffix(".json").read_bytes())["env_steps"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def facts_of(run: str | Path, weights: str | None) -> dict[str, Any]:
    """What identifies the weights of a run: its name, the file in it, the SHA-256, and the environment steps.

    The arguments are those of `load`.

    Raises:
        UsageError: if there are no such weights, or they cannot be read.
    """
    folder, path = saved_weights(run, weights)
    with readable(path):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = path.relative_to(folder).as_posix()
    return {"run": folder.resolve().name, "file": file, "sha256": digest, "env_steps": env_steps_of(path)}


def _folder_of(run: str | Path) -> Path:
    """The run folder itself, or the folder `agent` in the package of an installed plugin."""
    folder = Path(run)
    with readable(folder):
        if (folder / CONFIG).is_file():
            return folder
    packages = [point.module for point in installed().get(str(run), [])]
    brought = [Path(place) / "agent" for name in packages for place in _places(name)]
    trained = next((place for place in brought if (place / CONFIG).is_file()), None)
    if trained is not None:
        return trained
    if packages:
        raise UsageError(f"plugin '{run}' includes no trained agent: name a run folder instead")
    raise UsageError(f"'{folder}' is not a run folder: it has no config.toml")


def _places(package: str) -> Sequence[str]:
    """The folders of a package, found without importing it; empty for a module."""
    spec = spec_of(package)
    return spec.submodule_search_locations or [] if spec else []
