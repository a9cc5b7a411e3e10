"""The folder of checkpoints: each is whole or absent, every byte is verified, and two are kept."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.checkpoints import folder as folders
from framework.checkpoints.folder import Checkpoint, CheckpointFolder
from framework.errors import FrameworkError, UsageError


def segment(number: int) -> Callable[[], Mapping[str, Any]]:
    return lambda: {"frames": np.full(8, number, np.uint8)}


def write(run: Path, number: int, base: Checkpoint | None) -> Checkpoint:
    """Write checkpoint `number`, with the last three segments."""
    segments = {f"buffer-{past}": segment(past) for past in range(max(0, number - 2), number + 1)}
    return CheckpointFolder(run).write({"moment": number, "weights": np.arange(3.0)}, segments, {"steps": number}, base)


def written(run: Path, count: int) -> Checkpoint:
    base: Checkpoint | None = None
    for number in range(count):
        base = write(run, number, base)
    assert base is not None
    return base


def names(run: Path) -> list[str]:
    return sorted(entry.name for entry in (run / "checkpoints").iterdir())


def test_what_is_read_is_what_was_written_and_two_are_kept(tmp_path: Path) -> None:
    written(tmp_path, 5)
    found, problems = CheckpointFolder(tmp_path).read()
    assert names(tmp_path) == ["000004", "000005", "LATEST"]
    assert not problems
    assert found.path.name == "000005"
    assert found.manifest.about == {"steps": 4}
    assert found.state()["moment"] == 4
    values = [read["frames"][0] for read in found.segments(["buffer-2", "buffer-3", "buffer-4"])]
    assert values == [2, 3, 4]


def test_a_segment_is_written_once_and_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[str] = []
    save_state = folders.save_state
    monkeypatch.setattr(folders, "save_state", lambda path, state: (saved.append(path.name), save_state(path, state)))
    last = written(tmp_path, 4)
    assert sorted(name for name in saved if name.startswith("buffer")) == [f"buffer-{n}.safetensors" for n in range(4)]
    assert (last.path / "buffer-2.safetensors").stat().st_nlink == 2
    assert not (last.path / "buffer-0.safetensors").exists()


def test_without_links_a_segment_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: Path) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    last = written(tmp_path, 4)
    assert (last.path / "buffer-2.safetensors").stat().st_nlink == 1
    assert CheckpointFolder(tmp_path).read()[0].state()["moment"] == 3


def test_a_run_without_checkpoints_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no checkpoint to continue from"):
        CheckpointFolder(tmp_path).read()


def test_every_damaged_byte_is_refused_and_the_checkpoint_before_takes_its_place(tmp_path: Path) -> None:
    """One bit of each byte of the manifest, of `LATEST` and of every file, one after another."""
    last = written(tmp_path, 3)
    own = [path for path in last.path.iterdir() if path.stat().st_nlink == 1]  # both checkpoints share the others
    assert {path.name for path in own} == {"manifest.json", "state.safetensors", "buffer-2.safetensors"}
    for path in [*own, tmp_path / "checkpoints" / "LATEST"]:
        whole = path.read_bytes()
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
            found, problems = CheckpointFolder(tmp_path).read()
            assert problems, (path, place)
            # if only LATEST is damaged, the newest checkpoint is still whole
            assert path.name == "LATEST" or found.state()["moment"] == 1
            assert str(path) in problems[0] or "LATEST" in problems[0]
        path.write_bytes(whole)
    assert CheckpointFolder(tmp_path).read()[1] == []


@given(data=st.data())
@settings(max_examples=60)
def test_files_cut_short_lengthened_exchanged_or_gone_are_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = tmp_path_factory.mktemp("run")
    last = written(run, 3)
    files = sorted(path for path in last.path.iterdir() if path.stat().st_nlink == 1)
    path = data.draw(st.sampled_from(files))
    content = path.read_bytes()
    how = data.draw(st.sampled_from(["short", "long", "gone", "other", "link", "folder"]))
    path.unlink()
    if how == "short":
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    elif how == "long":
        path.write_bytes(content + data.draw(st.binary(min_size=1, max_size=20)))
    elif how == "other":
        path.write_bytes(next(other for other in files if other != path).read_bytes())
    elif how == "link":
        shutil.copy(next(other for other in files if other != path), run / "elsewhere")
        path.symlink_to(run / "elsewhere")
    elif how == "folder":
        path.mkdir()
    found, problems = CheckpointFolder(run).read()
    assert str(path) in problems[0]
    assert found.state()["moment"] == 1


def test_where_none_is_whole_each_damage_is_named(tmp_path: Path) -> None:
    written(tmp_path, 2)
    for number in ("000001", "000002"):
        (tmp_path / "checkpoints" / number / "state.safetensors").write_bytes(b"")
    with pytest.raises(
        FrameworkError, match=r"(?s)000002/state.safetensors: damaged.*000001/state.safetensors: damaged"
    ):
        CheckpointFolder(tmp_path).read()


def test_an_unfinished_checkpoint_is_ignored(tmp_path: Path) -> None:
    base = written(tmp_path, 2)
    begun = tmp_path / "checkpoints" / "000003"
    shutil.copytree(base.path, begun)
    (begun / "manifest.json").unlink()
    found, problems = CheckpointFolder(tmp_path).read()
    assert (found.path, problems) == (base.path, [])
    assert write(tmp_path, 2, found).path.name == "000004"
    assert names(tmp_path) == ["000002", "000004", "LATEST"]


class Failing:
    """A function that fails at its k-th call, as on a full disk."""

    def __init__(self, real: Callable[..., Any], fails_at: int) -> None:
        self.real, self.fails_at, self.calls = real, fails_at, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls == self.fails_at:
            raise OSError(28, "No space left on device")
        return self.real(*args, **kwargs)

    def __get__(self, path: Path, kind: type) -> Callable[..., Any]:
        return lambda *args, **kwargs: self(path, *args, **kwargs)


@pytest.mark.parametrize(
    ("owner", "name"), [(os, "fsync"), (os, "replace"), (os, "link"), (Path, "mkdir"), (Path, "write_bytes")]
)
def test_whatever_call_of_the_system_fails_a_whole_checkpoint_is_left(owner: Any, name: str, tmp_path: Path) -> None:
    """Fail the k-th call, for every k. The next checkpoint then succeeds. A checkpoint also succeeds without links."""
    fails_at = 0
    while True:
        fails_at += 1
        run = tmp_path / f"{fails_at}"
        base = written(run, 2)
        failing = Failing(getattr(owner, name), fails_at)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, failing)
            with contextlib.suppress(*([] if name == "link" else [FrameworkError])):
                write(run, 2, base)
        found, problems = CheckpointFolder(run).read()
        assert (found.state()["moment"], problems) in ((1, []), (2, []))
        assert write(run, 3, found).state()["moment"] == 3
        if failing.calls < fails_at:
            assert found.state()["moment"] == 2
            assert fails_at > 1
            return


def test_a_disk_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = written(tmp_path, 2)
    monkeypatch.setattr(os, "fsync", Failing(os.fsync, 1))
    with pytest.raises(FrameworkError, match=r"checkpoints/000003/.*: cannot be written: No space left on device"):
        write(tmp_path, 2, base)
    assert names(tmp_path) == ["000001", "000002", "LATEST"]
