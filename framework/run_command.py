"""What the command `run` does and says: a run from its beginning, or from its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from framework.assembly import Parts, assemble
from framework.checkpoints.resuming import Reopened, reopen
from framework.config import Source
from framework.options import RunOptions
from framework.run_folder import Described, default_folder
from framework.training import Outcome, check_ends, train

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def run_anew(names: Sequence[str], sources: Sequence[Source], folder: Path | None) -> int:
    """Train from the beginning; give the exit code.

    Args:
        folder: of the run; None is a new one under runs/.

    Raises:
        FrameworkError: as `assemble` and `train` do.
    """
    return _run(assemble(names, sources=sources), folder, None)


def run_on(folder: Path, names: Sequence[str] | None, sources: Sequence[Source], force: bool) -> int:
    """Go on with the run in a folder; give the exit code. The arguments are those of `reopen`.

    Raises:
        FrameworkError: as `reopen` and `train` do.
    """
    reopened = reopen(folder, names, sources, force=force)
    return _run(reopened.parts, folder, reopened)


def _run(parts: Parts, folder: Path | None, reopened: Reopened | None) -> int:
    checkpoint = reopened.checkpoint if reopened else None
    before = checkpoint.env_steps if checkpoint else 0
    try:
        check_ends(parts)
        options = parts.config[RunOptions]
        place = folder or default_folder(options.plugins, f"seed{options.seed}")
        _introduce(parts, place, reopened)
        outcome = train(parts, place, show_progress=True, checkpoint=checkpoint, watchdog=True)
    finally:
        parts.close()
    _conclude(outcome, place, stood_still=reopened is not None and outcome.counters.env_steps == before)
    return INTERRUPTED if outcome.interrupted else 0


def _introduce(parts: Parts, folder: Path, reopened: Reopened | None) -> None:
    for note in [*parts.notes, *(reopened.notes if reopened else ())]:
        typer.echo(note)
    seed = parts.config[RunOptions].seed
    typer.echo(f"plugins  {', '.join(parts.plugins.names)} | seed {seed} | {parts.spaces.describe()}")
    size = parts.buffer.manifest() if isinstance(parts.buffer, Described) else {}
    if {"capacity", "bytes"} <= set(size):
        typer.echo(f"replay   {size['capacity']:,} frames, {size['bytes'] / 1e9:.3f} GB when full")
    typer.echo(f"folder   {folder}")
    if reopened:
        typer.echo(f"resumed  after {reopened.checkpoint.env_steps:,} steps, from {reopened.checkpoint.path}")


def _conclude(outcome: Outcome, folder: Path, stood_still: bool) -> None:
    counters = outcome.counters
    typer.echo(
        f"{'interrupted' if outcome.interrupted else 'finished'} after {counters.env_steps:,} steps, "
        f"{counters.episodes:,} episodes and {counters.updates:,} updates: {folder}"
    )
    if outcome.longest_save >= 1:
        typer.echo(f"a checkpoint kept training waiting for {outcome.longest_save:.1f} s at most")
    if stood_still and not outcome.interrupted:
        typer.echo("the run had reached its end: name a later one with --steps, --episodes or --until")
