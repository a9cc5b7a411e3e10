"""Value-based deep reinforcement learning in which an algorithm is a list of plugins.

    parts = framework.assemble("tabular,chain", {"run.seed": 1})
    framework.train(parts, "runs/first")
    action = framework.load("runs/first").act(2)

Plugin authors import `hookimpl` and `slot` from `framework.hookspecs`, `Section` and `Field` from
`framework.config` and the protocols of the parts from `framework.types`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.assembly import Agent, Parts, assemble
    from framework.checkpoints.resuming import resume
    from framework.errors import FrameworkError, UsageError
    from framework.evaluation import evaluate
    from framework.run_folder import load
    from framework.training import Outcome, train

_HOMES = {
    "Agent": "assembly",
    "FrameworkError": "errors",
    "Outcome": "training",
    "Parts": "assembly",
    "UsageError": "errors",
    "assemble": "assembly",
    "evaluate": "evaluation",
    "load": "run_folder",
    "resume": "checkpoints.resuming",
    "train": "training",
}

__all__ = [
    "Agent",
    "FrameworkError",
    "Outcome",
    "Parts",
    "UsageError",
    "assemble",
    "evaluate",
    "load",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import each name when it is first asked for, so that `python -m framework --help` answers at once."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'framework' has no attribute '{name}'")
    return getattr(importlib.import_module(f"framework.{_HOMES[name]}"), name)
