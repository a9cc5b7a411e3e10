"""The command line. Wrong input ends with exit code 2 and one clear message; nothing has been written by then."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from framework.errors import FrameworkError

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

PluginsOption = Annotated[
    str | None,
    typer.Option(
        "--plugins",
        "-p",
        help="Comma-separated: installed names (see the command 'plugins'), gym:ID, dotted modules or .py files; "
        "no:NAME takes out a part that a bundle brought in.",
        show_default=False,
    ),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file of options, as the command 'config' prints it.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="section.key=value, stronger than everything else; may be repeated."),
]
SeedOption = Annotated[int | None, typer.Option(help="Root of every random stream: --set run.seed=…", min=0)]
StepsOption = Annotated[int | None, typer.Option(help="Stop after this many environment steps.", min=1)]
EpisodesOption = Annotated[int | None, typer.Option(help="Stop after this many episodes.", min=1)]
UntilOption = Annotated[float | None, typer.Option(help="Stop when an evaluation's mean return reaches this.")]
EveryOption = Annotated[int | None, typer.Option(help="Environment steps between evaluations; 0 is never.", min=0)]
NumEnvsOption = Annotated[int | None, typer.Option(help="Environments side by side.", min=1)]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]
RunArgument = Annotated[Path, typer.Argument(help="A run's folder, as 'run' made it.", show_default=False)]
WeightsOption = Annotated[
    str | None,
    typer.Option(help="evaluation or mean_100 (the best by either) or last. Default: evaluation, else last."),
]


def _sources(config: Path | None, assignments: list[str] | None, flags: dict[str, Any]) -> list[Any]:
    """What the user says, weakest first: the file, --set, the flags that stand for single options."""
    from framework.config import Source, parse_assignment, read_toml

    sources = [Source(f"file {config}", read_toml(config))] if config else []
    sources.append(Source("--set", dict(parse_assignment(text) for text in assignments or [])))
    given = {path: value for path, value in flags.items() if value is not None}
    return [*sources, Source("command line", given)]


def _names(plugins: str | None, sources: list[Any]) -> Any:
    """The plugins of --plugins, or else of the file."""
    from framework.errors import UsageError

    if plugins is not None:
        return plugins
    for source in reversed(sources):
        if source.values.get("run.plugins"):
            return source.values["run.plugins"]
    raise UsageError("name the plugins: --plugins tabular,chain (the command 'plugins' lists them)")


@app.command()
def run(
    plugins: PluginsOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    seed: SeedOption = None,
    steps: StepsOption = None,
    episodes: EpisodesOption = None,
    until: UntilOption = None,
    eval_every: EveryOption = None,
    num_envs: NumEnvsOption = None,
    device: DeviceOption = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder of the run. Default: a new one under runs/.")] = None,
) -> None:
    """Train an agent and record the run: metrics, TensorBoard events, best weights, curves.

    Ctrl-C ends the run in good order (exit code 130).

    Examples:

      python -m framework run --plugins tabular,chain --episodes 100

      python -m framework run --plugins dqn,pong --until 18 --eval-every 25000

      python -m framework run --plugins dqn,double,nstep,pong --set nstep.n=5 --seed 1

      python -m framework run --plugins chapter,pong
    """
    from framework.assembly import assemble
    from framework.options import RunOptions
    from framework.run_folder import Described, default_folder
    from framework.training import check_ends, train

    flags = {
        "run.seed": seed,
        "run.steps": steps,
        "run.episodes": episodes,
        "run.until": until,
        "run.num_envs": num_envs,
        "run.device": device,
        "evaluation.every": eval_every,
    }
    sources = _sources(config, assignments, flags)
    parts = assemble(_names(plugins, sources), sources=sources)
    try:
        check_ends(parts)
        options = parts.config[RunOptions]
        folder = run_dir if run_dir is not None else default_folder(options.plugins, options.seed)
        for note in parts.notes:
            typer.echo(note)
        typer.echo(f"plugins  {', '.join(parts.plugins.names)} | seed {options.seed} | {parts.spaces.describe()}")
        size = parts.buffer.manifest() if isinstance(parts.buffer, Described) else {}
        if {"capacity", "bytes"} <= set(size):
            typer.echo(f"replay   {size['capacity']:,} frames, {size['bytes'] / 1e9:.3f} GB when full")
        typer.echo(f"folder   {folder}")
        outcome = train(parts, folder, show_progress=True)
    finally:
        parts.close()
    counters = outcome.counters
    typer.echo(
        f"{'interrupted' if outcome.interrupted else 'finished'} after {counters.env_steps:,} steps, "
        f"{counters.episodes:,} episodes and {counters.updates:,} updates: {folder}"
    )
    if outcome.interrupted:
        raise typer.Exit(130)


@app.command()
def evaluate(
    run: RunArgument,
    episodes: Annotated[int, typer.Option(help="Games to play.", min=1)] = 100,
    epsilon: Annotated[
        float | None, typer.Option(help="Probability of a random action. Default: as in the run.", min=0, max=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other games.", min=0)] = 0,
    weights: WeightsOption = None,
) -> None:
    """Play a trained agent without learning, and report raw returns.

    Example:

      python -m framework evaluate runs/first --episodes 100
    """
    from rich.console import Console

    from framework.evaluation import evaluate as play
    from framework.run_folder import load

    agent = load(run, weights)
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
) -> None:
    """Watch a trained agent play: in a window where there is a screen, else into a video.

    Example:

      python -m framework watch runs/first --video game.mp4
    """
    from framework.run_folder import load
    from framework.watching import show

    for number, total in enumerate(show(load(run, weights), episodes, video, seed), start=1):
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

    sources = _sources(config, assignments, {})
    _, settled, notes = configure(_names(plugins, sources), sources)
    for note in notes:
        typer.echo(note, err=True)
    typer.echo(settled.to_toml(), nl=False)


def main() -> None:
    """Run the command line; errors that the framework raises on purpose end with a message and their exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # Greek letters and TOML files must not depend on the locale
    try:
        app()
    except FrameworkError as error:
        for line in getattr(error, "problems", None) or [str(error)]:
            typer.echo(f"error: {line}", err=True)
        if error.exit_code == 1 and error.__cause__ is not None:
            import traceback

            traceback.print_exception(error.__cause__)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
