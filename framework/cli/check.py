"""The command `check`."""

from __future__ import annotations

from typing import Annotated

import typer

from framework.cli.options import NAMES_HELP, SetOption


def check(
    names: Annotated[str, typer.Argument(help=NAMES_HELP, show_default=False)],
    beside: Annotated[
        str | None,
        typer.Option(
            "--with",
            help="Further plugins that complete the composition. Default: the plugin's CHECK_WITH, and what is still "
            "missing: the plugins that it extends, each family that fits, and chain.",
            show_default=False,
        ),
    ] = None,
    pattern: Annotated[str, typer.Option("-k", help="Only checks whose name matches this regular expression.")] = "",
    component: Annotated[list[str] | None, typer.Option(help="Only checks of this component; may be repeated.")] = None,
    assignments: SetOption = None,
    exit_first: Annotated[bool, typer.Option("--exitfirst", "-x", help="Stop at the first failure.")] = False,
    thorough: Annotated[bool, typer.Option("--thorough", help="Ten times the examples, with a random seed.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of examples. Default: 0.", min=0, show_default=False)] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes side by side. Default: the usable cores.", min=1, show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also list the checks that do not apply, and why they do not.")
    ] = False,
    only_list: Annotated[bool, typer.Option("--list", help="Only print the checks and their properties.")] = False,
) -> None:
    """Test a plugin in seconds, before you train with it for hours: run every check that applies.

    A failure shows the property, the smallest counter-example, the likely causes and the command that repeats it.

    The plugin runs in separate processes. If it hangs, exits or uses too much memory, that check fails and the others
    continue. After three such failures, the other checks of the composition are left out. Ctrl-C reports the results so
    far.

    --set overrides everything except the options that a check sets itself: checks of whole agents set steps, rates,
    exploration and γ.

    Exit code 0: all passed; 1: a check failed; 2: nothing was checked, and the output says why; 130: Ctrl-C.

    Examples:

      python -m framework check dqn,double,per,chain

      python -m framework check ./my_variant.py --component loss

      python -m framework check nstep --with dqn,grid -k discount
    """
    from framework.conformance.runner.command import check_command
    from framework.conformance.runner.session import Request
    from framework.processes.limits import usable_cores

    jobs = jobs or usable_cores()
    chosen = tuple(component or ())
    request = Request(names, beside, tuple(assignments or ()), pattern, chosen, thorough, seed, jobs, exit_first)
    raise typer.Exit(check_command(request, as_json=as_json, only_list=only_list, everything=everything))
