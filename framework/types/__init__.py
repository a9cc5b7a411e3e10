"""The data that flows through a run, and the protocols of the parts.

All data is in batches. In the annotations N is the number of environments, M the rows of a step (M = N
unless some rows are not transitions), B the size of a batch, K a number of ids, n the steps of a window
and A the number of actions. `*frame` is the shape of one raw observation of an environment. `*obs` is the
shape of one observation of a policy. Both are the same unless the environment declares a frame stack k:
then `*obs` is `k *frame`. Observations of several parts, and those with masks, are structured arrays: see
`framework.spaces`.
"""

from __future__ import annotations

import warnings
from typing import Any

from framework.types.abilities import (
    Averaged,
    Browsable,
    Described,
    Distributional,
    Exportable,
    ExportedModel,
    Measured,
    ModelInput,
    Segmented,
    SideBySide,
    Stateful,
    Targeted,
)
from framework.types.data import (
    Batch,
    Board,
    Counters,
    Mirror,
    Role,
    Spaces,
    State,
    Step,
    TDErrors,
    Unit,
)
from framework.types.parts import (
    Buffer,
    Cadence,
    Collector,
    Exploration,
    Loss,
    Optimizer,
    Policy,
    Returns,
    Sampler,
    TargetSync,
)

__all__ = [
    "Averaged",
    "Batch",
    "Board",
    "Browsable",
    "Buffer",
    "Cadence",
    "Collector",
    "Counters",
    "Described",
    "Distributional",
    "Exploration",
    "Exportable",
    "ExportedModel",
    "Loss",
    "Measured",
    "Mirror",
    "ModelInput",
    "Optimizer",
    "Policy",
    "Returns",
    "Role",
    "Sampler",
    "Segmented",
    "SideBySide",
    "Spaces",
    "State",
    "Stateful",
    "Step",
    "TDErrors",
    "TargetSync",
    "Targeted",
    "Unit",
]


def __getattr__(name: str) -> Any:
    """Serve `Errors`, the old name of `TDErrors`, for one more version."""
    if name == "Errors":
        warnings.warn("framework.types.Errors is called TDErrors now", DeprecationWarning, stacklevel=2)
        return TDErrors
    raise AttributeError(f"module 'framework.types' has no attribute '{name}'")
