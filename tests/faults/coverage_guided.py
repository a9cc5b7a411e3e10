"""`python -m tests.faults.coverage_guided TIMES`: atheris looks for files that a reader does not refuse cleanly.

atheris makes up files, and prefers those that reach new lines of the readers. A reader may raise FrameworkError. Any
other error, a hang or too much memory ends this process with an exit code other than 0.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports():
    from framework.checkpoints.folder import CheckpointFolder
    from framework.checkpoints.manifest import read_manifest
    from framework.config import read_toml
    from framework.errors import FrameworkError
    from framework.recording.rows import read_rows
    from framework.recording.states import load_state

from tests.faults.corruption import BOMBS
from tests.faults.runs import Recorded

MEMORY = 1_500
"""Megabytes that the process may take."""


def main(times: int) -> None:
    """Try `times` files. Does not return."""
    place = Path(tempfile.mkdtemp())
    recorded = Recorded.make(place)
    seeds = place / "seeds"
    seeds.mkdir()
    (place / "checkpoints" / "000001").mkdir(parents=True)
    readers: list[tuple[Path, Callable[[Path], Any]]] = [
        (place / "checkpoints" / "000001" / "manifest.json", lambda path: read_manifest(path.parent)),
        (place / "checkpoints" / "LATEST", lambda path: CheckpointFolder(place).read()),
        (place / "state.safetensors", load_state),
        (place / "config.toml", read_toml),
        (place / "metrics.jsonl", read_rows),
    ]
    files = [path for path in recorded.folder.rglob("*") if path.is_file() and path.suffix != ".png"]
    for number, content in enumerate([*BOMBS, *(path.read_bytes() for path in files)]):
        for which in range(len(readers)):
            (seeds / f"{number}-{which}").write_bytes(bytes([which]) + content)

    def one(data: bytes) -> None:
        path, read = readers[data[0] % len(readers) if data else 0]
        path.write_bytes(data[1:])
        try:
            read(path)
        except FrameworkError:
            pass
        finally:
            path.unlink()

    options = [f"-runs={times}", "-max_len=200000", f"-rss_limit_mb={MEMORY}", "-timeout=20", "-seed=1"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={place}/", str(seeds)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]))
