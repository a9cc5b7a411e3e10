"""The command `run`: a new run, a run that continues from its last checkpoint, or several runs with several seeds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framework.cli.options import JobsOption, OnOption, PluginsOption, names_of, trains

if TYPE_CHECKING:
    from framework.assembly.parts import Parts
    from framework.config import Source
    from framework.training.resume import Reopened
    from framework.training.run import Outcome


@trains
def run(
    plugins: PluginsOption = None,
    *,
    sources: list[Any],
    run_dir: Annotated[
        Path | None,
        typer.Option(
            "--run-dir", "--study-dir", help="Run folder, or study folder with --seeds. Default: a new one under runs/."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Number of runs side by side, with consecutive seeds, a table and a plot.", min=1)
    ] = 1,
    jobs: JobsOption = None,
    on: OnOption = "local",
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            help="Folder of a run to continue from its last checkpoint, bit for bit, with its own plugins and "
            "options. You may set a later end.",
            show_default=False,
        ),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            help="Start a new run with the weights of another run, and nothing else of it: a run folder, the name of a "
            "plugin with a trained agent, or a file of weights.",
            show_default=False,
        ),
    ] = None,
    init_weights: Annotated[
        str | None,
        typer.Option(
            help="Which weights of --init-from: evaluation, last or mean_100. Default: the first of these that it has.",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="For tables: print each update as the arithmetic of its Bellman equation. Adds the plugin 'explain'.",
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print a line every ten seconds, not for every episode.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --resume: continue even if something has changed, and print what.")
    ] = False,
) -> None:
    """Train an agent and record the run: metrics, TensorBoard events, best weights, checkpoints, curves.

    Ctrl-C ends the run after the current step and writes a checkpoint (exit code 130), and so do SIGTERM (143) and
    SIGHUP (129). Exit code 2: what you gave is wrong, a damaged run included, and nothing has begun.

    Examples:

      python -m framework run --plugins tabular,chain --episodes 100

      python -m framework run --plugins tabular,chain --episodes 5 --set tabular.learning_rate=0.1 --explain

      python -m framework run --plugins dqn,pong --until 18 --eval-every 25000

      python -m framework run --plugins dqn,double,nstep,pong --set nstep.n=5 --seed 1

      python -m framework run --plugins chapter,pong

      python -m framework run --plugins dqn,chain --seeds 5

      python -m framework run --plugins dqn,chain --seeds 50 --on 10.0.0.1:6379

      python -m framework run --plugins dqn,pong --init-from runs/first --set exploration.start=0.1

      python -m framework run --resume runs/first --steps 2000000
    """
    from framework.assembly.configuration import plugin_names
    from framework.config import Source
    from framework.errors import UsageError

    if resume is not None and (init_from is not None or init_weights is not None):
        raise UsageError("--init-from is for a new run, and a run that continues has its own weights: remove --resume")
    initial = {"run.init_from": _absolute(init_from), "run.init_weights": init_weights}
    given = {option: value for option, value in initial.items() if value is not None}
    sources = [*sources, Source("command line", given, unread="refused")] if given else sources
    if resume is None and force:
        raise UsageError("--force is for a run that continues: add --resume")
    if resume is not None and (seeds > 1 or run_dir is not None):
        raise UsageError("--resume continues one run in its own folder: remove --seeds and --run-dir")
    if jobs is not None and seeds == 1:
        raise UsageError("--jobs is for several runs: add --seeds")
    if on != "local" and seeds == 1:
        raise UsageError("--on is for several runs: add --seeds")
    if quiet and seeds > 1:
        raise UsageError("--quiet is for one run: the output of several goes to files")
    if explain and (seeds > 1 or resume is not None):
        raise UsageError("--explain is for one new run: remove --seeds or --resume; a run goes on as it began")
    if seeds > 1:
        from framework.cli.studies import Asked, seeds_study

        raise typer.Exit(seeds_study(names_of(plugins, sources), sources, Asked(seeds, jobs, run_dir, on)))
    if resume is not None:
        raise typer.Exit(run_on(resume, plugins, sources, force, quiet=quiet))
    names = plugin_names(names_of(plugins, sources))
    if explain and "explain" not in names:
        names = [*names, "explain"]
    raise typer.Exit(run_anew(names, sources, run_dir, quiet=quiet))


def run_anew(names: Sequence[str], sources: Sequence[Source], folder: Path | None, *, quiet: bool = False) -> int:
    """Train from the beginning, and return the exit code.

    Args:
        folder: the run folder; None for a new one under runs/.
        quiet: print a line every ten seconds.

    Raises:
        FrameworkError: as `assemble` and `train` do.
    """
    from framework.assembly.assemble import assemble

    return _run(assemble(names, sources=sources), folder, None, quiet)


def run_on(
    folder: Path, names: Sequence[str] | None, sources: Sequence[Source], force: bool, *, quiet: bool = False
) -> int:
    """Continue the run in a folder, and return the exit code. The other arguments are those of `reopen`.

    Raises:
        FrameworkError: as `reopen` and `train` do.
    """
    from framework.training.resume import reopen

    reopened = reopen(folder, names, sources, force=force)
    return _run(reopened.parts, folder, reopened, quiet)


def _run(parts: Parts, folder: Path | None, reopened: Reopened | None, quiet: bool) -> int:
    from framework.errors import UsageError
    from framework.options import RunOptions
    from framework.training.ends import check_ends
    from framework.training.initial import initialise
    from framework.training.run import train
    from framework.training.run_folder import default_folder

    checkpoint = reopened.checkpoint if reopened else None
    before = checkpoint.env_steps if checkpoint else 0
    try:
        check_ends(parts)
        if reopened is None:
            initialise(parts)
        options = parts.config[RunOptions]
        place = folder or default_folder(options.plugins, f"seed{options.seed}")
        _introduce(parts, place, reopened)
        anew = reopened is not None and reopened.forced
        try:
            outcome = train(
                parts, place, show_progress=True, quiet=quiet, checkpoint=checkpoint, new_episodes=anew, watchdog=True
            )
        except UsageError:
            if folder is None:
                with suppress(OSError):
                    place.rmdir()  # only if it is empty: the run was refused before it began
            raise
    finally:
        parts.close()
    # after a lost terminal, nobody can be told
    with suppress(OSError) if outcome.interrupted else nullcontext():
        _conclude(outcome, place, stood_still=reopened is not None and outcome.counters.env_steps == before)
    return 0 if outcome.stopped_by is None else 128 + outcome.stopped_by


def _introduce(parts: Parts, folder: Path, reopened: Reopened | None) -> None:
    from framework.options import RunOptions
    from framework.types import Counters, Described

    for note in [*parts.notes, *(reopened.notes if reopened else ())]:
        typer.echo(note, err=note.startswith("warning:"))
    seed = parts.config[RunOptions].seed
    typer.echo(f"plugins  {', '.join(parts.plugins.names)} | seed {seed} | {parts.spaces.describe()}")
    size = parts.buffer.manifest() if isinstance(parts.buffer, Described) else {}
    if {"capacity", "bytes"} <= set(size):
        typer.echo(f"replay   {size['capacity']:,} frames, {size['bytes'] / 1e9:.3f} GB when full")
    typer.echo(f"ends     {_ends(parts)}")
    steps = parts.config[RunOptions].steps
    if steps is not None and not parts.cadence.due(Counters(env_steps=steps, frames=steps)):
        typer.echo(f"warning: no update is due within {steps:,} steps, so nothing will be learnt", err=True)
    if parts.initial:
        typer.echo(f"weights  {parts.initial.path}")
    typer.echo(f"folder   {folder}")
    if reopened:
        typer.echo(f"resumed  after {reopened.checkpoint.env_steps:,} steps, from {reopened.checkpoint.path}")


def _absolute(source: str | None) -> str | None:
    """The absolute path of a folder or a file, so that a run can be started again from anywhere; else the name."""
    return str(Path(source).resolve()) if source is not None and os.path.exists(source) else source


def _ends(parts: Parts) -> str:
    from framework.options import RunOptions

    options = parts.config[RunOptions]
    ends = []
    if options.until is not None:
        ends.append(f"when an evaluation reaches {options.until:g}")
    if options.steps is not None:
        ends.append(f"after {options.steps:,} steps")
    if options.episodes is not None:
        ends.append(f"after {options.episodes:,} episodes")
    if options.patience:
        ends.append(f"after {options.patience:,} evaluations without improvement")
    if options.hours is not None:
        ends.append(f"after {options.hours:g} hours")
    return " or ".join(ends)


def _conclude(outcome: Outcome, folder: Path, stood_still: bool) -> None:
    from framework.checkpoints.folder import FOLDER as CHECKPOINTS

    counters = outcome.counters
    unfinished = outcome.interrupted or outcome.out_of_time
    how = "interrupted" if outcome.interrupted else "out of time" if outcome.out_of_time else "finished"
    typer.echo(
        f"{how} after {counters.env_steps:,} steps, "
        f"{counters.episodes:,} episodes and {counters.updates:,} updates: {folder}"
    )
    if not unfinished:
        typer.echo(f"reason   {outcome.reason}")
    for complaint in outcome.complaints:
        typer.echo(f"warning: {complaint}", err=True)
    if unfinished and (folder / CHECKPOINTS).is_dir():
        typer.echo(f"continue  python -m framework run --resume {shlex.quote(str(folder))}")
    if outcome.longest_save >= 1:
        typer.echo(f"training waited for a checkpoint for up to {outcome.longest_save:.1f} s")
    if stood_still and not unfinished:
        typer.echo(
            "the run had already reached its end: set a later one with --steps, --episodes, --until or --patience"
        )
