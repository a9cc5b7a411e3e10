"""Every shipped head, stream and torso, and every kind of observation, is exported with the policy's own values."""

from __future__ import annotations

from itertools import product
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from framework.assembly.assemble import assemble
from framework.environments.stream import TransitionStream, vectorise
from framework.errors import UsageError
from framework.exporting.inputs import as_inputs, model_inputs
from framework.exporting.parity import TOLERANCE
from framework.types import Spaces
from plugins.averaging.parts import AveragedPolicy
from plugins.dqn.agent import DQNPolicy

pytest.importorskip("onnxruntime")

SMALL = {"dqn.hidden": 8, "dqn.mlp": (8,), "run.steps": 10, "dqn.precision": "float32"}

HEADS = ("", "c51", "qr", "iqn")
STREAMS = ("", "dueling", "noisy,layer_norm", "dueling,noisy,averaging")
TORSOS = ("chain", "cartpole", "normalise,cartpole", "minatar", "impala,minatar", "tests.stand_ins.rooms")

FEW = (
    "dqn,chain",
    "dqn,iqn,dueling,noisy,layer_norm,averaging,normalise,cartpole",
    "dqn,c51,impala,dueling,minatar",
    "dqn,qr,noisy,tests.stand_ins.rooms",
    "pqn,chain",
)
"""Each head, stream and torso at least once."""


def differences(names: str, suffix: str, values: dict[str, Any] | None = None) -> float:
    """The largest difference between a file and the policy, for a batch of random observations and for one.

    It is a share of the largest action value, at least of 1.
    """
    served = "impala" in names and "rooms" not in names  # then there are no flat observations
    given = {name: value for name, value in SMALL.items() if name != "dqn.mlp" or not served}
    parts: Any = assemble(names, {**given, **(values or {})})
    parts.close()
    policy = parts.policy
    if isinstance(policy, AveragedPolicy):  # the average must not be what is learnt
        for parameter in policy.learner.online.parameters():
            parameter.data += 1
    return difference(policy, parts.spaces, suffix)


def difference(policy: Any, spaces: Spaces, suffix: str) -> float:
    spaces.observation.seed(0)
    obs = np.stack([spaces.observation.sample() for _ in range(7)])
    inputs = model_inputs(spaces)
    model = policy.export(suffix, inputs, "{}")
    worst = 0.0
    for batch in (obs, obs[:1]):
        expected = policy.action_values(batch, explore=False)
        found = model.run(as_inputs(inputs, batch))
        assert found.dtype == np.float32 and found.shape == expected.shape
        worst = max(worst, float(np.abs(found - expected).max() / max(1, np.abs(expected).max())))
    return worst


EVERY = [
    ",".join(filter(None, ("dqn", head, STREAMS[(row + column) % len(STREAMS)], torso)))
    for row, head in enumerate(HEADS)
    for column, torso in enumerate(TORSOS)
]
"""Every head with every torso. Each stream is with every head, and with most torsos."""

BOTH = [pytest.param(".onnx", marks=pytest.mark.slow), ".pt2"]
"""ONNX takes several seconds for a network, and the tests that are fast have a sample of it."""


@pytest.mark.parametrize(("names", "suffix"), [*product(FEW, [".pt2"]), *product(FEW[1:4], [".onnx"])])
def test_the_file_has_the_policys_values(names: str, suffix: str) -> None:
    assert differences(names, suffix) < TOLERANCE


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("names", EVERY)
def test_every_head_stream_and_torso(names: str) -> None:
    assert differences(names, ".onnx") < TOLERANCE


@pytest.mark.slow
def test_pooling_that_is_not_even() -> None:
    values = {"impala.pool": 2, "minatar.game": "seaquest"}
    assert differences("dqn,impala,minatar", ".onnx", values) < TOLERANCE


class Shows(gymnasium.Env[Any, Any]):
    """Shows random observations of any space."""

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        self.observation_space, self.action_space = space, Discrete(3, start=2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}


KINDS = [
    Discrete(4, start=-2),
    MultiDiscrete([[2, 3], [4, 5]], start=[[1, 0], [-3, 2]]),
    MultiBinary(6),
    Box(0, 1, (3,), np.bool_),
    Box(-9, 9, (2, 2), np.int16),
    Box(0, 60_000, (3,), np.uint16),
    Box(0, 200, (5,), np.uint8),
    Box(-1, 1, (3,), np.float16),
    Box(-1e3, 1e3, (), np.float64),
    Box(0, 255, (12, 13), np.uint8),
    Box(0, 255, (12, 13, 3), np.uint8),
    Dict({"b": Box(0, 255, (20, 21, 4), np.uint8), "a": Tuple([Discrete(3, start=5), Box(-1, 1, (2,))])}),
    Dict({"observation": Box(-1, 1, (2,))}),
]


@pytest.mark.parametrize("suffix", BOTH)
@pytest.mark.parametrize("space", KINDS, ids=str)
def test_every_kind_of_observation(space: gymnasium.Space[Any], suffix: str) -> None:
    """The example is random, so a wrong order of axes or a start that is left out gives other values."""
    stream = TransitionStream(vectorise(lambda: Shows(space), 1), lambda env_id, episode: episode)
    policy = policy_for(stream.spaces)
    assert difference(policy, stream.spaces, suffix) < TOLERANCE
    raw = Shows(space)
    shown, _ = raw.reset(seed=0)  # as the stream's first episode
    inputs = model_inputs(stream.spaces)
    leaves = []
    for one in inputs:
        leaf = shown
        for key in one.keys:
            leaf = leaf[key]
        leaves.append(np.asarray(leaf, one.dtype)[None])
        assert leaves[-1].shape[1:] == one.shape
    found = policy.export(suffix, inputs, "{}").run(leaves)
    assert np.allclose(found, policy.action_values(stream.observations, explore=False), rtol=1e-4, atol=1e-4)


def policy_for(spaces: Spaces) -> DQNPolicy:
    parts: Any = assemble("dqn,chain", SMALL)
    parts.close()
    policy: DQNPolicy = parts.builder.policy(spaces)
    return policy


def test_a_network_that_cannot_be_traced_is_refused_in_one_sentence() -> None:
    parts: Any = assemble("dqn,chain", SMALL)
    parts.close()
    torso = parts.policy.online.torso
    forward = torso.forward
    torso.forward = lambda obs: forward(obs) if float(obs.float().sum()) > 0 else forward(obs) * 2
    with pytest.raises(UsageError, match=r"the network cannot be exported as \.pt2: ") as refused:
        parts.policy.export(".pt2", model_inputs(parts.spaces), "{}")
    assert "\n" not in str(refused.value)
