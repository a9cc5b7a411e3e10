"""What the replay costs: its memory, the time for a batch, and how sampling and the loop scale.

    python benchmarks/replay.py --rounds 30
    python benchmarks/replay.py --capacity 200000

Four tables:

* the resident bytes of a `FrameReplay` that is full of 84 × 84 frames;
* the time for a batch of 128 with its successors, uniform and prioritised, relative to a plain numpy copy of two arrays
  [128, 4, 84, 84] from random places of the replay, and the time for the same copy from the processor's cache;
* the time for a prioritised batch and its new priorities, at growing capacities;
* the speed of the whole loop with 1 to 64 environments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import gymnasium
import numpy as np
import psutil
import typer
from machine import foot, need
from measuring import LEGEND, UNENDING, Times, advance, alternate, ratio, show, spread

from framework.assembly.assemble import assemble
from framework.environments.frames import stacked_space
from framework.options import LearningOptions
from framework.replay.lanes import FrameReplay, bytes_needed
from framework.replay.returns import NStepReturns
from framework.replay.samplers import UniformSampler
from framework.types import Counters, Sampler, Spaces, Step
from plugins.per import PEROptions, Prioritized

BATCH, LANES, STACK, EPISODE = 128, 64, 4, 800
SIZE, SMALL = 84, 4
BESIDES = 100
"""An upper bound, in bytes a transition, for both samplers and a second replay without its frames."""

CAPACITIES = (10_000, 100_000, 1_000_000)
NUM_ENVS = (1, 4, 16, 64)
COPY, UNIFORM, PRIORITISED = "a plain copy", "a batch, uniform", "a batch, prioritised"


@dataclass(frozen=True)
class Found:
    """The measurements of the four tables. Times are in seconds, by arm, in the order of the table."""

    resident: int
    sampling: dict[str, Times]
    growth: dict[str, Times]
    loop: dict[str, Times]


def spaces_of(size: int) -> Spaces:
    """Returns spaces for stacks of four square grey frames from 64 environments."""
    frame = gymnasium.spaces.Box(0, 255, (size, size), np.uint8)
    return Spaces(
        observation=stacked_space(frame, STACK),
        action=gymnasium.spaces.Discrete(6),
        frame=frame,
        frame_stack=STACK,
        stack_padding="repeat",
        num_envs=LANES,
    )


def fill(replay: FrameReplay, size: int, capacity: int, rng: np.random.Generator) -> None:
    """Add `capacity` transitions. Each episode's end takes one more frame, so the ring overwrites its oldest frames."""
    images = rng.integers(0, 256, (2, LANES, size, size), np.uint8)
    always, never = np.ones(LANES, np.bool_), np.zeros(LANES, np.bool_)
    for turn in range(-(-capacity // LANES)):
        reward = rng.integers(-1, 2, LANES).astype(np.float64)
        step = Step(
            env_id=np.arange(LANES),
            first=never if turn % EPISODE else always,
            obs=images[turn % 2],
            action=rng.integers(6, size=LANES),
            reward=reward,
            raw_reward=reward,
            terminated=always if turn % EPISODE == EPISODE - 1 else never,
            truncated=never,
            next_obs=images[1 - turn % 2],
        )
        replay.add(step)


def empty(size: int, capacity: int) -> np.ndarray:
    """Returns an array for the frames. It takes memory only where it is written to."""
    return np.zeros((capacity // LANES * LANES, size, size), np.uint8)


def full(size: int, capacity: int, sampler: Sampler, seed: int, frames: np.ndarray) -> FrameReplay:
    """Returns a full replay of one-step transitions, made from the seed. It stores its frames in `frames`."""
    replay = FrameReplay(spaces_of(size), capacity, sampler, NStepReturns(0.99), allocate=lambda shape, dtype: frames)
    fill(replay, size, capacity, np.random.default_rng(seed))
    return replay


def uniform(seed: int) -> Sampler:
    return UniformSampler(np.random.default_rng(seed))


def prioritised(seed: int) -> Sampler:
    return Prioritized(PEROptions.model_validate({}), np.random.default_rng(seed))


def refuse_if_too_large(capacity: int) -> None:
    """End the command with exit code 2 if a full replay needs more memory than is free."""
    needed, free = bytes_needed(spaces_of(SIZE), capacity) + BESIDES * capacity, psutil.virtual_memory().available
    if needed > free:
        fits = int(0.9 * free * capacity / needed)
        typer.echo(
            f"a replay of {capacity:,} transitions needs {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
            f"free: use --capacity {fits}",
            err=True,
        )
        raise typer.Exit(2)


def memory(capacity: int, seed: int) -> tuple[FrameReplay, np.ndarray, int]:
    """Print the resident bytes of a full uniform replay. Returns the replay, its frames, and the bytes."""
    process = psutil.Process()
    before = process.memory_info().rss
    frames = empty(SIZE, capacity)
    replay = full(SIZE, capacity, uniform(seed), seed, frames)
    resident = process.memory_info().rss - before
    show(
        ["", "transitions that can be sampled", "resident", "bytes a frame"],
        [
            [
                f"84 × 84 × 4, {capacity:,} frames",
                f"{len(replay):,}",
                f"{resident / 1e9:.2f} GB",
                f"{resident / capacity:,.0f}",
            ]
        ],
    )
    return replay, frames, resident


def draw(replay: FrameReplay, batches: int) -> None:
    """Sample batches and read their observations. Each batch is freed before the next one is sampled."""
    for _ in range(batches):
        batch = replay.sample(BATCH, Counters())
        assert batch.obs.shape == batch.next_obs.shape
        del batch


def copy(arrays: Callable[[], tuple[np.ndarray, np.ndarray]], batches: int) -> None:
    """Copy two arrays of the size of a batch's observations and successors. Like a batch, both copies exist at once."""
    for _ in range(batches):
        obs, next_obs = arrays()
        copies = obs.copy(), next_obs.copy()
        del copies


def somewhere(frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns the frames of two random places of the replay, each as long as 128 stacks."""
    first, second = rng.integers(len(frames) - BATCH * STACK, size=2)
    return frames[first : first + BATCH * STACK], frames[second : second + BATCH * STACK]


def renew(replay: FrameReplay, rng: np.random.Generator, batches: int) -> None:
    """Sample batches, read their observations, and give each transition a new priority."""
    for _ in range(batches):
        batch = replay.sample(BATCH, Counters())
        assert batch.obs.shape == batch.next_obs.shape
        replay.reprioritize(batch.ids, rng.random(len(batch)))
        del batch


def compare(arms: Mapping[str, Callable[[], object]], rounds: int, batches: int) -> dict[str, Times]:
    """Print the time for a batch in each arm, and relative to the first arm."""
    seconds = alternate(arms, rounds)
    base = next(iter(seconds.values()))
    show(
        ["", "microseconds a batch", "time, relative to the first"],
        [[label, spread(1e6 * times / batches), ratio(times, base)] for label, times in seconds.items()],
    )
    return seconds


def settle() -> None:
    """Let the allocator keep freed memory from now on, as in a process that has trained for a while.

    glibc returns large arrays to the system at once and then pays for every page of the next one. It stops doing so
    after an array that is large enough was freed.
    """
    np.empty(30_000_000, np.uint8)


def sampling(
    uniformly: FrameReplay, frames: np.ndarray, capacity: int, rounds: int, batches: int, seed: int
) -> dict[str, Times]:
    """Print the time for a batch. Both replays hold the same transitions and share one array of frames."""
    by_priority = full(SIZE, capacity, prioritised(seed), seed, frames)
    renew(by_priority, np.random.default_rng(seed), 100)
    settle()
    copied = np.random.default_rng(seed).integers(0, 256, (2, BATCH * STACK, SIZE, SIZE), np.uint8)
    arms: dict[str, Callable[[], object]] = {
        COPY: partial(copy, partial(somewhere, frames, np.random.default_rng(seed)), batches),
        "the same copy, from the cache": partial(copy, lambda: (copied[0], copied[1]), batches),
        UNIFORM: partial(draw, uniformly, batches),
        PRIORITISED: partial(draw, by_priority, batches),
    }
    return compare(arms, rounds, batches)


def growth(rounds: int, batches: int, seed: int) -> dict[str, Times]:
    """Print the time to sample small frames and to set their priorities, at growing capacities."""
    arms: dict[str, Callable[[], object]] = {}
    for capacity in CAPACITIES:
        replay = full(SMALL, capacity, prioritised(seed), seed, empty(SMALL, capacity))
        label = f"sampled and reprioritised, capacity {capacity:,}"
        arms[label] = partial(renew, replay, np.random.default_rng(seed), batches)
    return compare(arms, rounds, batches)


def loop(rounds: int, steps: int, seed: int) -> dict[str, Times]:
    """Print the speed of the whole loop with 1 to 64 environments, with the same number of updates a step."""
    values = {
        **UNENDING,
        "run.seed": seed,
        "dqn.threads": 1,
        "learning.batch_size": 32,
        "learning.updates_per_step": 0.25,
    }
    agents = {
        f"dqn,cartpole, environments: {count}": assemble("dqn,cartpole", {**values, "run.num_envs": count})
        for count in NUM_ENVS
    }
    for parts in agents.values():
        advance(parts, parts.config[LearningOptions].starts)
    seconds = alternate({label: partial(advance, parts, steps) for label, parts in agents.items()}, rounds)
    base = next(iter(seconds.values()))
    show(
        ["", "environment steps a second", "speed, relative to the first"],
        [[label, spread(steps / times), ratio(base, times)] for label, times in seconds.items()],
    )
    return seconds


def main(
    capacity: Annotated[int, typer.Option(min=10_000, help="Frames in the replay of 84 × 84 frames.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; every arm runs once in each.")] = 30,
    batches: Annotated[int, typer.Option(min=1, help="Batches of each arm in a round.")] = 50,
    steps: Annotated[int, typer.Option(min=64, help="Environment steps of each loop in a round.")] = 640,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
) -> Found:
    """Print the tables. Returns the measurements."""
    need("torch", "'pluggable-q[dqn]'")
    refuse_if_too_large(capacity)
    replay, frames, resident = memory(capacity, seed)
    found = Found(
        resident,
        sampling(replay, frames, capacity, rounds, batches, seed),
        growth(rounds, batches, seed),
        loop(rounds, steps, seed),
    )
    settings = {"seed": seed, "capacity": f"{capacity:,}", "rounds": rounds, "batches a turn": batches}
    print(LEGEND, foot(["torch", "gymnasium"], **settings, **{"steps a turn": steps}))
    return found


if __name__ == "__main__":
    typer.run(main)
