"""What the engine's loop costs: `framework.training.loop.Loop` against one by hand, over the same parts of `dqn,pong`.

    python benchmarks/engine.py --pairs 60

Both arms are assembled with the same options and the same seed, so they play the same games and make the same updates.
The command fails if their weights differ at the end. The loop written by hand never ends, has no callbacks and reports
no episodes. Callbacks do the recording, which is not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, cast

import numpy as np
import typer
from machine import foot, need, need_emulator
from measuring import LEGEND, UNENDING, Times, advance, alternate, ratio, show, spread

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.errors import FrameworkError
from framework.options import LearningOptions, TargetOptions
from framework.types import Targeted

ENGINE, HAND = "the engine's loop", "written by hand"


def by_hand(parts: Parts, steps: int) -> None:
    """DQN in its plainest form: act, learn while the emulators work, store the transitions."""
    learning, every = parts.config[LearningOptions], parts.config[TargetOptions].every
    counters, stream, policy = parts.counters, parts.stream, parts.policy
    end = counters.env_steps + steps
    while counters.env_steps < end:
        obs = stream.observations
        stream.begin(parts.exploration.choose(policy.action_values(obs, explore=True), obs, counters))
        due = int(max(0, counters.env_steps - learning.starts) * learning.updates_per_step)
        while counters.updates < due:
            update(parts, learning.batch_size)
        step = stream.finish()
        parts.buffer.add(step)
        copies = counters.env_steps // every
        counters.advance(step)
        if counters.env_steps // every > copies:
            cast(Targeted, policy).update_target(1.0)


def update(parts: Parts, batch_size: int) -> None:
    """Make one update. Afterwards nothing refers to the batch and the graph of its losses, so their memory is free."""
    batch = parts.buffer.sample(batch_size, parts.counters)
    errors = parts.loss(batch, parts.counters)
    parts.optimizer.apply(batch, errors)
    parts.buffer.reprioritize(batch.ids, errors.priority)
    parts.counters.updates += 1


def interval(ratios: Times) -> tuple[float, float]:
    """Returns the 95 % percentile bootstrap interval of the median of the ratios."""
    from scipy.stats import bootstrap  # type: ignore[import-untyped]

    found = bootstrap(
        (ratios,), np.median, confidence_level=0.95, method="percentile", random_state=np.random.default_rng(0)
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def equal(first: Parts, second: Parts) -> bool:
    """Returns whether two agents have the same counters and the same online weights, bit for bit."""
    online, other = (cast(Mapping[str, np.ndarray], parts.policy.state_dict()["online"]) for parts in (first, second))
    return first.counters == second.counters and all(np.array_equal(online[name], other[name]) for name in online)


def main(
    pairs: Annotated[int, typer.Option(min=30, help="Rounds; both arms run once in each.")] = 60,
    steps: Annotated[int, typer.Option(min=4, help="Environment steps of each arm in a round.")] = 200,
    starts: Annotated[int, typer.Option(min=100, help="Environment steps before learning starts.")] = 1_000,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of both arms.")] = 0,
) -> tuple[dict[str, Times], tuple[float, float]]:
    """Print the table. Returns the seconds of both arms, by label, and the interval of the median ratio.

    Raises:
        FrameworkError: if the weights of the two arms differ at the end.
    """
    need("torch", "'pluggable-q[dqn]'")
    need_emulator()
    values = {**UNENDING, "run.seed": seed, "dqn.threads": threads, "learning.starts": starts}
    engine, hand = assemble("dqn,pong", values), assemble("dqn,pong", values)
    advance(engine, starts)
    by_hand(hand, starts)
    seconds = alternate({ENGINE: partial(advance, engine, steps), HAND: partial(by_hand, hand, steps)}, pairs)
    low, high = interval(seconds[ENGINE] / seconds[HAND])
    show(
        ["", "environment steps a second", "time, relative to the loop by hand"],
        [[label, spread(steps / times), ratio(times, seconds[HAND])] for label, times in seconds.items()],
    )
    print(
        f"The engine's loop takes {low:.3f} to {high:.3f} times as long (95 % bootstrap interval of the median ratio)."
    )
    if not equal(engine, hand):
        raise FrameworkError("the two loops did not do the same: their weights differ at the end")
    print("The weights of both are equal at the end.\n")
    packages = ["torch", "ale-py", "scipy"]
    print(LEGEND, foot(packages, seed=seed, threads=threads, pairs=pairs, **{"steps a turn": steps}))
    return seconds, (low, high)


if __name__ == "__main__":
    typer.run(main)
