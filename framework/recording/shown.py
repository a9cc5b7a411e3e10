"""What every display of a run's progress can do."""

from __future__ import annotations

from framework.events import Callback


class Shown(Callback):
    """A display of a run's progress; this one shows nothing."""

    def say(self, text: str) -> None:
        """Show a line that stays."""
