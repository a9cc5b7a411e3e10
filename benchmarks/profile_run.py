"""How the time of an environment step is divided between the parts.

    python benchmarks/profile_run.py --plugins dqn,pong
    python benchmarks/profile_run.py --plugins rainbow,pong --set dqn.threads=1

The command times the methods of the assembled parts. A method's time does not include the other timed methods that it
calls. The engine's loop is unchanged. *environment* is the time that the loop spends there: while emulators work in
threads of their own and the agent learns, only the time that the loop waits for them counts.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import numpy as np
import typer
from machine import foot
from measuring import UNENDING, advance, show, spread

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.cli.options import sources_of
from framework.config import Source
from framework.errors import UsageError
from framework.options import RunOptions
from framework.types import Batch

T = TypeVar("T")

ACT, ENVIRONMENT, ADD, SAMPLE = "act", "environment", "add", "sample"
LOSS, OPTIMISER, REPRIORITISE, TARGET = "loss (forward)", "backward + optimiser", "reprioritise", "target network"
REST = "the rest"
NAMES = (ACT, ENVIRONMENT, ADD, SAMPLE, LOSS, OPTIMISER, REPRIORITISE, TARGET)


class Stopwatch:
    """Adds up seconds by name. If one timed function calls another, the inner time counts for the inner name alone."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inner = [0.0]

    def timed(self, name: str, function: Callable[..., T]) -> Callable[..., T]:
        """Returns a function that does the same and adds its time to `name`."""

        def call(*args: Any, **kwargs: Any) -> T:
            self._inner.append(0.0)
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                elapsed = time.perf_counter() - began
                self.seconds[name] += elapsed - self._inner.pop()  # type: ignore[assignment]  # a Counter may hold floats
                self._inner[-1] += elapsed

        return call

    def attach(self, owner: object, method: str, name: str) -> None:
        """Replace a method of one object by its timed version."""
        setattr(owner, method, self.timed(name, getattr(owner, method)))


def attach(watch: Stopwatch, parts: Parts) -> None:
    """Time the parts. The successors, which a batch reads later, count as sampling."""
    watch.attach(parts.collector, "begin", ACT)
    watch.attach(parts.collector, "finish", ENVIRONMENT)
    watch.attach(parts.stream, "begin", ENVIRONMENT)
    watch.attach(parts.stream, "finish", ENVIRONMENT)
    watch.attach(parts.buffer, "add", ADD)
    watch.attach(parts.buffer, "reprioritize", REPRIORITISE)
    watch.attach(parts.optimizer, "apply", OPTIMISER)
    watch.attach(parts.target_sync, "tick", TARGET)
    parts.loss = watch.timed(LOSS, parts.loss)
    sample = parts.buffer.sample

    def sample_timed_late(*args: Any) -> Batch:
        batch = sample(*args)
        watch.attach(batch, "read_next_obs", SAMPLE)
        watch.attach(batch, "read_next_action", SAMPLE)
        return batch

    parts.buffer.sample = watch.timed(SAMPLE, sample_timed_late)  # type: ignore[method-assign]


def measured(parts: Parts, watch: Stopwatch, steps: int) -> dict[str, float]:
    """Run the loop for `steps` environment steps. Returns the microseconds of each part per step."""
    watch.seconds.clear()
    first, began = parts.counters.env_steps, time.perf_counter()
    advance(parts, steps)
    total = time.perf_counter() - began
    seconds = {**{name: watch.seconds[name] for name in NAMES}, REST: total - sum(watch.seconds.values())}
    return {name: 1e6 * value / (parts.counters.env_steps - first) for name, value in seconds.items()}


def main(
    plugins: Annotated[str, typer.Option(help="The composition, as for the command 'run'.")] = "dqn,pong",
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="An option as section.key=value; may be repeated.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the table shows their medians.")] = 20,
    steps: Annotated[int, typer.Option(min=1, help="Environment steps in a round.")] = 400,
    starts: Annotated[
        int,
        typer.Option(
            min=1,
            help="Environment steps before the first round. It is also the value of learning.starts.",
        ),
    ] = 1_000,
) -> None:
    """Print the table."""
    own = Source("profile", {**UNENDING, "learning.starts": starts})
    try:
        parts = assemble(plugins, sources=[own, *sources_of(None, assignments, {})])
    except UsageError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from error
    watch = Stopwatch()
    attach(watch, parts)
    advance(parts, starts + steps)
    first = replace(parts.counters)
    slices = [measured(parts, watch, steps) for _ in range(rounds)]
    columns = {name: np.array([row[name] for row in slices]) for name in slices[0]}
    total = np.sum(list(columns.values()), axis=0)
    show(
        ["", "microseconds an environment step", "share of the time"],
        [
            *([name, spread(column), f"{column.sum() / total.sum():.1%}"] for name, column in columns.items()),
            ["all", spread(total), "100.0%"],
        ],
    )
    updates = (parts.counters.updates - first.updates) / (parts.counters.env_steps - first.env_steps)
    packages = ["gymnasium", *(["torch"] if "torch" in sys.modules else [])]
    settings = {"plugins": plugins, "seed": parts.config[RunOptions].seed, "rounds": rounds, "steps a round": steps}
    print(f"{updates:.2f} updates an environment step. Medians of the rounds, with their quartiles.", end=" ")
    print(foot(packages, **settings))


if __name__ == "__main__":
    typer.run(main)
