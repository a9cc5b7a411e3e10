"""A folder is replaced as a whole: whatever a kill leaves, one of the two is there afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from framework.processes.swap import put_back, swap


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("killed_before", [0, 1, 2, None])
def test_nothing_is_lost(killed_before: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, incoming = tmp_path / "run", tmp_path / ".run.incoming"
    for place, text in ((folder, "old"), (incoming, "new")):
        place.mkdir()
        (place / "file").write_text(text)
    calls = [0]

    def counted(done: object) -> object:
        def call(*given: object, **more: object) -> object:
            calls[0] += 1
            if killed_before is not None and calls[0] > killed_before:
                raise Killed
            return done(*given, **more)  # type: ignore[operator]

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", counted(Path.rename))
        patched.setattr(shutil, "rmtree", counted(shutil.rmtree))
        if killed_before is None:
            swap(incoming, folder)
        else:
            with pytest.raises(Killed):
                swap(incoming, folder)
    put_back(folder)
    put_back(folder)
    assert (folder / "file").read_text() == ("old" if killed_before in (0, 1) else "new")
    assert not list(tmp_path.glob(".run.old"))
