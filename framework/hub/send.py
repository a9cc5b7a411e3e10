"""Sends a run to a hub: its data, a card, and the list by which `pull` verifies what arrives."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from framework.comparison.recorded import read_recorded
from framework.errors import UsageError
from framework.hub.card import card_of
from framework.hub.client import answering, client
from framework.hub.contents import CARD, LIST, files_of, is_card_of, listed, travels, write_list
from framework.training.agents import env_steps_of, saved_weights

if TYPE_CHECKING:
    from huggingface_hub import HfApi


TRIES = 5
"""How often a run that goes on is copied, until nothing changes meanwhile."""


@dataclass(frozen=True)
class Pushed:
    """What was sent."""

    repository: str
    """Its whole name on the hub: "user/name"."""
    url: str
    """The page of the repository."""
    files: Sequence[str]
    bytes: int
    left_behind: Sequence[str]
    """Files of the run that do not travel, for example copies of plugins, which are code."""
    card_kept: bool
    """Whether the repository keeps its card, because somebody has edited it there."""


def push(
    run: str | Path,
    repository: str,
    *,
    checkpoints: bool = False,
    private: bool = False,
    message: str | None = None,
    endpoint: str | None = None,
) -> Pushed:
    """Send a run to a repository of a hub, in one commit. The repository is created if there is none.

    Files that the repository has from an earlier push and that the run has no longer are deleted there. All others
    stay, and so does a card that somebody has edited. The run may go on meanwhile: what is sent is a copy of one
    moment.

    Args:
        run: the run folder, or the name of an installed plugin that includes a trained agent.
        repository: "user/name", or "name" for the user of the token.
        checkpoints: also send what the run needs to continue.
        private: create a repository that others cannot read. An existing one stays as it is.
        message: of the commit.
        endpoint: the address of another hub.

    Raises:
        UsageError: if this is no run folder, it has no weights or is damaged, or the hub refuses the name or the user.
        FrameworkError: if the hub cannot be reached.
    """
    hub = client("the command push", endpoint)
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    folder, _ = saved_weights(run, None)
    read_recorded(folder)  # refused before anything is created on the hub
    with TemporaryDirectory(prefix="push-") as temporary, answering(repository):
        copy = Path(temporary) / "run"
        going, staying = _copied(folder, copy, checkpoints)
        items = listed(copy, going)
        best = env_steps_of(copy / "best" / "evaluation.safetensors")
        card = card_of(read_recorded(copy), repository, best)
        write_list(copy / LIST, items, card)
        (copy / CARD).write_text(card, encoding="utf-8")

        # a name without a user gets that of the token
        repository = hub.create_repo(repository, private=private, exist_ok=True).repo_id
        there = hub.list_repo_files(repository)
        edited = CARD in there and not _is_ours(hub, repository, Path(temporary) / "there")
        stale = [CommitOperationDelete(name) for name in there if travels(name) and name not in items]
        new = [CommitOperationAdd(name, copy / name) for name in (*going, LIST, *([] if edited else [CARD]))]
        sent = hub.create_commit(
            repository, operations=[*stale, *new], commit_message=message or f"The run {folder.resolve().name}"
        )
        size = sum(item.size for item in items.values())
        return Pushed(repository, str(sent.repo_url), going, size, staying, edited)


def _copied(folder: Path, copy: Path, checkpoints: bool) -> tuple[list[str], list[str]]:
    """Copy what travels, and return the names of what does and of what does not.

    A run that is going on replaces its checkpoints and its best weights. If that happens meanwhile, everything is
    copied again.

    Raises:
        UsageError: if a file cannot be read, or the run changes faster than it can be copied.
    """
    for _ in range(TRIES):
        shutil.rmtree(copy, ignore_errors=True)
        going, staying = files_of(folder, checkpoints=checkpoints)
        before = _replaced(folder)
        try:
            for name in going:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, copy / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UsageError(f"{folder}: cannot be copied: {error}") from error
        if _replaced(folder) == before:
            return going, staying
    raise UsageError(f"'{folder}' changes while it is copied: push it when the run has ended")


def _replaced(folder: Path) -> dict[str, int]:
    """The files that a run replaces as a whole, with their identity on the disk."""
    places = (*folder.glob("best/*"), *folder.glob("last.*"), *folder.glob("checkpoints/LATEST"))
    return {str(place): place.stat().st_ino for place in places}


def _is_ours(hub: HfApi, repository: str, folder: Path) -> bool:
    """Whether the card in the repository is that of an earlier push."""
    for name in (CARD, LIST):
        hub.hf_hub_download(repository, name, local_dir=folder)
    return is_card_of(folder / CARD, folder / LIST)
