"""The commands: their arguments, what `--help` says of them, and what they call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from framework.cli_options import (
    NAMES_HELP,
    ConfigOption,
    JobsOption,
    PluginsArgument,
    PluginsOption,
    RunArgument,
    SetOption,
    WeightsOption,
    assigned,
    names_of,
    sources_of,
    trains,
)

app = typer.Typer(
    name="python -m framework",
    help="Value-based reinforcement learning in which an algorithm is a list of plugins.\n\n"
    "Start with [bold]python -m framework run --plugins tabular,chain[/bold] (a second) or "
    "[bold]python -m framework run --plugins dqn,pong[/bold] (Pong, from pixels).",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.command()
@trains
def run(
    plugins: PluginsOption = None,
    *,
    sources: list[Any],
    run_dir: Annotated[
        Path | None,
        typer.Option(
            "--run-dir", "--study-dir", help="Folder of the run, or with --seeds of the study. Default: under runs/."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Runs, with seeds one after the other, side by side, with a table and a plot.", min=1)
    ] = 1,
    jobs: JobsOption = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            help="Folder of a run that goes on from its last checkpoint, bit for bit, with its own plugins and "
            "options; a later end may be named.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --resume: go on although something has changed, and say what.")
    ] = False,
) -> None:
    """Train an agent and record the run: metrics, TensorBoard events, best weights, checkpoints, curves.

    Ctrl-C ends the run in good order, with a checkpoint (exit code 130).

    Examples:

      python -m framework run --plugins tabular,chain --episodes 100

      python -m framework run --plugins dqn,pong --until 18 --eval-every 25000

      python -m framework run --plugins dqn,double,nstep,pong --set nstep.n=5 --seed 1

      python -m framework run --plugins chapter,pong

      python -m framework run --plugins dqn,chain --seeds 5

      python -m framework run --resume runs/first --steps 2000000
    """
    from framework.errors import UsageError

    if resume is None and force:
        raise UsageError("--force is for a run that goes on: add --resume")
    if resume is not None and (seeds > 1 or run_dir is not None):
        raise UsageError("--resume goes on with one run in its own folder: drop --seeds and --run-dir")
    if jobs is not None and seeds == 1:
        raise UsageError("--jobs is for several runs: add --seeds")
    if seeds > 1:
        from framework.study.command import seeds_study

        raise typer.Exit(seeds_study(names_of(plugins, sources), sources, seeds, jobs, run_dir))
    from framework.run_command import run_anew, run_on

    if resume is not None:
        raise typer.Exit(run_on(resume, plugins, sources, force))
    raise typer.Exit(run_anew(names_of(plugins, sources), sources, run_dir))


@app.command()
def replay(
    run: Annotated[Path, typer.Argument(help="Folder of a run with --deterministic.", show_default=False)],
    to: Annotated[
        int | None, typer.Option(help="Environment steps. Default: all that were recorded.", min=1, show_default=False)
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Record the repetition here: its last weights are those of the moment.")
    ] = None,
) -> None:
    """Repeat a recorded run up to any moment, and see that every step is what it was.

    Sampled batches, losses, actions, observations, rewards, evaluations and, each 1,000 steps, weights are compared.

    Exit code 0: all of it was the same; 1: the first step that differs is named, with what differs.

    Examples:

      python -m framework run --plugins dqn,chain --deterministic --run-dir runs/first

      python -m framework replay runs/first --to 5000 --run-dir runs/first-at-5000

      python -m framework watch runs/first-at-5000
    """
    from framework.replaying import replay as repeat

    replayed = repeat(run, to, run_dir, show_progress=True)
    for change in replayed.changes:
        typer.echo(f"changed  {change}")
    typer.echo(f"the same up to step {replayed.env_steps:,}{f': {run_dir}' if run_dir else ''}")


@app.command()
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
    from framework.study.command import ablation_study

    raise typer.Exit(ablation_study(names_of(plugins, sources), sources, seeds, jobs, study_dir))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the plugin: a Python name that is not taken.", show_default=False)],
    fills: Annotated[
        list[str] | None,
        typer.Option("--fills", help="What it fills, such as make_exploration or dqn_head.", show_default=False),
    ] = None,
    directory: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path(),
) -> None:
    """Write a plugin to begin with: a small one that works, with its options, its test and its packaging.

    What is written passes the command 'check' as it stands. Edit NAME/NAME.py from there.

    Without --fills, the slots that there are templates for are listed.

    Examples:

      python -m framework new my_variant --fills dqn_bootstrap

      python -m framework new curious --fills make_exploration --directory ideas
    """
    from framework.scaffold import create

    created = create(name, fills or [], directory)
    for file in created.files:
        typer.echo(f"wrote {file}")
    typer.echo("\nCheck it, test it, run it:\n")
    for command in created.commands:
        typer.echo(f"  {command}")


@app.command()
def check(
    names: Annotated[str, typer.Argument(help=NAMES_HELP, show_default=False)],
    beside: Annotated[
        str | None,
        typer.Option(
            "--with",
            help="Further plugins, with which the composition must be whole. Default: the plugin's CHECK_WITH, else "
            "what it extends, each family that fits, and chain.",
            show_default=False,
        ),
    ] = None,
    pattern: Annotated[str, typer.Option("-k", help="Only checks whose name matches this regular expression.")] = "",
    component: Annotated[list[str] | None, typer.Option(help="Only this component; may be repeated.")] = None,
    assignments: SetOption = None,
    exit_first: Annotated[bool, typer.Option("--exitfirst", "-x", help="Stop at the first failure.")] = False,
    thorough: Annotated[bool, typer.Option("--thorough", help="Ten times the examples, of a random seed.")] = False,
    seed: Annotated[int | None, typer.Option(help="Of the examples. Default: 0.", min=0, show_default=False)] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes side by side. Default: the usable cores.", min=1, show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
    only_list: Annotated[bool, typer.Option("--list", help="Print the checks and their properties only.")] = False,
) -> None:
    """Prove a plugin right in seconds, before it costs hours: put it through every check that applies.

    A failure shows the property, the smallest counter-example, the likely causes and the command that repeats it.

    The plugin runs in processes of its own: one that hangs, exits or eats memory is a failure, and the rest goes on,
    until that has happened three times. Ctrl-C reports what was found so far.

    --set is stronger than all but what a check sets itself: those of whole agents set steps, rates, exploration and γ.

    Exit code 0: all passed; 1: a check failed; 2: nothing was checked, and why; 130: Ctrl-C.

    Examples:

      python -m framework check dqn,double,per,chain

      python -m framework check ./my_variant.py --component loss

      python -m framework check nstep --with dqn,grid -k discount
    """
    from framework.conformance.command import check_command
    from framework.conformance.session import Request
    from framework.study.processes import usable_cores

    jobs = jobs or usable_cores()
    chosen = tuple(component or ())
    request = Request(names, beside, tuple(assignments or ()), pattern, chosen, thorough, seed, jobs, exit_first)
    raise typer.Exit(check_command(request, as_json=as_json, only_list=only_list))


@app.command()
def evaluate(
    run: RunArgument,
    episodes: Annotated[int, typer.Option(help="Games to play.", min=1)] = 100,
    epsilon: Annotated[
        float | None, typer.Option(help="Probability of a random action. Default: as in the run.", min=0, max=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other games.", min=0)] = 0,
    weights: WeightsOption = None,
    assignments: SetOption = None,
) -> None:
    """Play a trained agent without learning, and report raw returns.

    Example:

      python -m framework evaluate runs/first --episodes 100

      python -m framework evaluate pong --episodes 10 --set pong.sticky=0.25
    """
    from rich.console import Console

    from framework.evaluation import evaluate as play
    from framework.run_folder import load

    agent = load(run, weights, assigned(assignments))
    with Console(stderr=True).status(f"playing {episodes} episodes"):
        result = play(agent, name=f"command/{seed}", episodes=episodes, epsilon=epsilon)
    typer.echo(
        f"mean {result.mean:.2f} ± {result.deviation:.2f} over {episodes} episodes "
        f"(min {min(result.returns):g}, max {max(result.returns):g}, {result.distinct} distinct games, "
        f"epsilon {result.epsilon:g}, {result.seconds:.1f} s)"
    )


@app.command()
def watch(
    run: RunArgument,
    episodes: Annotated[int, typer.Option(help="Games to show.", min=1)] = 1,
    video: Annotated[Path | None, typer.Option(help="Write an .mp4 or .gif instead of opening a window.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other games.", min=0)] = 0,
    weights: WeightsOption = None,
    assignments: SetOption = None,
) -> None:
    """Watch a trained agent play: in a window, or with --video in a file.

    Example:

      python -m framework watch runs/first --video game.mp4

      python -m framework watch pong
    """
    from framework.run_folder import load
    from framework.watching import show

    agent = load(run, weights, assigned(assignments))
    for number, total in enumerate(show(agent, episodes, video, seed), start=1):
        typer.echo(f"episode {number} | return {total:.1f}")
    if video:
        typer.echo(f"wrote {video}")


@app.command("plugins")
def list_plugins(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; default all.", show_default=False)] = None,
) -> None:
    """List plugins: what each fills, and its options with types, defaults and descriptions."""
    from framework.catalogue import print_catalogue

    print_catalogue(names or [])


@app.command("config")
def show_config(
    plugins: PluginsOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Print the whole configuration in force as TOML, with where each value came from, ready to edit.

    Example:

      python -m framework config --plugins chapter,pong > chapter.toml
    """
    from framework.composition import configure

    sources = sources_of(config, assignments, {})
    _, settled, notes = configure(names_of(plugins, sources), sources)
    for note in notes:
        typer.echo(note, err=True)
    typer.echo(settled.to_toml(), nl=False)
