"""How long `--help` takes, and how long `run --plugins tabular,chain` takes to its first episode and in all.

    python benchmarks/startup.py --repeats 10

The first run of each command does not count, because it writes byte code and fills the disk's cache.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

RUN = ["run", "--plugins", "tabular,chain", "--run-dir"]


def timed(words: list[str]) -> tuple[float, float]:
    """Returns (seconds to the first line that an episode prints, or to the end; seconds to the end)."""
    began = time.perf_counter()
    first = None
    with subprocess.Popen([sys.executable, "-m", "framework", *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if first is None and line.startswith("episode 1 "):
                first = time.perf_counter() - began
    end = time.perf_counter() - began
    return end if first is None else first, end


def main(repeats: Annotated[int, typer.Option(help="Timed runs of each command.", min=1)] = 10) -> None:
    """Print the median, the fastest and the slowest time of each command."""
    rows: dict[str, list[float]] = {"--help": [], "run, to the first episode": [], "run, to the end": []}
    for repeat in range(repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            _, asked = timed(["--help"])
            first, end = timed([*RUN, str(Path(folder) / "run")])
        if repeat:
            for row, seconds in zip(rows.values(), (asked, first, end), strict=True):
                row.append(seconds)
    print("| `python -m framework` | median | fastest | slowest |\n| --- | ---: | ---: | ---: |")
    for label, row in rows.items():
        print(f"| {label} | {statistics.median(row):.2f} s | {min(row):.2f} s | {max(row):.2f} s |")


if __name__ == "__main__":
    typer.run(main)
