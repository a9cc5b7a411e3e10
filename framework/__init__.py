"""Value-based deep reinforcement learning in which an algorithm is a list of plugins.

    parts = framework.assemble("tabular,chain", {"run.seed": 1})
    framework.train(parts, "runs/first")
    action = framework.load("runs/first").act(2)

Plugin authors import `hookimpl` and `slot` from `framework.hooks`, `Section` and `Field` from
`framework.config` and the protocols of the parts from `framework.types`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.assembly.assemble import assemble
    from framework.assembly.parts import Agent, Parts
    from framework.errors import FrameworkError, UsageError
    from framework.exporting.export import export
    from framework.training.agents import load
    from framework.training.evaluation import evaluate
    from framework.training.resume import resume
    from framework.training.run import Outcome, train

_MODULES = {
    "Agent": "assembly.parts",
    "FrameworkError": "errors",
    "Outcome": "training.run",
    "Parts": "assembly.parts",
    "UsageError": "errors",
    "assemble": "assembly.assemble",
    "evaluate": "training.evaluation",
    "export": "exporting.export",
    "load": "training.agents",
    "resume": "training.resume",
    "train": "training.run",
}

__all__ = [
    "Agent",
    "FrameworkError",
    "Outcome",
    "Parts",
    "UsageError",
    "assemble",
    "evaluate",
    "export",
    "load",
    "resume",
    "train",
]


def __dir__() -> list[str]:
    return [*globals(), *__all__]


def __getattr__(name: str) -> Any:
    """Import each name on first use, so that `python -m framework --help` starts fast."""
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("pluggable-q")
    if name not in _MODULES:
        raise AttributeError(f"module 'framework' has no attribute '{name}'")
    return getattr(importlib.import_module(f"framework.{_MODULES[name]}"), name)
