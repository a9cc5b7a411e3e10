"""A run's folder: what ran, with which parts and versions, and how to find it again."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from framework.assembly.assemble import assemble_agent
from framework.assembly.discovery import installed
from framework.assembly.manager import Expected, Plugins
from framework.assembly.parts import Agent, Parts
from framework.config import Source, read_toml
from framework.errors import FrameworkError, UsageError
from framework.hooks import API_VERSION
from framework.types import Described

DISTRIBUTION = "pluggable-q"

LIBRARIES = Expected(
    "a sequence of distributions' names",
    lambda given: not isinstance(given, str) and all(isinstance(name, str) for name in given),
)

CONFIG, MANIFEST, LOCK = "config.toml", "manifest.json", ".lock"
CONFIG_HASH = "config_sha256"

WEIGHTS = {
    "evaluation": "best/evaluation.safetensors",
    "last": "last.safetensors",
    "mean_100": "best/mean_100.safetensors",
}
"""What a run may have saved, the preferred first."""


def default_folder(plugins: Sequence[str], what: str) -> Path:
    """runs/<plugins>-<what>-<date and time>, not taken yet."""
    names = "-".join("".join(sign if sign.isalnum() else "_" for sign in Path(name).stem) for name in plugins)
    stem = f"{names}-{what}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    taken = 0
    while (folder := Path("runs") / (f"{stem}-{taken}" if taken else stem)).exists():
        taken += 1
    return folder


def create_run_folder(folder: Path, parts: Parts) -> Path:
    """Make the folder with the run's config.toml and manifest.json.

    Raises:
        UsageError: if the folder holds anything already or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError
        # "x": of two runs that start at once, one gets the folder
        options = parts.config.to_toml(parts.read).encode()
        with (folder / CONFIG).open("xb") as file:
            file.write(options)
        described = {**manifest(parts), CONFIG_HASH: hashlib.sha256(options).hexdigest()}
        text = json.dumps(described, indent=2, default=str)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    except FileExistsError:
        raise UsageError(f"the run folder '{folder}' is in use: choose another with --run-dir") from None
    except OSError as error:
        raise UsageError(f"the run folder '{folder}' cannot be made: {error.strerror}") from error
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Within, no other process writes to this run; the lock ends with the process, however that ends.

    Raises:
        UsageError: if another process has it.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(f"another process is writing to the run '{folder}': wait for its end, or end it") from None
    try:
        yield
    finally:
        lock.release()


def manifest(parts: Parts) -> dict[str, Any]:
    """Which plugin filled each slot, what the parts say of themselves, the environment's protocol, the versions."""
    described = {name: part.manifest() for name, part in vars(parts).items() if isinstance(part, Described)}
    return {
        "api_version": API_VERSION,
        "plugins": list(parts.plugins.names),
        "slots": dict(parts.filled),
        "parts": described,
        "environment": parts.stream.metadata.get("protocol", {}),
        "observations": parts.spaces.describe(),
        "actions": parts.spaces.num_actions,
        "versions": {"python": platform.python_version(), **_versions(parts.plugins)},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "command": sys.argv,
    }


def load(run: str | Path, weights: str | None = None, values: Mapping[str, Any] | None = None) -> Agent:
    """The agent of a recorded run.

    Args:
        run: the run's folder, or the name of an installed plugin that brings a trained agent with it.
        weights: "evaluation", "last" or "mean_100"; default the first of them that the run saved.
        values: options as {"section.key": value}, stronger than the run's own.

    Raises:
        UsageError: if this is no run's folder, it has no such weights, or its plugins are not to be had.
        FrameworkError: if the weights or the options are damaged.
    """
    from framework.recording.weights import load_state

    folder = _folder_of(run)
    if weights is not None and weights not in WEIGHTS:
        raise UsageError(f"no weights are called '{weights}': choose one of {', '.join(WEIGHTS)}")
    saved = [folder / WEIGHTS[name] for name in ([weights] if weights else WEIGHTS)]
    path = next((candidate for candidate in saved if candidate.is_file()), None)
    if path is None:
        raise UsageError(
            f"'{folder}' has no saved weights ({', '.join(str(name.relative_to(folder)) for name in saved)})"
        )
    recorded = recorded_options(folder)
    sources = [Source(f"file {folder / CONFIG}", recorded), Source("values", values or {})]
    agent = assemble_agent(recorded.get("run.plugins", ()), sources)
    try:
        agent.policy.load_state_dict(load_state(path))
    except UsageError as error:
        raise UsageError(f"{path} does not fit {folder / CONFIG}: {error}") from error
    return agent


def recorded_options(folder: Path) -> Mapping[str, Any]:
    """What config.toml says, if it is as the run wrote it. A folder without a manifest has none to hold it to.

    Raises:
        UsageError: if it cannot be read.
        FrameworkError: if it, or the manifest, is damaged.
    """
    options, known = read_toml(folder / CONFIG), recorded_manifest(folder).get(CONFIG_HASH)
    if known is not None and hashlib.sha256((folder / CONFIG).read_bytes()).hexdigest() != known:
        raise FrameworkError(
            f"{folder / CONFIG}: damaged or edited: its SHA-256 is not the one that {folder / MANIFEST} holds. Other "
            f"options go with --set; if the change is meant, take the line {CONFIG_HASH} out of {folder / MANIFEST}"
        )
    return options


def recorded_manifest(folder: Path) -> Mapping[str, Any]:
    """What manifest.json says; nothing where there is none.

    Raises:
        FrameworkError: if it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise FrameworkError(f"{path}: damaged, no JSON object: {error}") from error


def _folder_of(run: str | Path) -> Path:
    """The folder of a run; of an installed plugin, the folder `agent` of its package."""
    folder = Path(run)
    if (folder / CONFIG).is_file():
        return folder
    packages = [point.module for point in installed().get(str(run), [])]
    brought = [Path(place) / "agent" for name in packages for place in _places(name)]
    trained = next((place for place in brought if (place / CONFIG).is_file()), None)
    if trained is not None:
        return trained
    if packages:
        raise UsageError(f"plugin '{run}' brings no trained agent with it: give a run's folder")
    raise UsageError(f"'{folder}' is no run's folder: it has no config.toml")


def _places(package: str) -> Sequence[str]:
    """The folders of a package, found without running it; none of a module."""
    spec = importlib.util.find_spec(package)
    return spec.submodule_search_locations or [] if spec else []


def _versions(plugins: Plugins) -> dict[str, str]:
    """Of the framework and of every library that a plugin says its numbers depend on."""
    named = [name for _, names in plugins.gather("libraries", LIBRARIES) for name in names]
    found = {}
    for name in dict.fromkeys([DISTRIBUTION, *named]):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
