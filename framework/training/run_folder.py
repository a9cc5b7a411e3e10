"""The run folder: it records options, parts and versions, and keeps copies of what the run needs."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from framework.assembly.configuration import is_file
from framework.assembly.discovery import DISTRIBUTION
from framework.assembly.manager import Expected, Plugins
from framework.assembly.parts import Parts
from framework.config import read_toml
from framework.errors import UsageError
from framework.hooks import API_VERSION
from framework.recording.files import readable
from framework.recording.states import save_state
from framework.types import Described

LIBRARIES = Expected(
    "a sequence of names of distributions",
    lambda given: not isinstance(given, str) and all(isinstance(name, str) for name in given),
)

CONFIG, MANIFEST, LOCK = "config.toml", "manifest.json", ".lock"
INITIAL, INITIAL_FACTS = "initial.safetensors", "initial_weights"
"""In a run that began with the weights of another run: their copy, and the manifest's entry about them."""

SOURCES = "plugins"
"""In a run folder: copies of the plugins that are files, for where the files are gone."""

CONFIG_HASH = "config_sha256"


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
    """Create the folder with the run's config.toml and manifest.json, and the copies that the run keeps.

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
        described = {**manifest(parts), CONFIG_HASH: hashlib.sha256(options).hexdigest(), **_initial(folder, parts)}
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


def withdraw_run_folder(folder: Path) -> None:
    """Remove what `create_run_folder` wrote, and the folder: the run is refused after all, before its first step."""
    for name in (CONFIG, MANIFEST, INITIAL, LOCK):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / SOURCES, ignore_errors=True)
    with suppress(OSError):  # it was there before, or a plugin has written to it
        folder.rmdir()


def _initial(folder: Path, parts: Parts) -> dict[str, Any]:
    """Keep a copy of the run's initial weights. Returns what the manifest says about them."""
    initial = parts.initial
    if initial is None:
        return {}
    save_state(folder / INITIAL, initial.state)
    digest = hashlib.sha256((folder / INITIAL).read_bytes()).hexdigest()
    return {INITIAL_FACTS: {"from": str(initial.path), "sha256": digest, "env_steps": initial.env_steps}}


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


def recorded_plugins(folder: Path, options: Mapping[str, Any], *, changed: bool = True) -> list[str]:
    """The plugins that the recorded options name, as `located` finds them.

    Raises:
        UsageError: if the options name none, or a file cannot be read.
    """
    names = options.get("run.plugins")
    if not names:
        raise UsageError(f"{folder / CONFIG}: damaged: it names no plugins (run.plugins)")
    with readable(folder):
        return located(folder, names, changed=changed)


@contextmanager
def locked(folder: Path, patience: float = 0) -> Iterator[None]:
    """Inside this block, no other process can write to the run. The lock ends with the process, even after a crash.

    Args:
        folder: the run folder.
        patience: how many seconds to wait for another process that has the lock.

    Raises:
        UsageError: if another process still has the lock.
    """
    lock = FileLock(folder / LOCK, timeout=patience)
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
        "versions": {"python": platform.python_version(), **versions(parts.plugins)},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "command": sys.argv,
    }


def recorded_options(folder: Path) -> Mapping[str, Any]:
    """The options in config.toml. If the folder has a manifest, the file must be as the run wrote it.

    Raises:
        UsageError: if it cannot be read, or it or the manifest is damaged.
    """
    options, known = read_toml(folder / CONFIG), recorded_manifest(folder).get(CONFIG_HASH)
    if known is not None and hashlib.sha256((folder / CONFIG).read_bytes()).hexdigest() != known:
        raise UsageError(
            f"{folder / CONFIG}: damaged or edited: its SHA-256 is not the one in {folder / MANIFEST}. Set other "
            f"options with --set; to keep an edit, remove the line {CONFIG_HASH} from {folder / MANIFEST}"
        )
    return options


def recorded_manifest(folder: Path) -> Mapping[str, Any]:
    """The content of manifest.json; empty if there is no such file.

    Raises:
        UsageError: if it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{path}: damaged, not a JSON object: {error}") from error


def versions(plugins: Plugins) -> dict[str, str]:
    """The versions of the framework and of every library that the plugins name in their hook `libraries`."""
    named = [name for _, names in plugins.gather("libraries", LIBRARIES) for name in names]
    found = {}
    for name in dict.fromkeys([DISTRIBUTION, *named]):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
