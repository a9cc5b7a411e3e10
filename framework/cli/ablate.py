"""The command `ablate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from framework.cli.options import JobsOption, PluginsArgument, names_of, trains


@trains
def ablate(
    plugins: PluginsArgument = None,
    *,
    sources: list[Any],
    seeds: Annotated[int, typer.Option(help="Runs of each arm, with seeds one after the other.", min=1)] = 3,
    jobs: JobsOption = None,
    study_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the study; that of the same study goes on. Default: a new one under runs/."),
    ] = None,
) -> None:
    """Find out what each part is worth: run a composition, and the composition less each of its parts.

    An arm lacks one plugin, named or brought in by a bundle; only the environment and the family stay in all of them.

    The folder gets results.csv, summary.md, study.png and curves.png, and every run as an ordinary one in ARM/seed-K.

    After Ctrl-C (exit code 130) or a kill, the same command with the same --study-dir goes on.

    A process gives one thread to its libraries; options such as dqn.threads are followed.

    Examples:

      python -m framework ablate dqn,double,nstep,chain --seeds 3

      python -m framework ablate ./my_bundle.py,pong --steps 300000 --study-dir runs/ablation
    """
    from framework.cli.studies import ablation_study

    raise typer.Exit(ablation_study(names_of(plugins, sources), sources, seeds, jobs, study_dir))
