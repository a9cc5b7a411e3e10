"""The command `ablate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from framework.cli.options import JobsOption, OnOption, PluginsArgument, names_of, trains


@trains
def ablate(
    plugins: PluginsArgument = None,
    *,
    sources: list[Any],
    seeds: Annotated[int, typer.Option(help="Number of runs of each arm, with consecutive seeds.", min=1)] = 3,
    jobs: JobsOption = None,
    on: OnOption = "local",
    study_dir: Annotated[
        Path | None,
        typer.Option(help="Study folder; with that of the same study, it continues. Default: a new one under runs/."),
    ] = None,
) -> None:
    """Measure what each part contributes: run a composition, and the composition without each of its parts.

    Each arm leaves out one plugin, whether you named it or a bundle brought it in. The plugins that the others need,
    such as the environment and the family, stay in every arm.

    The folder gets results.csv, summary.md, study.png and curves.png, and every run as an ordinary run in ARM/seed-K.

    After Ctrl-C (exit code 130) or a kill, the same command with the same --study-dir continues the study, and each of
    its runs from its newest checkpoint.

    Each run uses one thread for its libraries, unless options such as dqn.threads set more.

    Examples:

      python -m framework ablate dqn,double,nstep,chain --seeds 3

      python -m framework ablate ./my_bundle.py,pong --steps 300000 --study-dir runs/ablation

      python -m framework ablate rainbow,pong --study-dir runs/rainbow --on 10.0.0.1:6379
    """
    from framework.cli.studies import Asked, ablation_study

    raise typer.Exit(ablation_study(names_of(plugins, sources), sources, Asked(seeds, jobs, study_dir, on)))
