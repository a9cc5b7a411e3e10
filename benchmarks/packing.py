"""What compressed frames save and cost: `packed` against the plain replay, full of frames of Pong's whole screen.

    python benchmarks/packing.py

Both store the same transitions of an agent that acts at random: 84 × 84 frames in stacks of four. A batch has 128
transitions with their successors, drawn uniformly.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import numpy as np
import typer
from machine import foot, need, need_emulator
from measuring import LEGEND, Times, alternate, ratio, show, spread

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.types import Counters

BATCH = 128


def played(names: str, frames: int, seed: int) -> Parts:
    """Returns the parts of a run with a full replay, before the first update."""
    values = {
        "run.seed": seed,
        "run.num_envs": 8,
        "exploration.final": 1.0,
        "replay.capacity": frames,
        "pong.view": "screen",
        "pong.size": 84,
        "pong.stack": 4,
    }
    parts = assemble(names, values)
    while parts.counters.env_steps < frames:
        parts.collector.begin(parts.counters)
        step = parts.collector.finish()
        parts.buffer.add(step)
        parts.counters.advance(step)
    return parts


def draw(parts: Parts, batches: int) -> None:
    """Sample batches and read their observations and successors."""
    for _ in range(batches):
        batch = parts.buffer.sample(BATCH, Counters())
        assert batch.obs.shape == batch.next_obs.shape


def main(
    frames: Annotated[int, typer.Option(min=1_000, help="Frames in each replay.")] = 40_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; both arms run once in each.")] = 30,
    batches: Annotated[int, typer.Option(min=1, help="Batches of each arm in a round.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of both runs.")] = 0,
) -> tuple[dict[str, float], dict[str, Times]]:
    """Print the table. Returns the bytes of a frame and the seconds of both replays, by "" (plain) and "packed,"."""
    need("torch", "'pluggable-q[dqn]'")
    need_emulator()
    arms = {name: played(f"dqn,no:per,{name}pong", frames, seed) for name in ("", "packed,")}
    seconds = alternate({name: partial(draw, parts, batches) for name, parts in arms.items()}, rounds)
    held: dict[str, Any] = {name: parts.buffer._frames for name, parts in arms.items()}  # type: ignore[attr-defined]
    np.testing.assert_array_equal(held[""], held["packed,"].copy())
    show(
        ["", "bytes a frame", "of a million frames", "microseconds a batch", "time, relative to plain"],
        [
            [
                "packed" if name else "plain",
                f"{held[name].nbytes / frames:,.0f}",
                f"{held[name].nbytes / frames / 1_000:.2f} GB",
                spread(1e6 * times / batches),
                ratio(times, seconds[""]),
            ]
            for name, times in seconds.items()
        ],
    )
    print(LEGEND, foot(["torch", "ale-py"], seed=seed, frames=f"{frames:,}", rounds=rounds))
    return {name: found.nbytes / frames for name, found in held.items()}, seconds


if __name__ == "__main__":
    typer.run(main)
