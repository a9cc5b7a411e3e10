"""Taking up a recorded run where its last checkpoint left it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.assembly.assemble import assemble
from framework.assembly.configuration import gather_sections, plugin_names
from framework.assembly.loading import load_plugins
from framework.assembly.parts import Parts
from framework.checkpoints.folder import Checkpoint, CheckpointFolder
from framework.checkpoints.identity import differences, identity
from framework.config import Source
from framework.errors import FrameworkError, UsageError
from framework.training.run import Outcome, train


@dataclass(frozen=True)
class Reopened:
    """A run that is about to go on."""

    folder: Path
    parts: Parts
    checkpoint: Checkpoint
    notes: Sequence[str]
    """What the user should know: checkpoints that are damaged, and what is not as it was."""


def reopen(
    run: str | Path, names: str | Sequence[str] | None = None, sources: Sequence[Source] = (), *, force: bool = False
) -> Reopened:
    """Assemble the parts of a run anew, as it was configured. Nothing is written.

    Args:
        run: its folder.
        names: the plugins; None are those of the run.
        sources: what the user says, weakest first, stronger than what the run was given.
        force: go on although plugins, versions or options have changed; `notes` then says which.

    Raises:
        UsageError: if this is no run with a checkpoint, or (with every difference) something has changed.
        FrameworkError: if no checkpoint is whole.
    """
    folder = Path(run)
    checkpoint, problems = CheckpointFolder(folder).read()
    notes = [*problems, f"going on from {checkpoint.path}"] if problems else []
    about = checkpoint.manifest.about
    try:
        options, before = dict(about["options"]), dict(about["identity"])
        own_names, _ = list(options.pop("run.plugins")), checkpoint.env_steps
    except (KeyError, TypeError, ValueError) as error:
        raise FrameworkError(f"{checkpoint.path}: its manifest does not describe a run: {error!r}") from error
    given = own_names if names is None else names
    known = _known_options(given)
    own = Source(f"checkpoint {checkpoint.path}", {path: options[path] for path in options if path in known})
    parts = assemble(given, sources=[own, *sources])
    changed = differences(before, identity(parts))
    if changed and not force:
        parts.close()
        raise UsageError([f"'{folder}' is another run now, and would not go on as it began:", *changed, _MEND])
    return Reopened(folder, parts, checkpoint, [*notes, *(f"changed  {change}" for change in changed)])


def resume(
    run: str | Path, values: Mapping[str, Any] | None = None, *, force: bool = False, show_progress: bool = False
) -> Outcome:
    """Let a recorded run go on from its last checkpoint, bit for bit.

    Of one that has reached its end, the end is repeated: the last weights and the figures are there then.

    Args:
        run: its folder.
        values: options as {"section.key": value}, for example another end.
        force: go on although plugins, versions or options have changed.
        show_progress: print progress.

    Raises:
        UsageError: as `reopen` does.
        FrameworkError: if no checkpoint is whole or its state does not fit.
    """
    reopened = reopen(run, None, [Source("values", values, unread="refused")] if values else (), force=force)
    return train(reopened.parts, reopened.folder, show_progress=show_progress, checkpoint=reopened.checkpoint)


def _known_options(names: str | Sequence[str]) -> set[str]:
    """What can be set now; an option that is gone is a change that is reported, not a value that is refused."""
    sections = gather_sections(load_plugins(plugin_names(names)))
    return {f"{section.section_name}.{key}" for section in sections for key in section.model_fields}


_MEND = "undo that, or go on all the same with --force: the run then is no longer the one that it would have been"
