"""Continues a recorded run from its last checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.assembly.assemble import assemble
from framework.assembly.configuration import gather_sections, plugin_names
from framework.assembly.loading import load_plugins
from framework.assembly.parts import Parts
from framework.assembly.renamed import RENAMED
from framework.checkpoints.folder import Checkpoint, CheckpointFolder
from framework.config import Source
from framework.errors import UsageError
from framework.training.identity import differences, identity
from framework.training.run import Outcome, train
from framework.training.run_folder import located


@dataclass(frozen=True)
class Reopened:
    """A run that is ready to continue."""

    folder: Path
    parts: Parts
    checkpoint: Checkpoint
    notes: Sequence[str]
    """Messages for the user: damaged checkpoints, and what has changed since the checkpoint."""
    forced: bool = False
    """Whether the run continues although that may not be exact."""


def reopen(
    run: str | Path, names: str | Sequence[str] | None = None, sources: Sequence[Source] = (), *, force: bool = False
) -> Reopened:
    """Assemble the parts of a run again, with its own options. Writes nothing.

    Args:
        run: the run folder.
        names: the plugins; None for those of the run.
        sources: the user's values, the weakest source first. They override the run's own values.
        force: continue even if plugins, versions or options have changed; `notes` then lists the changes. Where the
            environments do not repeat the running episodes, new ones begin.

    Raises:
        UsageError: if the folder has no intact checkpoint, or something has changed; the message lists every damage or
            change.
    """
    folder = Path(run)
    checkpoint, problems = CheckpointFolder(folder).read()
    notes = [*problems, f"continuing from {checkpoint.path}"] if problems else []
    about = checkpoint.manifest.about
    try:
        options, before = dict(about["options"]), dict(about["identity"])
        own_names, _ = list(options.pop("run.plugins")), checkpoint.env_steps
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{checkpoint.path}: its manifest does not describe a run: {error!r}") from error
    given = located(folder, own_names, changed=False) if names is None else names
    known = _known_options(given)
    own = Source(f"checkpoint {checkpoint.path}", {path: options[path] for path in options if path in known})
    parts = assemble(given, sources=[own, *sources])
    changed = differences(before, identity(parts))
    if changed and not force:
        parts.close()
        raise UsageError([f"'{folder}' cannot continue as it began, because something has changed:", *changed, _MEND])
    return Reopened(folder, parts, checkpoint, [*notes, *(f"changed  {change}" for change in changed)], force)


def resume(
    run: str | Path, values: Mapping[str, Any] | None = None, *, force: bool = False, show_progress: bool = False
) -> Outcome:
    """Continue a recorded run from its last checkpoint, bit for bit.

    If the run has reached its end already, only the end is repeated: it saves the last weights and draws the figures.

    Args:
        run: the run folder.
        values: options as {"section.key": value}, for example another end.
        force: continue even if plugins, versions or options have changed, with new episodes where the environments do
            not repeat those that were running.
        show_progress: print progress.

    Raises:
        UsageError: as `reopen` does, or if the checkpoint's state does not fit the run.
    """
    reopened = reopen(run, None, [Source("values", values, unread="refused")] if values else (), force=force)
    return train(
        reopened.parts,
        reopened.folder,
        show_progress=show_progress,
        checkpoint=reopened.checkpoint,
        new_episodes=force,
    )


def _known_options(names: str | Sequence[str]) -> set[str]:
    """The options that exist now. An option that no longer exists is reported as a change, not refused as a value."""
    sections = gather_sections(load_plugins(plugin_names(names)))
    return {f"{section.section_name}.{key}" for section in sections for key in section.model_fields} | set(RENAMED)


_MEND = "undo the changes, or continue anyway with --force: the run may then differ from an uninterrupted one"
