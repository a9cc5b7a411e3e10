"""Check that two commits train in the same way: the same metrics and weights, bit for bit, in many compositions.

    python benchmarks/same_runs.py 3a997e9 HEAD

The command checks out each commit into its own folder and runs every composition there, on the processor. Two runs are
equal if every row of `metrics.jsonl` is equal, except times and speeds, and every array of every file of weights.
With `--keep FOLDER`, the command does not repeat runs that are already in that folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from machine import foot, need, need_emulator
from safetensors.numpy import load_file

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Composition:
    """The plugins of a run, its environment steps, and its options."""

    plugins: str
    steps: int
    options: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """The name of the run's folder."""
        return self.plugins.replace(",", "-")

    @property
    def arguments(self) -> list[str]:
        """The arguments of `python -m framework`."""
        values = {"run.until": "none", **self.options}
        settings = [word for option, value in values.items() for word in ("--set", f"{option}={value}")]
        return ["run", "--plugins", self.plugins, "--steps", str(self.steps), "--device", "cpu", *settings]


TINY = {"evaluation.every": 1_000}
PONG = {"learning.starts": 200, "evaluation.every": 800, "evaluation.episodes": 1, "evaluation.num_envs": 1}
COMPOSITIONS = (
    Composition("tabular,chain", 2_000, TINY),
    Composition("tabular,sarsa,nstep,grid", 3_000, TINY),
    Composition("tabular,double_q,chain", 2_000, TINY),
    Composition("tabular,per,ucb,grid", 3_000, TINY),
    Composition("dqn,chain", 3_000, TINY),
    Composition("dqn,double,dueling,polyak,grid", 3_000, TINY),
    Composition("dqn,noisy,c51,cartpole", 3_000, TINY),
    Composition("rainbow,grid", 3_000, TINY),
    Composition("dqn,iqn,grid", 3_000, TINY),
    Composition("dqn,munchausen,qr,chain", 3_000, TINY),
    Composition("dqn,boltzmann,online,cartpole", 3_000, TINY),
    Composition("pqn,grid", 4_000, TINY),
    Composition("pqn,minatar", 6_000, {"evaluation.every": 3_000}),
    Composition("dqn,packed,minatar", 3_000, {"evaluation.every": 1_500}),
    Composition("dqn,impala,layer_norm,minatar", 2_000, {"evaluation.every": 1_000}),
    Composition("dqn,pong", 1_200, PONG),
    Composition("dqn,no:per,packed,pong", 1_200, PONG),
    Composition("rainbow,pong", 1_000, {**PONG, "replay.capacity": 5_000}),
    Composition("data_efficient,pong", 500, {**PONG, "replay.capacity": 5_000, "evaluation.every": 0}),
    Composition("chapter,pong", 600, {**PONG, "evaluation.every": 0}),
    Composition("pqn,pong", 4_000, {"evaluation.every": 2_000, "evaluation.episodes": 1, "evaluation.num_envs": 1}),
)


def main(
    before: Annotated[str, typer.Argument(help="A commit or branch.")],
    after: Annotated[str, typer.Argument(help="The commit to compare with.")] = "HEAD",
    keep: Annotated[
        Path | None, typer.Option(help="Folder for the runs, which stays. Default: a temporary folder.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Runs side by side.", min=1)] = 2,
) -> None:
    """Run every composition with both commits and compare the runs. Exit code 1: at least one differs."""
    need_emulator()
    need("minatar", "'pluggable-q[minatar]'")
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        commits = [_git("rev-parse", "--short", revision) for revision in (before, after)]
        for commit in commits:
            _run_all(commit, folder.resolve() / commit, jobs)
        differing = 0
        print(f"| composition | steps | `{commits[0]}` and `{commits[1]}` |\n| --- | ---: | --- |")
        for composition in COMPOSITIONS:
            runs = [folder / commit / "runs" / composition.folder for commit in commits]
            found = "; ".join(differences(*runs))
            differing += bool(found)
            print(f"| `{composition.plugins}` | {composition.steps:,} | {found or 'equal'} |", flush=True)
        print(f"\n{foot(['torch'], compositions=len(COMPOSITIONS))}")
        raise typer.Exit(int(differing > 0))


def differences(one: Path, other: Path) -> Iterator[str]:
    """Yields the differences between two runs: the first row of the metrics, then each file of weights."""
    rows = [_metrics(run / "metrics.jsonl") for run in (one, other)]
    for number, (row, its) in enumerate(zip(*rows, strict=False), start=1):
        if row != its:
            yield f"row {number} of the metrics: {row} and {its}"
            break
    if len(rows[0]) != len(rows[1]):
        yield f"{len(rows[0])} and {len(rows[1])} rows of metrics"
    files = [sorted(file.relative_to(run) for file in _weights(run)) for run in (one, other)]
    if files[0] != files[1]:
        yield f"weights in {files[0]} and {files[1]}"
    for file in sorted(set(files[0]) & set(files[1])):
        arrays, others = load_file(one / file), load_file(other / file)
        if sorted(arrays) != sorted(others):
            yield f"{file}: {sorted(set(arrays) ^ set(others))} in only one of them"
        unequal = [
            name
            for name in sorted(set(arrays) & set(others))
            if not np.array_equal(arrays[name], others[name], equal_nan=arrays[name].dtype.kind == "f")
        ]
        if unequal:
            yield f"{file}: {unequal[0]}"


def _weights(run: Path) -> list[Path]:
    return [run / "last.safetensors", *run.glob("best/*.safetensors")]


def _metrics(file: Path) -> list[dict[str, Any]]:
    """Returns the rows without times and speeds."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in row.items() if not key.endswith(("seconds", "_per_second"))} for row in rows]


def _run_all(commit: str, folder: Path, jobs: int) -> None:
    source = folder / "source"
    if not source.exists():
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", "--force", str(source), commit)
        # the list of plugins must be the commit's own, not that of the installed package
        build = [sys.executable, "-c", "import setuptools; setuptools.setup()", "--quiet", "egg_info"]
        subprocess.run(build, cwd=source, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda composition: _run(composition, source, folder / "runs"), COMPOSITIONS))


def _run(composition: Composition, source: Path, runs: Path) -> None:
    folder = runs / composition.folder
    if (folder / "last.safetensors").exists():
        return
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "framework", *composition.arguments, "--run-dir", str(folder)]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    if done.returncode:
        typer.echo(f"{source}: {' '.join(command)}\n{done.stdout}{done.stderr}", err=True)
        raise typer.Exit(2)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    typer.run(main)
