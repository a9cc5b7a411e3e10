"""How many samples a second the updates learn from: `dqn` against stable-baselines3's DQN.

    python benchmarks/gradients.py --rounds 30

Both have the network of Mnih et al. 2015 (84 × 84 × 4 pixels, six actions), the Huber loss, Adam, gradients clipped to
the same norm and the same number of threads. Each samples from its own replay, which is full of random images. An
update is everything from the sampling to the optimiser's step.

The last lines show the upper limit: the samples a second of an update that only multiplies, as fast as in one product
of large matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import gymnasium
import numpy as np
import torch
import typer
from machine import foot, need
from measuring import LEGEND, UNENDING, Times, alternate, ratio, show, spread
from peers import LEARNING_RATE, stable_baselines
from torch.utils.flop_counter import FlopCounterMode

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts

SIZE, STACK, ACTIONS = 84, 4, 6
SIDE = 1_024
"""Rows and columns of the matrices whose product measures how fast the processor multiplies."""
EPISODE = 1_000
PEER = "stable-baselines3"


class Noise(gymnasium.Env[np.ndarray, np.int64]):
    """Images of random pixels and rewards of −1, 0 or 1. Actions have no effect."""

    metadata = {"frame_stack": STACK}  # noqa: RUF012  # as gymnasium has it

    def __init__(self, shape: tuple[int, ...], render_mode: str | None = None) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(ACTIONS)
        self.render_mode = render_mode
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Any]:
        super().reset(seed=seed)
        self._steps = 0
        return self._image(), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, Any]:
        self._steps += 1
        reward = float(self.np_random.integers(-1, 2))
        return self._image(), reward, self._steps == EPISODE, False, {}

    def _image(self) -> np.ndarray:
        return self.np_random.integers(0, 256, self.observation_space.shape, np.uint8)


def ours(precision: str, threads: int, capacity: int, seed: int) -> Parts:
    """Assembles `dqn` with a full replay. The environment returns single frames, and the engine stacks them."""
    if "bench/Noise-v0" not in gymnasium.registry:
        gymnasium.register("bench/Noise-v0", entry_point=partial(Noise, (SIZE, SIZE)))
    values = {
        **UNENDING,
        "run.seed": seed,
        "run.device": "cpu",
        "replay.capacity": capacity,
        "dqn.hidden": 512,
        "dqn.loss": "huber",
        "dqn.learning_rate": LEARNING_RATE,
        "dqn.precision": precision,
        "dqn.threads": threads,
    }
    parts = assemble("dqn,gym:bench/Noise-v0", values)
    rng = np.random.default_rng(seed)
    for _ in range(capacity):
        parts.stream.begin(rng.integers(ACTIONS, size=1))
        parts.buffer.add(parts.stream.finish())
    return parts


def learn(parts: Parts, batch_size: int, updates: int) -> None:
    """Make `updates` updates, as the engine's loop does."""
    for _ in range(updates):
        batch = parts.buffer.sample(batch_size, parts.counters)
        errors = parts.loss(batch, parts.counters)
        assert np.isfinite(errors.loss).all()
        parts.optimizer.apply(batch, errors)
        parts.buffer.reprioritize(batch.ids, errors.priority)
        parts.counters.updates += 1
        parts.target_sync.tick(parts.counters)


def theirs(capacity: int, seed: int) -> Callable[[int, int], None]:
    """Returns a function of the batch size and the number of updates, which trains the peer. Its replay is full."""
    env = Noise((SIZE, SIZE, STACK))  # the peer expects channels last and moves them to the front
    model = stable_baselines(env, capacity, seed)
    model.learn(capacity)
    return lambda batch_size, updates: model.train(gradient_steps=updates, batch_size=batch_size)


def label(parts: Parts, precision: str) -> str:
    """Returns the arm's label, with the dtype that the precision "auto" chose."""
    dtype = parts.policy.manifest()["computing"].removeprefix("torch.")  # type: ignore[attr-defined]  # dqn's
    return f"dqn, precision {precision}" + (f" ({dtype})" if dtype != precision else "")


def rows(batch_size: int, updates: int, seconds: dict[str, Times]) -> list[list[str]]:
    """Returns a row of the table for each arm."""
    samples = batch_size * updates
    return [
        [arm, str(batch_size), spread(samples / times), ratio(seconds[PEER], times)] for arm, times in seconds.items()
    ]


def fastest(dtype: torch.dtype, rounds: int) -> float:
    """Returns the operations a second in a product of two large matrices: the median of the rounds."""
    matrix = torch.rand(SIDE, SIDE).to(dtype)
    seconds = alternate({"product": partial(torch.mm, matrix, matrix)}, rounds)["product"]
    return 2 * SIDE**3 / float(np.median(seconds))


def ceiling(parts: Parts, batch_size: int, rounds: int) -> tuple[float, float]:
    """Returns (operations a sample in the products and convolutions of an update, samples a second of these alone)."""
    with FlopCounterMode(display=False) as counter:
        learn(parts, batch_size, 1)
    operations = counter.get_total_flops() / batch_size
    dtype = getattr(torch, parts.policy.manifest()["computing"].removeprefix("torch."))  # type: ignore[attr-defined]
    return operations, fastest(dtype, rounds) / operations


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; every arm runs once in each.")] = 30,
    updates: Annotated[int, typer.Option(min=1, help="Updates of each arm in a round.")] = 20,
    capacity: Annotated[int, typer.Option(min=1_000, help="Transitions in each replay.")] = 10_000,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch, the same for every arm.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every arm.")] = 0,
) -> dict[int, dict[str, Times]]:
    """Print the table. Returns the seconds of every arm, by its label, for each size of batch."""
    need("stable_baselines3", PEER)
    agents = {precision: ours(precision, threads, capacity, seed) for precision in ("auto", "float32")}
    train = theirs(capacity, seed)
    torch.set_num_threads(threads)
    found: dict[int, dict[str, Times]] = {}
    for batch_size in (32, 128):
        arms: dict[str, Callable[[], object]] = {
            label(parts, precision): partial(learn, parts, batch_size, updates) for precision, parts in agents.items()
        }
        found[batch_size] = alternate({**arms, PEER: partial(train, batch_size, updates)}, rounds)
    lines = [row for batch_size, seconds in found.items() for row in rows(batch_size, updates, seconds)]
    show(["", "batch", "gradient samples a second", f"speed, relative to {PEER}"], lines)
    for precision, parts in agents.items():
        operations, samples = ceiling(parts, 32, rounds)
        theirs_too = 32 * updates / float(np.median(found[32][PEER]))
        print(
            f"{label(parts, precision)}: {operations / 1e6:,.0f} million operations a sample. If an update did "
            f"nothing else, as fast as a product of two {SIDE:,} × {SIDE:,} matrices, it would learn from "
            f"{samples:,.0f} samples a second, {samples / theirs_too:.1f} × as many as {PEER}.\n"
        )
    settings = {"seed": seed, "threads": threads, "rounds": rounds, "updates a turn": updates, "capacity": capacity}
    print(LEGEND, foot(["torch", PEER], **settings))
    return found


if __name__ == "__main__":
    typer.run(main)
