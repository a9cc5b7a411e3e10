"""Measures what a run survives, and writes docs/results/reliability.md.

python -m tests.faults                    all of it, about half an hour
python -m tests.faults --kills 40 --corruptions 1000 --files 50000 --every 4 --no-page
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from tests import conftest  # noqa: F401  (loads the settings of hypothesis)
from tests.faults.corruption import corrupt
from tests.faults.injection import HOWS, STRACE, Injected, inject_all
from tests.faults.kills import survive
from tests.faults.page import Measured, write_page
from tests.faults.runs import Recorded

T = TypeVar("T")


def main(
    kills: Annotated[int, typer.Option(help="Of a run, at random moments.")] = 200,
    corruptions: Annotated[int, typer.Option(help="Of a run's folder, each of another copy.")] = 10_000,
    files: Annotated[int, typer.Option(help="That atheris makes up.")] = 300_000,
    every: Annotated[int, typer.Option(help="Strike only each so-manyth call of the system.", min=1)] = 1,
    page: Annotated[bool, typer.Option(help="Write docs/results/reliability.md.")] = True,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Exit code 0 if the run survives everything; else an error says what it does not survive."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        recorded = Recorded.make(place / "recorded")
        measured = Measured(
            command=" ".join(["python -m tests.faults", *sys.argv[1:]]),
            seed=seed,
            kills=_timed("kills", lambda: survive(kills, _folder(place / "kills"), seed)),
            injected=_timed("calls of the system", lambda: _injected(recorded, _folder(place / "calls"), every)),
            tally=_timed("corruptions", lambda: corrupt(recorded, place, corruptions, seed)),
            files=_timed("made-up files", lambda: _made_up(files)),
            costs=_timed("the costs of a checkpoint", _costs),
        )
    if page:
        write_page(measured)


def _timed(what: str, work: Callable[[], T]) -> T:
    print(f"{what} …", flush=True)
    began = time.monotonic()
    result = work()
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    return result


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _injected(recorded: Recorded, place: Path, every: int) -> list[Injected]:
    if STRACE is None:
        print("  there is no strace here: nothing was injected")
        return []
    return inject_all(recorded, place, HOWS, every)


def _made_up(files: int) -> int:
    """How many files atheris tried; 0 where it is not installed."""
    with suppress(ImportError):
        import atheris  # noqa: F401

        command = [sys.executable, "-m", "tests.faults.coverage_guided", str(files)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr[-3_000:]
        return files
    print("  atheris is not installed: no file was made up")
    return 0


def _costs() -> str:
    """The table of benchmarks/checkpoint.py."""
    script = Path(__file__).parents[2] / "benchmarks" / "checkpoint.py"
    return subprocess.run([sys.executable, str(script)], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    typer.run(main)
