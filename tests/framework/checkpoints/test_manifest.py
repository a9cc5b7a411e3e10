"""The manifest of a checkpoint: a manifest that is damaged, forged or of another kind is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framework.checkpoints.folder import Checkpoint, CheckpointFolder
from framework.checkpoints.manifest import Entry, _rendered, read_manifest
from framework.errors import FrameworkError


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    segments = {"buffer-0": lambda: {"frames": np.zeros(8, np.uint8)}}
    return CheckpointFolder(tmp_path).write({"moment": 0, "weights": np.arange(3.0)}, segments, {"steps": 0}, None)


def forged(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a manifest together with its checksums, as an attacker would."""
    body = json.loads((folder / "manifest.json").read_bytes())["body"]
    change(body)
    (folder / "manifest.json").write_bytes(_rendered(body))
    digest = Entry.of(folder / "manifest.json").sha256
    (folder.parent / "LATEST").write_text(f"{folder.name} {digest}\n")


@pytest.mark.parametrize("name", ["../000001/state.safetensors", "/etc/passwd", "a/b", "..", ".hidden", "", "a\n", "é"])
def test_no_name_in_a_manifest_leads_out_of_the_folder(checkpoint: Checkpoint, name: str) -> None:
    forged(checkpoint.path, lambda body: body["files"].update({name: {"size": 1, "sha256": "0" * 64}}))
    with pytest.raises(FrameworkError, match="is not a valid name for a file of a checkpoint"):
        CheckpointFolder(checkpoint.path.parents[1]).read()


@pytest.mark.parametrize(
    "body", [None, [], {}, {"format": 1}, {"format": 2}, {"format": 1, "files": [], "about": {}}, {"files": {}}]
)
def test_a_manifest_of_something_else_is_refused(checkpoint: Checkpoint, body: Any) -> None:
    (checkpoint.path / "manifest.json").write_bytes(_rendered(body))
    with pytest.raises(FrameworkError, match=r"manifest.json: (damaged|written in format)"):
        read_manifest(checkpoint.path)


@pytest.mark.parametrize("entry", [{"size": -1}, {"size": True}, {"size": "1"}, {"size": 1e3}, {"more": 1}])
def test_an_invalid_entry_is_refused(checkpoint: Checkpoint, entry: dict[str, Any]) -> None:
    forged(checkpoint.path, lambda body: body["files"].update(x={"size": 1, "sha256": "0" * 64, **entry}))
    with pytest.raises(FrameworkError, match=r"manifest.json: damaged"):
        read_manifest(checkpoint.path)


@pytest.mark.parametrize("bomb", [b"[" * 200_000, b'{"body": ' * 50_000, b"9" * 100_000, b" " * (1 << 24) + b"{}"])
def test_a_manifest_that_would_exhaust_memory_is_refused(checkpoint: Checkpoint, bomb: bytes) -> None:
    (checkpoint.path / "manifest.json").write_bytes(bomb)
    with pytest.raises(FrameworkError, match=r"manifest.json: damaged"):
        read_manifest(checkpoint.path)
