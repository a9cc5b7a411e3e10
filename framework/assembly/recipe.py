"""What parts of a run are built from: enough to build them again, also in another process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framework.config import Config, Source
from framework.options import RunOptions


@dataclass(frozen=True)
class Recipe:
    """Plugins and options: plain data, so that it can be sent anywhere."""

    names: Sequence[str]
    """The plugins, files by their absolute paths."""
    values: Mapping[str, Any]
    """Every option but run.plugins, "section.key" → value."""

    @classmethod
    def of(cls, config: Config) -> Recipe:
        """The recipe of a run. Nothing counts as read for that: see `framework.assembly.readings`."""
        known = config.for_later()
        values = {path: value for path, value in known.flat().items() if path != "run.plugins"}
        return cls(known[RunOptions].plugins, values)

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """The same recipe with other values for some options."""
        return replace(self, values={**self.values, **changes})

    @property
    def source(self) -> Source:
        """The options as a source of values."""
        return Source("the run", self.values)
