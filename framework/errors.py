"""The errors that users see. Each message says what is wrong, where, and how to fix it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class FrameworkError(Exception):
    """Base of every error that the framework raises on purpose. The command line prints its message."""

    exit_code = 1
    of_a_plugin = False
    """Whether a plugin's code raised the cause: then its author sees the traceback, too."""


class UsageError(FrameworkError):
    """The composition, the configuration, the command or a file that the user gave is wrong; nothing has begun.

    One error holds all problems that were found, so that the user sees them at once.
    """

    exit_code = 2

    def __init__(self, problems: str | Sequence[str] | Exception) -> None:
        if isinstance(problems, Exception):  # gymnasium makes an error of the same type around a process's error
            problems = getattr(problems, "problems", str(problems))
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class UnsupportedSpace(UsageError):
    """A part does not support the environment's spaces. `needs` says what it supports: "Discrete observations"."""

    def __init__(self, needs: str) -> None:
        self.needs = needs
        super().__init__(f"needs {needs}")


class NotRepeated(FrameworkError):
    """The environments do not repeat the running episodes from their seeds and actions: a run cannot go on exactly."""


class NonFiniteLoss(FrameworkError):
    """The loss of a batch is NaN or infinite. Raised before the optimiser's step.

    `ids` are the ids of the transitions with such a loss. `evidence` is the whole batch with its losses and priorities:
    name → array.
    """

    def __init__(self, message: str, ids: Sequence[int], evidence: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.ids = tuple(ids)
        self.evidence = evidence


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """ " Did you mean 'x'?" if a known word is close, else the empty string."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words as English does: "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def need(module: str, what: str, extra: str) -> None:
    """Refuse what needs an optional library that is not installed.

    Args:
        module: the module's name.
        what: what needs it, for the message: "a video".
        extra: the extra of this project that brings it.

    Raises:
        UsageError: if there is no such module.
    """
    import importlib.util

    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:  # a folder of that name is found, too
        raise UsageError(f"{what} needs {module}: pip install 'pluggable-q[{extra}]'")
