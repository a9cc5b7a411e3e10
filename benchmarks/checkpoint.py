"""What a checkpoint costs: how long training waits, how many bytes are written, and how long loading takes.

    python benchmarks/checkpoint.py

The replay is full of 84 × 84 frames of Pong from four environments, and its sampler has priorities. The agent acts at
random and does not learn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from machine import foot, need, need_emulator
from measuring import UNENDING, show

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.checkpoints.folder import CheckpointFolder
from framework.training.contents import restore
from framework.training.loop import Loop
from framework.training.saver import PeriodicSaver


def agent(frames: int, seed: int) -> Parts:
    """Assembles an agent that acts at random and fills its replay."""
    values = {
        **UNENDING,
        "run.seed": seed,
        "run.num_envs": 4,
        "exploration.final": 1.0,
        "replay.capacity": frames,
        "pong.view": "screen",
        "pong.size": 84,
        "pong.stack": 4,
    }
    return assemble("dqn,pong", values)


def play(parts: Parts, steps: int) -> None:
    """Play `steps` more environment steps and store them in the replay."""
    until = parts.counters.env_steps + steps
    while parts.counters.env_steps < until:
        parts.collector.begin(parts.counters)
        step = parts.collector.finish()
        parts.buffer.add(step)
        parts.counters.advance(step)


def seconds(work: Callable[[], object]) -> float:
    """Returns how long `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def written(folder: Path) -> tuple[int, int]:
    """Returns the bytes of the newest checkpoint: of the files that only it has, and of all its files."""
    newest = max(place for place in (folder / "checkpoints").iterdir() if place.is_dir())
    files = [file.stat() for file in newest.iterdir()]
    return sum(file.st_size for file in files if file.st_nlink == 1), sum(file.st_size for file in files)


def main(
    frames: Annotated[int, typer.Option(min=1_000, help="Frames in the replay.")] = 100_000,
    every: Annotated[int, typer.Option(min=100, help="Environment steps between checkpoints.")] = 10_000,
    saves: Annotated[int, typer.Option(min=1, help="Checkpoints after the first one.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run.")] = 0,
) -> None:
    """Print the table."""
    need("torch", "'pluggable-q[dqn]'")
    need_emulator()
    parts = agent(frames, seed)
    play(parts, frames)
    rows = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        loop, saver = Loop(parts), PeriodicSaver(CheckpointFolder(folder), every)
        for number in range(1 + saves):
            took = seconds(lambda: saver.after_step(loop))
            own, whole = written(folder)
            label = f"{every:,} steps later" if number else "the first one, with a full replay"
            rows.append([label, f"{took:.2f} s", f"{own / 1e6:.0f} MB", f"{whole / 1e6:.0f} MB"])
            play(parts, every)
        again = Loop(agent(frames, seed))
        reading = seconds(lambda: restore(again, CheckpointFolder(folder).read()[0]))
    show(["a checkpoint", "training waits", "written", "in all"], rows)
    print(
        f"Verifying and loading the last one takes {reading:.2f} s.",
        foot(["torch", "safetensors"], seed=seed, frames=frames),
    )


if __name__ == "__main__":
    typer.run(main)
