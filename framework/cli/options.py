"""The options of commands. Those that every command that trains has are declared once: `trains`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from framework.config import Source

NAMES_HELP = (
    "Comma-separated: installed names (see the command 'plugins'), gym:ID, dotted modules or .py files; "
    "no:NAME takes out a part that a bundle brought in."
)

PluginsOption = Annotated[str | None, typer.Option("--plugins", "-p", help=NAMES_HELP, show_default=False)]
PluginsArgument = Annotated[str | None, typer.Argument(help=NAMES_HELP, show_default=False)]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file of options, as the command 'config' prints it.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="section.key=value, stronger than everything else; may be repeated."),
]
SeedOption = Annotated[
    int | None, typer.Option(help="Root of every random stream, or the first of --seeds: --set run.seed=…", min=0)
]
StepsOption = Annotated[int | None, typer.Option(help="Stop after this many environment steps.", min=1)]
EpisodesOption = Annotated[int | None, typer.Option(help="Stop after this many episodes.", min=1)]
UntilOption = Annotated[float | None, typer.Option(help="Stop when an evaluation's mean return reaches this.")]
EveryOption = Annotated[int | None, typer.Option(help="Environment steps between evaluations; 0 is never.", min=0)]
NumEnvsOption = Annotated[int | None, typer.Option(help="Environments side by side.", min=1)]
DeterministicOption = Annotated[
    bool | None,
    typer.Option(
        "--deterministic",
        help="Refuse algorithms that vary from run to run, and record what the command 'replay' compares with.",
        show_default=False,
    ),
]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]
JobsOption = Annotated[
    int | None,
    typer.Option(
        help="Most runs at once, each in a process of its own. Default: as many as fit the usable cores with the "
        "threads that one takes (dqn.threads and the like).",
        min=1,
        show_default=False,
    ),
]
RunArgument = Annotated[
    Path,
    typer.Argument(
        help="A run's folder, as 'run' made it, or the name of a plugin that brings a trained agent.",
        show_default=False,
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(help="evaluation or mean_100 (the best by either) or last. Default: evaluation, else last."),
]


def assigned(assignments: Sequence[str] | None) -> dict[str, Any]:
    """What --set says, by option."""
    from framework.config import parse_assignment

    return dict(parse_assignment(text) for text in assignments or [])


def sources_of(config: Path | None, assignments: Sequence[str] | None, flags: dict[str, Any]) -> list[Source]:
    """What the user says, weakest first: the file, --set, the flags that stand for single options."""
    from framework.config import Source, read_toml

    sources = [Source(f"file {config}", read_toml(config), unread="defaults")] if config else []
    sources.append(Source("--set", assigned(assignments), unread="refused"))
    given = {path: value for path, value in flags.items() if value is not None}
    return [*sources, Source("command line", given, unread="refused")]


def names_of(plugins: str | None, sources: Sequence[Source]) -> str | list[str]:
    """The plugins that were named, or else those of the file.

    Raises:
        UsageError: if there are none.
    """
    from framework.errors import UsageError

    if plugins is not None:
        return plugins
    for source in reversed(sources):
        if source.values.get("run.plugins"):
            return list(source.values["run.plugins"])
    raise UsageError("name the plugins: --plugins tabular,chain (the command 'plugins' lists them)")


def _training_sources(
    config: ConfigOption = None,
    assignments: SetOption = None,
    seed: SeedOption = None,
    steps: StepsOption = None,
    episodes: EpisodesOption = None,
    until: UntilOption = None,
    eval_every: EveryOption = None,
    num_envs: NumEnvsOption = None,
    device: DeviceOption = None,
    deterministic: DeterministicOption = None,
) -> list[Any]:
    flags = {
        "run.seed": seed,
        "run.steps": steps,
        "run.episodes": episodes,
        "run.until": until,
        "run.num_envs": num_envs,
        "run.device": device,
        "run.deterministic": deterministic,
        "evaluation.every": eval_every,
    }
    return sources_of(config, assignments, flags)


def trains(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a training run in the place of its argument `sources`, which they are made into."""
    shared = inspect.signature(_training_sources, eval_str=True).parameters
    own = inspect.signature(command, eval_str=True).parameters
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.items():
        parameters += shared.values() if name == "sources" else [parameter]

    def called(**given: Any) -> None:
        sources = _training_sources(**{name: given.pop(name) for name in shared})
        command(sources=sources, **given)

    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__annotations__ = {}  # typer reads the signature
    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in parameters]
    )
    return called
