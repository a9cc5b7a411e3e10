"""Fetches a run from a hub and verifies it before it is there: it is data from anywhere."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from framework.assembly.configuration import is_file
from framework.checkpoints.manifest import Entry
from framework.comparison.recorded import read_recorded
from framework.errors import UsageError
from framework.hub.client import answering, client
from framework.hub.contents import CARD, LARGEST_LIST, LIST, read_list, verify
from framework.recording.files import readable
from framework.recording.states import load_state
from framework.training.agents import WEIGHTS


@dataclass(frozen=True)
class Pulled:
    """What was fetched."""

    folder: Path
    commit: str
    """The full name of the commit: with `revision=` it gives the same files for ever."""
    bytes: int
    plugins: Sequence[str]
    """The plugins that the run names. `evaluate` and `watch` import them."""
    code: Sequence[str]
    """Those of them that are files: code, which did not travel."""


def pull(repository: str, to: str | Path, *, revision: str | None = None, endpoint: str | None = None) -> Pulled:
    """Fetch a run from a repository of a hub into a new folder.

    Only the files in the repository's list arrive, and only if each is data that a run shares, has the size and the
    SHA-256 in the list, and can be read as what it is: options, metrics, weights. Else there is no folder. Nothing of
    it is imported or run.

    Args:
        repository: "user/name".
        to: the run folder, which must not exist or must be empty.
        revision: a branch, a tag or a commit; default: the newest commit.
        endpoint: the address of another hub.

    Raises:
        UsageError: if the folder has files in it, there is no such run, or what arrived is damaged or not a run.
        FrameworkError: if the hub cannot be reached.
    """
    hub, folder = client("the command pull", endpoint), Path(to).absolute()
    _refuse_taken(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent)
    except OSError as error:
        raise UsageError(f"the folder '{folder}' cannot be created: {error.strerror}") from error
    with place as temporary:
        arrived = Path(temporary) / "run"
        with answering(repository):
            # the commit is asked for once, so that a push in between does not mix two runs
            info = hub.model_info(repository, revision=revision, files_metadata=True)
            commit, sizes = str(info.sha), {file.rfilename: file.size for file in info.siblings or ()}
            _refuse_large(sizes, {LIST: LARGEST_LIST, CARD: LARGEST_LIST})
            hub.hf_hub_download(repository, LIST, revision=commit, local_dir=arrived)
            items = read_list(arrived / LIST)
            _refuse_large(sizes, {name: item.size for name, item in items.items()})
            names = [glob.escape(name) for name in (*items, CARD)]
            hub.snapshot_download(repository, revision=commit, local_dir=arrived, allow_patterns=names)
        run = _verified(arrived, items)
        kept = Path(temporary) / "kept"
        for name in (*items, LIST, CARD):
            if (arrived / name).is_file():
                (kept / name).parent.mkdir(parents=True, exist_ok=True)
                (arrived / name).rename(kept / name)
        _refuse_taken(folder)
        kept.rename(folder)
    plugins = [str(name) for name in run.get("run.plugins", ())]
    size = sum(item.size for item in items.values())
    return Pulled(Path(to), commit, size, plugins, [name for name in plugins if is_file(name)])


def _verified(folder: Path, items: Mapping[str, Entry]) -> Mapping[str, Any]:
    """The run's options, after every file has been verified.

    Raises:
        UsageError: if a file is missing, damaged, or not what its name says, or if there are no weights.
    """
    verify(folder, items)
    weights = [place for place in WEIGHTS.values() if place in items]
    if not weights:
        raise UsageError("the repository has no weights: it is no trained agent")
    for name in [name for name in items if name.endswith(".safetensors")]:
        load_state(folder / name)
    return read_recorded(folder).options


def _refuse_large(sizes: Mapping[str, int | None], most: Mapping[str, int]) -> None:
    """Refuse files that are larger than they may be, before they are fetched."""
    problems = [
        f"{name}: damaged: it has {sizes[name]:,} bytes on the hub, and may have {limit:,}"
        for name, limit in most.items()
        if (sizes.get(name) or 0) > limit
    ]
    if problems:
        raise UsageError(problems)


def _refuse_taken(folder: Path) -> None:
    with readable(folder):
        taken = folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir())))
    if taken:
        raise UsageError(f"'{folder}' exists already: name another folder with --to")
