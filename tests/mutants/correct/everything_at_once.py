"""A bundle: the other files of this folder that go together, on dqn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from framework.hooks import Bundle, hookimpl

CHECK_WITH = "chain"

PARTS = (
    "bursts",
    "folded_returns",
    "lagging_target",
    "max_dueling",
    "pinball_head",
    "rank_sampler",
    "shared_double",
    "softmax_cooling",
    "whole_transitions",
)


@hookimpl
def bundle(names: Sequence[str]) -> Bundle:
    here = Path(__file__).resolve().parent
    return Bundle(("dqn", *(str(here / f"{part}.py") for part in PARTS)), {"folded.steps": 2, "replay.capacity": 2_000})
