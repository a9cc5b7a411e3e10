"""The run folder: it records options, parts and versions, and the trained agent is loaded from it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from framework.assembly.assemble import assemble_agent
from framework.assembly.configuration import configure, is_file, plugin_names
from framework.assembly.discovery import DISTRIBUTION, installed, spec_of
from framework.assembly.manager import Expected, Plugins
from framework.assembly.parts import Agent, Parts
from framework.assembly.renamed import RENAMED
from framework.config import Source, read_toml
from framework.errors import FrameworkError, UsageError, listed
from framework.hooks import API_VERSION
from framework.types import Described

LIBRARIES = Expected(
    "a sequence of names of distributions",
    lambda given: not isinstance(given, str) and all(isinstance(name, str) for name in given),
)

CONFIG, MANIFEST, LOCK = "config.toml", "manifest.json", ".lock"
SOURCES = "plugins"
"""In a run folder: copies of the plugins that are files, for where the files are gone."""

CONFIG_HASH = "config_sha256"

WEIGHTS = {
    "evaluation": "best/evaluation.safetensors",
    "last": "last.safetensors",
    "mean_100": "best/mean_100.safetensors",
}
"""The weights that a run may have saved, the preferred first."""


def default_folder(plugins: Sequence[str], what: str) -> Path:
    """Create the folder runs/<plugins>-<what>-<date and time>, with a number at the end if that exists already.

    Two commands that start in the same second get two folders.

    Raises:
        UsageError: if it cannot be created.
    """
    names = "-".join("".join(sign if sign.isalnum() else "_" for sign in Path(name).stem) for name in plugins)
    stem = f"{names}-{what}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    taken = 0
    while True:
        folder = Path("runs") / (f"{stem}-{taken}" if taken else stem)
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            taken += 1
        except OSError as error:
            raise UsageError(f"the folder '{folder}' cannot be created: {error.strerror}") from error


def create_run_folder(folder: Path, parts: Parts) -> Path:
    """Create the folder with the run's config.toml and manifest.json.

    Raises:
        UsageError: if the folder is not empty or cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError
        # "x": if two runs start at the same time, only one gets the folder
        options = parts.config.to_toml(parts.read).encode()
        with (folder / CONFIG).open("xb") as file:
            file.write(options)
        described = {**manifest(parts), CONFIG_HASH: hashlib.sha256(options).hexdigest()}
        text = json.dumps(described, indent=2, default=str)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
        for origin in parts.plugins.origins.values():
            if is_file(origin.text):
                (folder / SOURCES).mkdir(exist_ok=True)
                shutil.copyfile(origin.text, folder / SOURCES / Path(origin.text).name)
    except FileExistsError:
        raise UsageError(
            f"the run folder '{folder}' has files in it: choose another with --run-dir, or continue its run "
            "with --resume"
        ) from None
    except OSError as error:
        raise UsageError(f"the run folder '{folder}' cannot be created: {error.strerror}") from error
    return folder


def located(folder: Path, names: Sequence[str], *, changed: bool = True) -> list[str]:
    """The plugins of a recorded run, with the run's own copy of a file that is gone.

    Args:
        folder: the run folder.
        names: the plugins as they were named.
        changed: use the copy of a file that has changed since, too.
    """
    found = []
    for name in names:
        original, kept = Path(name), folder / SOURCES / Path(name).name
        if is_file(name) and kept.is_file():
            gone = not original.is_file()
            if gone or (changed and original.read_bytes() != kept.read_bytes()):
                name = str(kept.resolve())
        found.append(name)
    return found


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside this block, no other process can write to the run. The lock ends with the process, even after a crash.

    Raises:
        UsageError: if another process has the lock.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(f"another process is writing to the run '{folder}': wait until it ends, or end it") from None
    try:
        yield
    finally:
        lock.release()


def manifest(parts: Parts) -> dict[str, Any]:
    """The run's plugins, slots, descriptions of the parts, environment protocol, versions, machine and command."""
    described = {name: part.manifest() for name, part in vars(parts).items() if isinstance(part, Described)}
    return {
        "api_version": API_VERSION,
        "plugins": list(parts.plugins.names),
        "slots": dict(parts.filled),
        "parts": described,
        "environment": parts.stream.metadata.get("protocol", {}),
        **({"reference_scores": asdict(reference)} if (reference := parts.stream.reference_scores) else {}),
        "observations": parts.spaces.describe(),
        "actions": parts.spaces.num_actions,
        "versions": {"python": platform.python_version(), **_versions(parts.plugins)},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "command": sys.argv,
    }


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
        UsageError: if this is not a run folder, it has no such weights, or its plugins are not available.
        FrameworkError: if the weights or the options are damaged.
    """
    from framework.recording.weights import load_state

    folder, chosen = _folder_of(run), plugins
    if weights is not None and weights not in WEIGHTS:
        raise UsageError(f"no weights are called '{weights}': choose one of {', '.join(WEIGHTS)}")
    saved = [folder / WEIGHTS[name] for name in ([weights] if weights else WEIGHTS)]
    path = next((candidate for candidate in saved if candidate.is_file()), None)
    if path is None:
        others = [name for name, place in WEIGHTS.items() if (folder / place).is_file()]
        instead = f"; it has {listed([repr(name) for name in others])}" if others else ""
        wanted = ", ".join(str(place.relative_to(folder)) for place in saved)
        raise UsageError(f"'{folder}' has no saved weights ({wanted}){instead}")
    recorded = recorded_options(folder)
    if plugins is not None:
        known = {*configure(plugins)[1].flat(), *RENAMED}
        recorded = {option: value for option, value in recorded.items() if option in known}
    else:
        plugins = located(folder, recorded.get("run.plugins", ()))
    sources = [Source(f"file {folder / CONFIG}", recorded), Source("values", values or {})]
    agent = assemble_agent(plugins, sources)
    try:
        agent.policy.load_state_dict(load_state(path))
    except UsageError as error:
        fitted = folder / CONFIG if chosen is None else ",".join(plugin_names(chosen))
        raise UsageError(f"{path} does not fit {fitted}: {error}") from error
    return agent


def recorded_options(folder: Path) -> Mapping[str, Any]:
    """The options in config.toml. If the folder has a manifest, the file must be as the run wrote it.

    Raises:
        UsageError: if it cannot be read.
        FrameworkError: if it, or the manifest, is damaged.
    """
    options, known = read_toml(folder / CONFIG), recorded_manifest(folder).get(CONFIG_HASH)
    if known is not None and hashlib.sha256((folder / CONFIG).read_bytes()).hexdigest() != known:
        raise FrameworkError(
            f"{folder / CONFIG}: damaged or edited: its SHA-256 is not the one in {folder / MANIFEST}. Set other "
            f"options with --set; to keep an edit, remove the line {CONFIG_HASH} from {folder / MANIFEST}"
        )
    return options


def recorded_manifest(folder: Path) -> Mapping[str, Any]:
    """The content of manifest.json; empty if there is no such file.

    Raises:
        FrameworkError: if it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise FrameworkError(f"{path}: damaged, not a JSON object: {error}") from error


def _folder_of(run: str | Path) -> Path:
    """The run folder itself, or the folder `agent` in the package of an installed plugin."""
    folder = Path(run)
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


def _versions(plugins: Plugins) -> dict[str, str]:
    """The versions of the framework and of every library that the plugins name in their hook `libraries`."""
    named = [name for _, names in plugins.gather("libraries", LIBRARIES) for name in names]
    found = {}
    for name in dict.fromkeys([DISTRIBUTION, *named]):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
