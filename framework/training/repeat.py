"""Repeats a recorded run up to any step, and compares every step with the recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.config import Source
from framework.errors import UsageError
from framework.recording.trace import Difference, TraceComparer, read_trace
from framework.training.identity import as_json, differences
from framework.training.initial import kept_weights
from framework.training.run import train
from framework.training.run_folder import manifest, recorded_manifest, recorded_options, recorded_plugins


@dataclass(frozen=True)
class Repeated:
    """A repetition in which every step was the same as in the recording.

    `compared` counts the steps that were compared; one step is a step of all environments together. `env_steps` is
    where the repetition ended. `changes` lists what has changed since the recording, such as versions of libraries.
    """

    compared: int
    env_steps: int
    changes: Sequence[str]


def repeat(
    run: str | Path, to: int | None = None, folder: str | Path | None = None, *, show_progress: bool = False
) -> Repeated:
    """Repeat a run that was recorded with run.deterministic, from its beginning.

    Args:
        run: the run folder.
        to: environment steps after which to stop; None repeats all recorded steps.
        folder: where to record the repetition, whose last weights are those at step `to`; None records nothing.
        show_progress: print progress.

    Raises:
        UsageError: if the run has no trace, its files are damaged, or `to` is not one of its steps.
        Difference: at the first step that differs; the message also lists what has changed since the recording.
    """
    origin = Path(run)
    rows = read_trace(origin)
    last = int(rows["env_steps"][-1]) if len(rows) else 0
    end = last if to is None else to
    if not 1 <= end <= last:
        raise UsageError(f"'{origin}' was recorded up to step {last:,}: choose --to from 1 to {last}")
    recorded = recorded_options(origin)
    own: dict[str, Any] = {
        "run.steps": end,
        "run.until": recorded.get("run.until"),  # decides which evaluations are confirmed
        **dict.fromkeys(("run.episodes", "run.patience", "run.hours")),
        # schedules over the run are those of the recorded length
        "run.planned": recorded.get("run.planned") or recorded.get("run.steps"),
    }
    if recorded.get("run.init_from") is not None:
        own |= {"run.init_from": str(kept_weights(origin)), "run.init_weights": None}
    sources = [Source(f"run {origin}", recorded), Source("repeat", own)]
    parts = assemble(recorded_plugins(origin, recorded, changed=False), sources=sources)
    changes = _changes(origin, parts)
    comparer = TraceComparer(rows, parts.policy)
    try:
        outcome = train(parts, folder, show_progress=show_progress, callbacks=[comparer])
    except Difference as difference:
        raise Difference("\n".join([str(difference), *(f"changed  {change}" for change in changes)])) from None
    return Repeated(comparer.compared, outcome.counters.env_steps, changes)


def _changes(run: Path, parts: Parts) -> list[str]:
    """The differences between the run's manifest and the manifest of the parts."""
    before, now = recorded_manifest(run), as_json(manifest(parts))
    compared = ("versions", "parts", "slots", "environment")
    return differences({key: before.get(key) for key in compared}, {key: now[key] for key in compared})
