"""Exports an agent as one file, with a description beside it: both are whole, and written only if they are right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from framework.assembly.parts import Agent
from framework.errors import UsageError
from framework.exporting.description import describe
from framework.exporting.inputs import model_inputs
from framework.exporting.parity import Parity, compare, played
from framework.recording.files import replacing, require_place
from framework.types import Exportable, ModelInput

FORMATS = {".onnx": "onnxruntime", ".pt2": "torch"}
"""Suffix → the library that runs the file."""

OBSERVATIONS = 256


@dataclass(frozen=True)
class Exported:
    """What was written, and how well it agrees with the agent."""

    path: Path
    description: Path
    """A JSON file beside it. Its content, without the comparison, is also in the file itself."""
    inputs: tuple[ModelInput, ...]
    parity: Parity


def export(
    agent: Agent, path: str | Path, *, observations: int = OBSERVATIONS, facts: Mapping[str, Any] | None = None
) -> Exported:
    """Write an agent's policy as a file that needs neither this package nor the environment.

    The file computes the action values, float32 [B, A], of B observations as the environment shows them. They are
    compared with the agent's own in observations that the agent plays.

    Args:
        path: the file: .onnx, or .pt2 for torch.export. An old file is replaced.
        observations: how many are compared.
        facts: what the description says of the weights.

    Raises:
        UsageError: if the file cannot be written, a library is missing, or the policy cannot be exported.
        FrameworkError: if the file's action values differ from the agent's by more than
            `framework.exporting.parity.TOLERANCE`. Nothing is written then.
    """
    path = Path(path)
    refuse_path(path)
    policy, suffix = agent.policy, path.suffix.lower()
    if not isinstance(policy, Exportable):
        raise UsageError(
            f"the policy of {agent.filled['make_policy']} cannot be exported: its {type(policy).__name__} has no "
            "method 'export' (framework.types.Exportable)"
        )
    inputs = model_inputs(agent.spaces)
    description = describe(agent, inputs, facts or {})
    metadata = json.dumps(description, default=str)
    model = policy.export(suffix, inputs, metadata)
    parity = compare(agent, model, inputs, played(agent, observations))
    beside = description_of(path)
    text = json.dumps({**description, "compared": asdict(parity)}, indent=2, default=str)
    # the description first: a kill between the two never leaves a policy that nothing describes. If another policy was
    # there, its own description is in the file itself
    for place, content in ((beside, f"{text}\n".encode()), (path, model.content)):
        with replacing(place) as temporary:
            temporary.write_bytes(content)
    return Exported(path, beside, tuple(inputs), parity)


def description_of(path: Path) -> Path:
    """The file beside a policy that describes it."""
    return path.with_name(f"{path.name}.json")


def refuse_path(path: Path) -> None:
    """Refuse a file of another format, and one that cannot be written.

    Raises:
        UsageError: with the reason.
    """
    require_place("--to", path, list(FORMATS))
    require_place("--to", description_of(path), [".json"])
