"""Policy, loss and optimiser of a composition together, as the checks of these three need them.

Whoever draws random numbers draws the same ones in two learners of one `Class`, as long as the same is asked of both.
So checks compare learners, not two calls of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from jaxtyping import Float, Shaped

from framework.conformance.bench import Bench
from framework.conformance.checks import NotApplicable, expect
from framework.conformance.samples import A, B, some_batch
from framework.conformance.subject import Subject
from framework.seeding import Seeds
from framework.types import Batch, Counters, Errors, Exploration, Loss, Optimizer, Policy, Spaces, State, Targeted

STATES = 11
"""Of discrete observations: prime, and no other number here."""

FLOAT32 = {"rtol": 1e-4, "atol": 1e-5}
"""What two orders of summation of one network may differ by, generously."""

UPDATES = 50
"""As many may be needed until values have moved as they should; mostly one is enough."""


@dataclass
class Learner:
    """One agent's parts, at a moment of a run at which an exploration is neither greedy nor uniform."""

    policy: Policy
    exploration: Exploration
    loss: Loss
    optimizer: Optimizer

    def errors(self, batch: Batch) -> Errors:
        """What the loss finds."""
        return self.loss(batch, counters())

    def learn(self, batch: Batch, times: int = 1) -> None:
        """Update on one batch."""
        for _ in range(times):
            self.optimizer.apply(batch, self.errors(batch))

    def values(self, obs: Shaped[np.ndarray, "N *obs"]) -> Float[np.ndarray, "N A"]:
        """What an evaluation sees, copied, in float64."""
        return np.array(self.policy.action_values(obs, explore=False), np.float64)


def counters() -> Counters:
    """The moment."""
    return Counters(env_steps=100, frames=100, updates=20, episodes=10)


@dataclass(frozen=True)
class Class:
    """Makes equal learners: `fresh` ones, and `taught` ones, whose values differ from state to state and action."""

    subject: Subject
    bench: Bench
    spaces: Spaces

    @classmethod
    def of(cls, subject: Subject) -> Class:
        """On observations like those of the composition's own environment, and `A` actions."""
        space = subject.spaces.observation
        shown = Discrete(STATES) if isinstance(space, Discrete) else space
        frame = Discrete(STATES) if isinstance(space, Discrete) else subject.spaces.frame
        return cls(
            subject, subject.bench(), replace(subject.spaces, observation=shown, frame=frame, action=Discrete(A))
        )

    @property
    def discrete(self) -> bool:
        return isinstance(self.spaces.observation, Discrete)

    def reseeded(self) -> Class:
        """The same, from another seed."""
        return replace(self, bench=replace(self.bench, seeds=Seeds(self.subject.seed + 1)))

    def policy(self) -> Policy:
        return self.bench.policy(self.spaces)

    def fresh(self) -> Learner:
        policy, exploration = self.policy(), self.bench.exploration(self.spaces)
        return Learner(policy, exploration, self.bench.loss(policy, exploration), self.bench.optimizer(policy))

    def taught(self) -> Learner:
        learner = self.fresh()
        learner.learn(self.lesson(), times=4 if self.discrete else 1)
        if isinstance(learner.policy, Targeted):
            learner.policy.update_target(1.0)
        return learner

    def lesson(self) -> Batch:
        """Each action in several states, with returns of either sign that stand for themselves."""
        rng = np.random.default_rng([self.subject.seed, 1])
        pool = np.arange(STATES) if self.discrete else self.observations(3)
        obs, action = np.repeat(pool, A, axis=0), np.tile(np.arange(A), len(pool))
        return self.batch(
            len(obs), 1, obs=obs, action=action, discount=np.zeros(len(obs)), reward=rng.normal(size=len(obs))
        )

    def observations(self, rows: int, key: int = 0) -> Shaped[np.ndarray, "N *obs"]:
        """Random ones; others for another key."""
        return self.batch(rows, key).obs

    def batch(self, rows: int = B, key: int = 0, **given: Any) -> Batch:
        """See `some_batch`: the same one for the same key, but for the arrays that are given (None is not)."""
        batch = some_batch(self.spaces, np.random.default_rng([self.subject.seed, 2, key]), rows)
        arrays = {name: array for name, array in given.items() if array is not None}
        next_obs = arrays.pop("next_obs", batch.next_obs)
        next_action = arrays.pop("next_action", batch.next_action)
        return replace(batch, **arrays, read_next_obs=lambda: next_obs, read_next_action=lambda: next_action)

    def one(self, action: int, reward: float) -> Batch:
        """A single row whose return stands for itself."""
        return self.batch(1, action=np.array([action]), reward=np.array([reward]), discount=np.zeros(1))


def misled(learner: Learner, batch: Batch, direction: Float[np.ndarray, " A"]) -> Float[np.ndarray, " A"] | None:
    """Update on a batch of one observation until its values have moved along a direction, and return None.

    Noise in the values may need some updates; so may the mean of a distribution, which the first ones can move anyhow.

    Returns:
        By how much they have moved, if not along it.

    Raises:
        NotApplicable: if the loss falls, but so slowly that the values need not follow yet.
    """
    before, loss = learner.values(batch.obs)[0], learner.errors(batch).loss.mean()
    for _ in range(UPDATES):
        learner.learn(batch)
        moved = learner.values(batch.obs)[0] - before
        if direction @ moved > 0:
            return None
    fallen = loss - learner.errors(batch).loss.mean()
    if 0 < fallen < abs(loss) / 5:
        raise NotApplicable(f"the loss falls too slowly: in {UPDATES} updates by less than a fifth")
    return moved


def bootstrapping(subject: Subject) -> Class:
    """For what concerns `discount` and what follows.

    Raises:
        NotApplicable: where the buffer makes its own returns, which may leave nothing to bootstrap.
    """
    if not subject.consumes("make_buffer", "returns"):
        raise NotApplicable("the buffer makes its own returns, and says itself what is left to bootstrap from")
    return Class.of(subject)


def targeted(policy: Policy) -> Targeted:
    """The policy, if it has a target.

    Raises:
        NotApplicable: if not.
    """
    if not isinstance(policy, Targeted):
        raise NotApplicable("the policy has no target")
    return policy


def fields_of(batch: Batch) -> dict[str, Any]:
    """Its arrays by name, those that are read when asked for among them."""
    names = ("ids", "obs", "action", "reward", "discount", "weights", "next_obs", "next_action")
    return {name: getattr(batch, name) for name in names}


def expect_same(got: Errors, wanted: Errors, example: str, rows: Any = slice(None), **tolerance: float) -> None:
    """Compare losses and priorities, of all rows or of some."""
    expect(got.loss[rows], wanted.loss[rows], example=f"{example}: loss", **tolerance)
    expect(got.priority[rows], wanted.priority[rows], example=f"{example}: priority", **tolerance)


def leaves(state: State, path: str = "") -> dict[str, Any]:
    """Every value of a nested state, by its path, arrays copied."""
    found: dict[str, Any] = {}
    for key, value in state.items():
        name = f"{path}/{key}" if path else str(key)
        if isinstance(value, Mapping):
            found.update(leaves(value, name))
        else:
            found[name] = value.copy() if isinstance(value, np.ndarray) else value
    return found


def weights(policy: Policy) -> dict[str, np.ndarray]:
    """The arrays of floats in a policy's state, copied: what is learnt, without counters and random streams."""
    return {
        name: value
        for name, value in leaves(policy.state_dict()).items()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    }


def changed(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> list[str]:
    """The names under which something differs."""
    return [name for name, value in before.items() if not np.array_equal(value, after[name], equal_nan=True)]


def read_only(values: Callable[[], Mapping[str, Any]]) -> Callable[[], list[str]]:
    """Looks at values now; the function that it returns looks again, and names those that have changed."""
    before = {name: np.array(value) for name, value in values().items()}
    return lambda: [name for name, value in values().items() if not np.array_equal(before[name], value, equal_nan=True)]
