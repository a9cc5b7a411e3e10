"""A part that a plugin decorates still promises what it promised: its protocols, and what it measures and describes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.training.loop import Loop
from framework.types import (
    Browsable,
    Described,
    Distributional,
    Exportable,
    Measured,
    Segmented,
    Stateful,
)

PROTOCOLS: tuple[Any, ...] = (Browsable, Described, Distributional, Exportable, Measured, Segmented, Stateful)
SLOTS = ("policy", "exploration", "buffer", "sampler", "returns", "loss", "optimizer", "target_sync", "collector")
VALUES: Mapping[str, Any] = {"run.steps": 240, "evaluation.every": 0, "learning.starts": 16, "learning.batch_size": 4}


def trained(composition: str) -> Parts:
    has_replay = not composition.startswith(("pqn", "tabular"))
    parts = assemble(composition, {key: VALUES[key] for key in VALUES if has_replay or not key.startswith("learning")})
    Loop(parts).run()
    return parts


@pytest.mark.parametrize(
    ("decorated", "plain"),
    [
        ("dqn,averaging,chain", "dqn,chain"),
        ("dqn,c51,averaging,chain", "dqn,c51,chain"),
        ("dqn,normalise,cartpole", "dqn,cartpole"),
        ("dqn,layer_norm,noisy,chain", "dqn,noisy,chain"),
        ("dqn,pong", "dqn,no:mirror,pong"),
        ("pqn,pong", "pqn,no:mirror,pong"),
        ("tabular,explain,chain", "tabular,chain"),
        ("tabular,double_q,explain,chain", "tabular,double_q,chain"),
    ],
)
def test_a_decorated_part_promises_what_it_promised(decorated: str, plain: str) -> None:
    with closing(trained(decorated)) as with_it, closing(trained(plain)) as without:
        for slot in SLOTS:
            one, other = getattr(with_it, slot), getattr(without, slot)
            kept = {protocol.__name__ for protocol in PROTOCOLS if isinstance(one, protocol)}
            assert {protocol.__name__ for protocol in PROTOCOLS if isinstance(other, protocol)} <= kept, slot
            if isinstance(other, Measured):
                assert other.measures().keys() <= one.measures().keys(), slot
            if isinstance(other, Described):
                assert other.manifest().keys() <= one.manifest().keys(), slot
