"""Environments and actors on a Ray cluster: speed, faults and memory. Writes docs/results/scale.md.

    python benchmarks/scale.py                                 # all parts, in a quarter of an hour
    python benchmarks/scale.py --only slow --only faults       # some of them; the page keeps the others
    python benchmarks/scale.py --only memory --minutes 60
    python benchmarks/scale.py --address 10.0.0.1:6379         # on a cluster that runs

The parts: `slow` (a), `fast` (b), `collect` (c), `pong` (d), `faults` (e), `memory` (f). The results of each are in a
JSON file (--results), so that the page has them all. What there is to say about them is in scale_conclusions.md; the
command copies it to the page.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import psutil
import typer
from machine import foot, need
from measuring import UNENDING

import framework
from framework.assembly.parts import Parts
from framework.events import Callback
from framework.processes.cluster import connect
from framework.training.loop import Loop
from framework.types import Counters, Step

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results" / "scale.md"
CONCLUSIONS = HERE / "scale_conclusions.md"

SLEEPS = (0.01, 0.1)
"""(a): seconds that a step of a slow environment sleeps."""

SEEDS = range(3)
"""(c): the seeds of the runs."""

PARTS_OF_PONG = 3
"""(d): evaluations, after equal times."""

SLOW = """
import time
import gymnasium
from framework.hooks import hookimpl

class Slow(gymnasium.Wrapper):
    def step(self, action):
        time.sleep({sleep})
        return super().step(action)

@hookimpl
def env_wrapper():
    return Slow
"""

Rows = list[list[str]]
Result = tuple[list[str], Rows]
"""The head and the rows of a table."""


class Until(Callback):
    """Stops a loop after some seconds, counted from its first step; notes something once a second."""

    loop: Loop

    def __init__(self, seconds: float, each_second: Callable[[float], None] | None = None) -> None:
        self.seconds, self.each_second = seconds, each_second
        self.began = self.noted = 0.0
        self.first = self.steps = 0
        self.took = 0.0

    def on_step(self, step: Step, counters: Counters) -> None:
        now = time.perf_counter()
        if not self.began:
            self.began, self.first = now, counters.env_steps
            return
        self.took, self.steps = now - self.began, counters.env_steps - self.first
        if self.each_second and self.took - self.noted >= 1:
            self.noted = self.took
            self.each_second(self.took)
        if self.took >= self.seconds:
            self.loop.stop()


def train_for(parts: Parts, seconds: float, each_second: Callable[[float], None] | None = None) -> Until:
    """Trains for some seconds, and can go on from there. Returns how many steps it made."""
    until = Until(seconds, each_second)
    until.loop = Loop(parts, [until])
    until.loop.run()
    return until


def run_for(parts: Parts, seconds: float, each_second: Callable[[float], None] | None = None) -> Until:
    """Runs the loop for some seconds, and closes the parts. Returns how many steps it made."""
    try:
        return train_for(parts, seconds, each_second)
    finally:
        parts.close()


def slow(seconds: float, address: str) -> Result:
    """(a) Environment steps a second with 1 to 8 environments that sleep in each step, here and in actors."""
    rows = []
    for sleep in SLEEPS:
        with tempfile.TemporaryDirectory() as folder:
            plugin = Path(folder) / "slow.py"
            plugin.write_text(SLOW.format(sleep=sleep))
            for count in (1, 2, 4, 8):
                values = {**UNENDING, "run.num_envs": count}
                here = run_for(framework.assemble(f"tabular,chain,{plugin}", values), seconds)
                remote = {**values, "ray_envs.actors": count, "ray_envs.cores": 0.0, "ray_envs.address": address}
                there = run_for(framework.assemble(f"tabular,chain,{plugin},ray_envs", remote), seconds)
                rate = there.steps / there.took
                cells = f"{here.steps / here.took:,.0f}", f"{rate:,.0f}", f"{rate * sleep / count:.0%}"
                rows.append([f"{1000 * sleep:g} ms", str(count), *cells])
    return ["a step sleeps", "environments", "steps a second, one process", "`ray_envs`", "of the ideal"], rows


def fast(seconds: float, address: str) -> Result:
    """(b) What a remote step costs in an environment that takes no time."""
    rows = []
    for count, actors in ((1, 1), (8, 1), (8, 2)):
        values = {**UNENDING, "run.num_envs": count}
        arms = {
            "one process": framework.assemble("tabular,chain", values),
            "run.env_processes": framework.assemble("tabular,chain", {**values, "run.env_processes": True}),
        }
        times = {name: (done := run_for(parts, seconds)).took / done.steps * count for name, parts in arms.items()}
        remote = {**values, "ray_envs.actors": actors, "ray_envs.cores": 0.0, "ray_envs.address": address}
        done = run_for(framework.assemble("tabular,chain,ray_envs", remote), seconds)
        times["ray_envs"] = done.took / done.steps * count
        rows.append([str(count), str(actors), *(f"{1e6 * value:,.0f}" for value in times.values())])
    head = ["environments", "actors", "µs for a step of all, one process", "`run.env_processes`", "`ray_envs`"]
    return head, rows


def collect(seconds: float, address: str, actors: int) -> Result:
    """(c) dqn on CartPole against `ray_collect` with it, in equal time by the clock, with three seeds."""
    rows = []
    remote = {"ray_collect.actors": actors, "ray_collect.cores": 0.0, "ray_collect.address": address}
    for name, plugins, more in (
        ("`dqn`", "dqn,cartpole", {}),
        (f"`dqn,ray_collect`, {actors} actors", "dqn,cartpole,ray_collect", remote),
    ):
        rates, returns = [], []
        for seed in SEEDS:
            parts = framework.assemble(plugins, {**UNENDING, "run.num_envs": 8, "run.seed": seed, **more})
            done = run_for(parts, seconds)
            samples = parts.counters.updates * parts.cadence.batch_size
            rates.append([done.steps / done.took, parts.counters.updates / done.took, samples / done.took])
            returns.append(framework.evaluate(parts, name="scale", episodes=20).mean)
        middle = [f"{median(column):,.0f}" for column in zip(*rates, strict=True)]
        rows.append([name, *middle, ", ".join(f"{value:.0f}" for value in returns)])
    head = [
        f"{seconds:g} s",
        "steps a second",
        "updates a second",
        "samples a second",
        "return of each seed, 20 episodes",
    ]
    return head, rows


def pong(seconds: float, address: str, actors: int) -> Result:
    """(d) dqn,pong against `ray_collect` with it, in equal time by the clock: samples, and what they brought."""
    rows = []
    remote = {"ray_collect.actors": actors, "ray_collect.cores": 0.0, "ray_collect.address": address}
    for plugins, values in (("dqn,pong", {}), ("dqn,pong,ray_collect", remote)):
        parts = framework.assemble(plugins, {**UNENDING, "evaluation.first": 0, **values})
        spent = 0.0
        try:
            for _ in range(PARTS_OF_PONG):
                spent += train_for(parts, seconds / PARTS_OF_PONG).took
                samples = parts.counters.updates * parts.cadence.batch_size
                result = framework.evaluate(parts, name="scale", episodes=20)
                reached = f"{result.mean:+.1f} ± {result.deviation:.1f}"
                counted = f"{parts.counters.env_steps:,}", f"{parts.counters.updates:,}", f"{samples:,}"
                rows.append([f"`{plugins}`", f"{spent:.0f}", *counted, reached])
        finally:
            parts.close()
    head = ["composition", "seconds of training", "environment steps", "updates", "samples learnt", "return, 20 games"]
    return head, rows


def collector_of(parts: Parts) -> Any:
    """The collector of `ray_collect`."""
    from plugins.ray_collect.collector import ActorCollector

    assert isinstance(parts.collector, ActorCollector)
    return parts.collector


def faults(seconds: float, address: str, actors: int, every: float) -> Result:
    """(e) A `kill -9` of an actor every few seconds. A cluster on other machines is not touched."""
    values = {**UNENDING, "run.num_envs": 2 * actors, "ray_collect.actors": actors, "ray_collect.cores": 0.0}
    values |= {"ray_collect.address": address, "ray_collect.restarts": 1000}
    parts = framework.assemble("dqn,cartpole,ray_collect", values)
    collector, killed, episodes = collector_of(parts), [0.0], [0]

    def kill(now: float) -> None:
        if now - killed[-1] < every:
            return
        member = collector._members[len(killed) % actors]
        if member.process and not member.fresh and psutil.pid_exists(member.process):
            os.kill(member.process, signal.SIGKILL)
            killed.append(now)

    done = run_for(parts, seconds, kill)
    episodes[0] = parts.counters.episodes
    found = collector.measures()
    head = ["seconds", "actors killed", "seen as lost", "episodes lost", "episodes finished", "steps a second"]
    row = [f"{done.took:.0f}", str(len(killed) - 1), f"{found['lost_actors']:.0f}", f"{found['lost_episodes']:.0f}"]
    return head, [[*row, f"{episodes[0]:,}", f"{done.steps / done.took:,.0f}"]]


def memory(seconds: float, address: str, actors: int) -> Result:
    """(f) Memory of the learner, and what is in the object store, beside the bound that the manifest states."""
    values = {**UNENDING, "run.num_envs": 2 * actors, "ray_collect.actors": actors, "ray_collect.cores": 0.0}
    values |= {"ray_collect.address": address, "replay.capacity": 20_000}
    parts = framework.assemble("dqn,cartpole,ray_collect", values)
    said = collector_of(parts).manifest()
    bound = said["fragment_bytes_at_most"] + said["weight_bytes_at_most"]
    rows: Rows = []

    def note(now: float) -> None:
        if not rows or now - float(rows[-1][0]) >= seconds / 6:
            figures = psutil.Process().memory_info().rss, in_object_store(), bound
            rows.append([f"{now:.0f}", *(f"{figure / 1e6:,.1f}" for figure in figures)])

    run_for(parts, seconds, note)
    return ["seconds", "learner, MB", "object store, MB", "bound of fragments and weights, MB"], rows


def in_object_store() -> float:
    """Bytes in use in the object stores of all nodes."""
    import ray

    total = ray.cluster_resources().get("object_store_memory", 0.0)
    free = ray.available_resources().get("object_store_memory", 0.0)
    return float(total - free)


TITLES: Mapping[str, str] = {
    "slow": "Slow environments",
    "fast": "The cost of a remote step",
    "collect": "dqn and its collection by actors",
    "pong": "dqn and its collection by actors on Pong",
    "faults": "Faults",
    "memory": "Memory",
}


def table(head: Sequence[str], rows: Rows) -> str:
    """Returns a table in Markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the whole page."""
    parts = [
        "# On a cluster",
        "Written by `python benchmarks/scale.py`. [How both plugins are used](../how-to/actors.md).",
    ]
    for name, title in TITLES.items():
        if name in results:
            found = results[name]
            parts += [f"## {title}", found["what"], table(found["head"], found["rows"]), found["foot"]]
    return "\n\n".join([*parts, CONCLUSIONS.read_text(encoding="utf-8").strip()]) + "\n"


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Parts to measure: {', '.join(TITLES)}.")] = None,
    seconds: Annotated[float, typer.Option(help="Seconds of each run of (a) and (b); of (c) four times as many.")] = 10,
    minutes: Annotated[float, typer.Option(help="Minutes of each run of (d), and of (e) and (f).")] = 1,
    actors: Annotated[int, typer.Option(help="(c) to (f): actors.")] = 2,
    every: Annotated[float, typer.Option(help="(e): seconds between two kills.")] = 5,
    address: Annotated[str, typer.Option(help="HOST:PORT of a cluster; default: a Ray on this machine.")] = "",
    results: Annotated[Path, typer.Option(help="The file with the results of all parts.")] = Path("runs/scale.json"),
    write: Annotated[bool, typer.Option(help="Write the page.")] = True,
) -> None:
    """Measure the parts, print their tables, and write the page."""
    need("ray", "'pluggable-q[ray]'")
    unknown = set(only or ()) - set(TITLES)
    if unknown:
        typer.echo(f"unknown part {', '.join(sorted(unknown))}: the parts are {', '.join(TITLES)}", err=True)
        raise typer.Exit(2)
    arms: dict[str, Callable[[], Result]] = {
        "slow": lambda: slow(seconds, address),
        "fast": lambda: fast(seconds, address),
        "collect": lambda: collect(4 * seconds, address, actors),
        "pong": lambda: pong(60 * minutes, address, actors),
        "faults": lambda: faults(60 * minutes, address, actors, every),
        "memory": lambda: memory(60 * minutes, address, actors),
    }
    known: dict[str, Any] = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    with connect(address, cores=8):
        for name in only or TITLES:
            head, rows = arms[name]()
            what = (globals()[name].__doc__ or "").partition(") ")[2]
            made = foot(("ray",), seconds=seconds, minutes=minutes, actors=actors, every=every)
            known[name] = {"what": what, "head": head, "rows": rows, "foot": made}
            print(f"\n{table(head, rows)}\n\n{made}", flush=True)
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(known, indent=1), encoding="utf-8")
    if write:
        PAGE.write_text(page(known), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
