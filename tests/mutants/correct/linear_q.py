"""A family in numpy alone: linear Q-learning with a target copy, the Huber loss, and RMSProp.

Q(s, a) = w_a · φ(s), with φ a unit vector for Discrete observations and the flattened numbers and a one for others.
Everything is float64. The priority is the squared error. What RMSProp remembers appears with its first step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gymnasium.spaces import Discrete

from framework.config import Config, Field, Section
from framework.errors import UnsupportedSpace, UsageError
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.spaces import Record
from framework.types import Batch, Counters, Loss, Optimizer, Policy, Spaces, State, TDErrors

CHECK_WITH = "chain"


class LinearOptions(Section, name="linear_q"):
    """The weights, and how they move."""

    spread: float = Field(0.01, ge=0, description="standard deviation of the weights at the start")
    delta: float = Field(1.0, gt=0, description="error from which on the loss is linear")
    rate: float = Field(0.02, gt=0, description="of RMSProp")
    memory: float = Field(0.95, ge=0, lt=1, description="share of the old mean square that RMSProp keeps")


class LinearQ:
    def __init__(self, spaces: Spaces, spread: float, generator: np.random.Generator) -> None:
        space = spaces.observation
        if isinstance(space, Record) or (not isinstance(space, Discrete) and space.dtype == np.uint8):
            raise UnsupportedSpace("Discrete observations or flat ones of real numbers")
        self.states = int(space.n) if isinstance(space, Discrete) else None
        self.size = self.states or 1 + int(np.prod(space.shape or ()))
        self.weights = {
            action: generator.normal(0.0, spread, self.size) if spread else np.zeros(self.size)
            for action in range(spaces.num_actions)
        }
        self.slow = dict(self.weights)

    def features(self, obs: np.ndarray) -> np.ndarray:
        rows = np.zeros((len(obs), self.size))
        for row, seen in zip(rows, obs, strict=True):
            if self.states is None:
                row[:-1], row[-1] = np.ravel(seen), 1.0
            else:
                row[int(seen)] = 1.0
        return rows

    def action_values(self, obs: np.ndarray, explore: bool) -> np.ndarray:
        return self.values(obs, self.weights)

    def values(self, obs: np.ndarray, weights: dict[int, np.ndarray]) -> np.ndarray:
        features = self.features(obs)
        return np.stack([features @ weights[action] for action in sorted(weights)], axis=1)

    def update_target(self, fraction: float) -> None:
        # arrays are exchanged and never written to, so the two may share them
        for action, fast in self.weights.items():
            self.slow[action] = fast if fraction == 1 else self.slow[action] + fraction * (fast - self.slow[action])

    def state_dict(self) -> State:
        return {
            f"action {action}": {"fast": fast.copy(), "slow": self.slow[action].copy()}
            for action, fast in self.weights.items()
        }

    def load_state_dict(self, state: State) -> None:
        if {f"action {action}" for action in self.weights} != set(state):
            raise UsageError("the weights are of another policy, or for other actions")
        loaded = {action: state[f"action {action}"] for action in self.weights}
        if any(part["fast"].shape != (self.size,) for part in loaded.values()):
            raise UsageError(f"the weights are not of {self.size} features")
        self.weights = {action: np.array(part["fast"], np.float64) for action, part in loaded.items()}
        self.slow = {action: np.array(part["slow"], np.float64) for action, part in loaded.items()}


class LinearLoss:
    """½δ² near 0 and Δ(|δ| − ½Δ) beyond, with δ = Q(s, a) − y. `update` is (features, slope) of each row."""

    def __init__(self, policy: LinearQ, delta: float) -> None:
        self.policy, self.delta = policy, delta

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        goals = batch.reward.astype(np.float64)
        going_on = [row for row in range(len(batch)) if batch.discount[row] != 0]
        if going_on:
            following = self.policy.values(batch.next_obs[going_on], self.policy.slow)
            goals[going_on] += batch.discount[going_on] * following.max(axis=1)
        features = self.policy.features(batch.obs)
        loss, slope, priority = (np.zeros(len(batch)) for _ in range(3))
        for row, action in enumerate(batch.action.tolist()):
            error = float(features[row] @ self.policy.weights[action] - goals[row])
            small = abs(error) <= self.delta
            loss[row] = 0.5 * error**2 if small else self.delta * (abs(error) - 0.5 * self.delta)
            slope[row] = error if small else self.delta * np.sign(error)
            priority[row] = error**2
        return TDErrors(loss=loss, priority=priority, update=[*zip(features, slope, strict=True)])


class RMSProp:
    """w ← w − η · g / (√v + 10⁻³) with v the running mean of g², and g the mean over the batch."""

    def __init__(self, policy: LinearQ, rate: float, memory: float) -> None:
        self.policy, self.rate, self.memory = policy, rate, memory
        self.squares: dict[int, np.ndarray] = {}

    def apply(self, batch: Batch, errors: TDErrors) -> None:
        gradients = {action: np.zeros(self.policy.size) for action in self.policy.weights}
        for action, weight, (features, slope) in zip(batch.action.tolist(), batch.weights, errors.update, strict=True):
            gradients[action] += weight * slope * features / len(batch)
        for action, gradient in gradients.items():
            square = self.memory * self.squares.get(action, np.zeros_like(gradient)) + (1 - self.memory) * gradient**2
            self.squares[action] = square
            moved = self.policy.weights[action] - self.rate * gradient / (np.sqrt(square) + 1e-3)
            self.policy.weights[action] = moved

    def state_dict(self) -> State:
        return {str(action): square.copy() for action, square in self.squares.items()}

    def load_state_dict(self, state: State) -> None:
        self.squares = {int(action): np.array(square) for action, square in state.items()}


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [LinearOptions]


@hookimpl
def make_policy(spaces: Spaces, config: Config, seeds: Seeds) -> Policy:
    return LinearQ(spaces, config[LinearOptions].spread, seeds.generator("linear_q/weights"))


@hookimpl
def make_loss(policy: LinearQ, config: Config) -> Loss:
    return LinearLoss(policy, config[LinearOptions].delta)


@hookimpl
def make_optimizer(policy: LinearQ, config: Config) -> Optimizer:
    options = config[LinearOptions]
    return RMSProp(policy, options.rate, options.memory)
