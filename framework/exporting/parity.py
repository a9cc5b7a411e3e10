"""Compares an exported policy with the policy itself, on observations that the policy plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Shaped

from framework.assembly.parts import Agent
from framework.defaults.exploration import EpsilonGreedy
from framework.errors import FrameworkError
from framework.exporting.inputs import as_inputs
from framework.spaces import only_legal
from framework.types import Counters, ExportedModel, ModelInput

TOLERANCE = 1e-4
"""The largest difference between two action values, as a share of the largest absolute action value, at least of 1."""

COARSE = 0.05
"""The same for a policy that computes with fewer digits than float32. A larger difference is another network's."""

RANDOM_SHARE = 0.5
"""The probability of a random action while observations are played: they should not all be of one episode."""


@dataclass(frozen=True)
class Parity:
    """How well the file and the policy agree."""

    observations: int
    largest_difference: float
    limit: float
    """The largest difference that is allowed: `TOLERANCE` times the scale of the action values."""
    other_greedy_actions: int
    """Number of observations whose greedy actions differ: the two best values of each are within 2 · limit."""
    from_the_run: float
    """The largest difference from the values with which the run plays, which may have fewer digits (bfloat16)."""


def played(agent: Agent, count: int) -> Shaped[np.ndarray, "B *obs"]:
    """The observations of `count` steps, half of whose actions are random."""
    exploration = EpsilonGreedy(lambda counters: RANDOM_SHARE, agent.seeds.generator("export"))
    stream, counters = agent.open_stream("evaluate", 1, "export"), Counters()
    found: list[np.ndarray] = []
    try:
        while len(found) < count:
            obs = stream.observations
            found.append(obs[0].copy())
            stream.begin(exploration.choose(agent.policy.action_values(obs, explore=False), obs, counters))
            counters.advance(stream.finish())
    finally:
        stream.close()
    return np.stack(found)


def compare(
    agent: Agent, model: ExportedModel, inputs: Sequence[ModelInput], observations: Shaped[np.ndarray, "B *obs"]
) -> Parity:
    """Compare the file's action values with the policy's, in batches of several sizes, one of them a single row.

    Raises:
        FrameworkError: if a value is not finite, or two values differ by more than the limit.
    """
    ends = [0, 1, *range(64, len(observations), 64), len(observations)]
    batches = [observations[start:end] for start, end in pairwise(sorted(set(ends)))]
    found = np.concatenate([model.run(as_inputs(inputs, batch)) for batch in batches])
    expected = np.concatenate([model.reference(batch) for batch in batches]).astype(np.float32)
    played_with = np.concatenate([agent.policy.action_values(batch, explore=False) for batch in batches])
    if found.shape != expected.shape:
        raise FrameworkError(f"the exported policy gives values of shape {found.shape}, and the agent {expected.shape}")
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        raise FrameworkError("the action values are not all finite, so the policy cannot be compared with its file")
    scale = max(1.0, float(np.abs(expected).max()))
    _refuse(found, expected, TOLERANCE * scale, "the exported policy")
    _refuse(expected, played_with, COARSE * scale, "the network that would be exported")
    others = only_legal(found, observations).argmax(axis=1) != only_legal(expected, observations).argmax(axis=1)
    return Parity(
        observations=len(observations),
        largest_difference=_largest(found, expected),
        limit=TOLERANCE * scale,
        other_greedy_actions=int(others.sum()),
        from_the_run=_largest(found, played_with),
    )


def _largest(one: Float[np.ndarray, "B A"], other: Float[np.ndarray, "B A"]) -> float:
    return float(np.abs(one - other).max())


def _refuse(one: Float[np.ndarray, "B A"], other: Float[np.ndarray, "B A"], limit: float, what: str) -> None:
    largest = _largest(one, other)
    if largest > limit:
        raise FrameworkError(
            f"{what} differs from the agent by up to {largest:.2g} in {len(one)} observations, and {limit:.2g} is the "
            "limit: nothing was written"
        )
