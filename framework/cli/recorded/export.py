"""The command `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from framework.cli.options import OtherPluginsOption, RunArgument, SetOption, WeightsOption, assigned


def export(
    run: RunArgument,
    to: Annotated[
        Path, typer.Option(help="The file to write: .onnx, or .pt2 for torch.export.", show_default=False)
    ] = Path("policy.onnx"),
    observations: Annotated[
        int, typer.Option(help="Number of played observations in which file and agent are compared.", min=1)
    ] = 256,
    plugins: OtherPluginsOption = None,
    weights: WeightsOption = None,
    assignments: SetOption = None,
) -> None:
    """Write a trained agent as a file that other programs run without this package and without the environment.

    An .onnx file needs onnxruntime, a .pt2 file torch. The inputs are the observations as the environment shows them,
    bytes of images included, the output is the value of every action. A JSON file beside it describes inputs, frame
    stack, actions, masks, plugins and versions; the same description is in the file itself.

    The agent plays some steps first, for which its environment must be installed. If the file's action values differ
    from the agent's by more than 0.0001 of their scale, nothing is written.

    Exit code 0: written; 1: the values differ; 2: this agent cannot be exported, and the message says why.

    Examples:

      python -m framework export runs/first --to policy.onnx

      python -m framework export pong --to pong.pt2
    """
    from framework.exporting.export import FORMATS, refuse_path
    from framework.exporting.export import export as write
    from framework.training.agents import facts_of, load
    from framework.training.blame import plugins_named

    refuse_path(to)
    agent = load(run, weights, {"run.device": "cpu", **assigned(assignments)}, plugins)
    with plugins_named(agent):
        written = write(agent, to, observations=observations, facts=facts_of(run, weights))
    for given in written.inputs:
        typer.echo(f"input    {given.name}: {given.dtype.name} {['batch', *given.shape]}".replace("'", ""))
    typer.echo(f"output   action_values: float32 [batch, {agent.spaces.num_actions}]")
    parity = written.parity
    others = parity.other_greedy_actions
    same = f"; {others} greedy actions differ at near-ties" if others else "; every greedy action is the same"
    typer.echo(
        f"compared {parity.observations} observations: values differ by up to {parity.largest_difference:.1g}, and "
        f"{parity.limit:.1g} is the limit{same}"
    )
    if parity.from_the_run > parity.limit:
        typer.echo(
            f"note     the agent itself computes with fewer digits: values differ by up to {parity.from_the_run:.1g}"
        )
    size = to.stat().st_size
    typer.echo(f"wrote    {to} ({size:,} bytes; it needs {FORMATS[to.suffix.lower()]}) and {written.description}")
