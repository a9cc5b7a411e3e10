"""The options of the commands. `trains` adds the shared options of a training run to a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from framework.config import Source


def whole(text: str) -> int:
    """A whole number below 2⁶³, also as 1e6 or 1_000_000. The options themselves check its range.

    Raises:
        typer.BadParameter: if it is not one.
    """
    try:
        number = Decimal(text)
        if number == number.to_integral_value() and abs(number) < 2**63:
            return int(number)
    except ArithmeticError:  # not a number, or infinite
        pass
    raise typer.BadParameter(f"{text!r} is not a whole number: write 1000000 or 1e6")


NAMES_HELP = (
    "Plugins, separated by commas: installed names (see the command 'plugins'), gym:ID, dotted modules or .py files. "
    "no:NAME removes a plugin that a bundle brought in."
)

PluginsOption = Annotated[str | None, typer.Option("--plugins", "-p", help=NAMES_HELP, show_default=False)]
PluginsArgument = Annotated[str | None, typer.Argument(help=NAMES_HELP, show_default=False)]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file of options, as the command 'config' prints it.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="section.key=value. Overrides files, bundles and defaults. May be repeated."),
]
SeedOption = Annotated[
    int | None, typer.Option(help="Seed of all random generators, or the first of --seeds: --set run.seed=…", min=0)
]
StepsOption = Annotated[
    int | None, typer.Option(help="Stop after this many environment steps.", parser=whole, metavar="NUMBER")
]
EpisodesOption = Annotated[
    int | None, typer.Option(help="Stop after this many episodes.", parser=whole, metavar="NUMBER")
]
UntilOption = Annotated[float | None, typer.Option(help="Stop when an evaluation's mean return reaches this.")]
PatienceOption = Annotated[
    int | None,
    typer.Option(
        help="Stop when so many evaluations in a row did not improve the best mean return; 0: never.",
        min=0,
        show_default=False,
    ),
]
HoursOption = Annotated[
    float | None,
    typer.Option(
        help="Stop after this time by the clock, with a checkpoint. The other ends remain.", show_default=False
    ),
]
EveryOption = Annotated[
    int | None,
    typer.Option(help="Environment steps between evaluations; 0: never.", parser=whole, metavar="NUMBER"),
]
NumEnvsOption = Annotated[int | None, typer.Option(help="Number of environments side by side.", min=1)]
DeterministicOption = Annotated[
    bool | None,
    typer.Option(
        "--deterministic",
        help="Refuse algorithms that vary from run to run, and record a trace for the command 'repeat'.",
        show_default=False,
    ),
]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]
JobsOption = Annotated[
    int | None,
    typer.Option(
        help="Largest number of runs at the same time, each in its own process. Default: the usable cores divided by "
        "the threads of one run (options such as dqn.threads).",
        min=1,
        show_default=False,
    ),
]
OnOption = Annotated[
    str,
    typer.Option(
        "--on",
        help="Where the runs are: local (children of this process); ray (a Ray of this machine); auto, HOST:PORT or "
        "ray://HOST:PORT (a Ray cluster); MODULE:NAME (an executor of your own).",
        metavar="EXECUTOR",
    ),
]
RunArgument = Annotated[
    Path,
    typer.Argument(
        help="A run folder from the command 'run', or the name of a plugin that includes a trained agent.",
        show_default=False,
    ),
]
OtherPluginsOption = Annotated[
    str | None,
    typer.Option(
        "--plugins",
        "-p",
        help="Plugins to use in the place of those that the run names, all of them.",
        show_default=False,
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        help="evaluation or mean_100 (the best by that measure) or last. Default: evaluation; without it, last; "
        "without that, mean_100."
    ),
]


def assigned(assignments: Sequence[str] | None) -> dict[str, Any]:
    """The values of --set, by option."""
    from framework.config import parse_assignment

    return dict(parse_assignment(text) for text in assignments or [])


def sources_of(config: Path | None, assignments: Sequence[str] | None, flags: dict[str, Any]) -> list[Source]:
    """The user's values, the weakest source first: the file, --set, then the flags for single options."""
    from framework.config import Source, read_toml

    sources = [Source(f"file {config}", read_toml(config), unread="defaults")] if config else []
    sources.append(Source("--set", assigned(assignments), unread="refused"))
    given = {path: value for path, value in flags.items() if value is not None}
    return [*sources, Source("command line", given, unread="refused")]


def names_of(plugins: str | None, sources: Sequence[Source]) -> str | list[str]:
    """The plugins that were named, else those in the option run.plugins.

    Raises:
        UsageError: if no plugins are named.
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
    patience: PatienceOption = None,
    hours: HoursOption = None,
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
        "run.patience": patience,
        "run.hours": hours,
        "run.num_envs": num_envs,
        "run.device": device,
        "run.deterministic": deterministic,
        "evaluation.every": eval_every,
    }
    return sources_of(config, assignments, flags)


def trains(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's argument `sources` by the options of a training run, and make `sources` from them."""
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
