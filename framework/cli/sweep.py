"""The command `sweep`, and the hidden command of the processes that it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from framework.cli.options import JobsOption, OnOption, PluginsOption, names_of, trains


@trains
def sweep(
    plugins: PluginsOption = None,
    *,
    sources: list[Any],
    over: Annotated[
        list[str] | None,
        typer.Option(
            help="An option to search, as section.key=SPACE. SPACE is log(LOW,HIGH), uniform(LOW,HIGH), "
            "int(LOW,HIGH[,STEP]), logint(LOW,HIGH) or choice(A,B,…). section.key alone takes the space that a plugin "
            "declares. May be repeated. Default: all options with a declared space.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="Number of trials, those of an earlier sweep in the folder included. Default: 20; with "
            "--sampler grid, all points.",
            min=1,
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of runs of each trial, with consecutive seeds.", min=1)] = 2,
    objective: Annotated[
        str | None,
        typer.Option(
            help="What is maximised: last (the mean of the last three evaluations), best (the best evaluation), "
            "final (the mean of the last 100 training episodes) or area (the area under the curve of training). "
            "Default: last; without evaluations, final.",
            show_default=False,
        ),
    ] = None,
    sampler: Annotated[str, typer.Option(help="How values are chosen: tpe, random, grid, qmc or gp.")] = "tpe",
    points: Annotated[
        int, typer.Option(help="With --sampler grid: at most so many values of each range, ends included.", min=2)
    ] = 3,
    pruner: Annotated[
        str, typer.Option(help="Which trials end early: none, median, halving or hyperband. Needs evaluations.")
    ] = "none",
    confirm: Annotated[
        int,
        typer.Option(
            help="At the end, run the best values and the defaults with so many fresh seeds each, and compare them.",
            min=0,
        ),
    ] = 0,
    jobs: JobsOption = None,
    on: OnOption = "local",
    study_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the sweep; with that of the same sweep, it goes on. Default: a new one under runs/."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the space, try its ends, and stop.")] = False,
) -> None:
    """Search for good values of options. Needs the extra 'search'.

    Each trial is a set of values, and each of its runs is an ordinary run in trial-N/seed-K. The folder gets
    trials.csv, best.toml (for --config), summary.md, importances.png and slices.png.

    After Ctrl-C (exit code 130) or a kill, the same command with the same --study-dir goes on. In a second terminal, or
    on another machine that shares the folder, the same command works on the same trials.

    Examples:

      python -m framework sweep --plugins tabular,chain --show

      python -m framework sweep --plugins dqn,cartpole --over 'dqn.learning_rate=log(1e-4,1e-2)' --over target.every

      python -m framework sweep -p dqn,cartpole --trials 40 --pruner median --confirm 5 --study-dir runs/cartpole-sweep
    """
    from framework.cli.sweeps import Asked, run_sweep

    asked = Asked(over or [], trials, seeds, objective, sampler, points, pruner, confirm, jobs, on, study_dir, show)
    raise typer.Exit(run_sweep(names_of(plugins, sources), sources, asked))


def sweep_worker(
    folder: Annotated[Path, typer.Argument(help="Folder of a sweep.")],
    trials: Annotated[int, typer.Option(help="Number of trials of the sweep.", min=1)],
    on: OnOption = "local",
) -> None:
    """Work on the trials of a sweep. The command `sweep` starts such processes."""
    from framework.search.worker import work

    raise typer.Exit(work(folder, trials, on))
