"""Checks of PQN's rollout: they compare its λ-returns with their definition, the mixture of all n-step returns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import gymnasium
import numpy as np

from framework.conformance.check import Cause, check, expect, require
from framework.conformance.fixtures.replay.plain_history import History, PlainTransition
from framework.conformance.subject import Subject
from framework.types import Batch, Buffer, Counters, Spaces, State

GAMMA = 0.5
LAMBDAS = (0.0, 0.25, 1.0)
PATTERNS = [signs for signs in product(".tub", repeat=3) if signs <= signs[::-1]] + [tuple(".t..u"), tuple("..b..")]
"""Signs of an environment's steps, as in `History`. A second environment makes them in reverse order."""


class SquaredValues:
    """A policy with different values in all states: max_a Q = s². In forbidden states the values are NaN."""

    def __init__(self, forbidden: Sequence[int] = ()) -> None:
        self._forbidden = forbidden

    def action_values(self, obs: np.ndarray, explore: bool) -> np.ndarray:
        values = obs.astype(np.float64) ** 2
        values[np.isin(obs, self._forbidden)] = np.nan
        return np.stack([values, values / 2], axis=1)

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """Do nothing: there is no state."""


def mixture(steps: Sequence[PlainTransition], lam: float) -> float:
    """Return (1 − λ) Σ_n λ^(n−1) G^(n) over the n-step returns from the first step.

    The longest return gets the rest of the weight, λ^(n−1). G^(n) = Σ_{j<n} γ^j r_j + γ^n · max_a Q(s_n), without the
    last term where the episode terminated.
    """
    total = 0.0
    for n, last in enumerate(steps, start=1):
        returns = sum(GAMMA**j * step.reward for j, step in enumerate(steps[:n]))
        returns += 0.0 if last.terminated else GAMMA**n * float(last.successor) ** 2
        total += (lam ** (n - 1) if n == len(steps) else (1 - lam) * lam ** (n - 1)) * returns
    return total


def _collected(subject: Subject, patterns: Sequence[Sequence[str]], **options: float) -> tuple[Buffer, History]:
    """Return a buffer with a rollout, one environment for each pattern, and the history of these environments."""
    space = gymnasium.spaces.Discrete(1_000)
    spaces = Spaces(space, gymnasium.spaces.Discrete(2), space, 1, "repeat", len(patterns))
    history = History(spaces)
    steps = [history.step(signs) for signs in zip(*patterns, strict=True)]
    over = [step.successor for made in history.made for step in made if step.terminated]
    values = {f"pqn.{name}": value for name, value in {"rollout": len(steps), **options}.items()}
    builder = subject.builder({"returns.gamma": GAMMA, **values})
    buffer = builder.buffer(spaces, policy=SquaredValues(over))
    for step in steps:
        buffer.add(step)
        # the caller may change its arrays after `add`
        step.env_id[...], step.terminated[...], step.truncated[...] = 0, False, False
    return buffer, history


def _expect_returns(batch: Batch, history: History, lam: float, **more: object) -> None:
    starts = {step.seen[-1]: (made, place) for made in history.made for place, step in enumerate(made)}
    for row, number in enumerate(batch.obs.tolist()):
        made, place = starts[number]
        steps = history.from_start(made, place, len(made))
        example = {"γ": GAMMA, "λ": lam, "frames": history.shown(), "rewards": "the frames' successors"}
        values = {"max Q": "the frame squared, NaN after a termination", "start": number, **more}
        expect(batch.reward[row], mixture(steps, lam), example={**example, **values}, rtol=1e-6)
        expect(batch.discount[row], 0.0, example={**example, **values, "compared": "discount"})


@check(
    "buffer",
    "make_buffer",
    Cause("the recursion starts from the wrong bootstrap", "purejaxql pqn_gymnax.py"),
    Cause("the return of the next episode or of another environment is used"),
    Cause("NaN · 0 is NaN: a value after a termination has an effect", "anthonytorlucci/rlevo#192"),
    Cause("a truncation sets the bootstrap to 0", "openai/baselines#436"),
)
def pqn_lambda_returns_mix_all_n_step_returns(subject: Subject) -> None:
    """A target is (1 − λ) Σ λ^(n−1) G^(n) up to the end of the rollout or of the episode, and its discount is 0."""
    for lam, pattern in product(LAMBDAS, PATTERNS):
        buffer, history = _collected(subject, (pattern, pattern[::-1]), lam=lam, epochs=1, minibatches=1)
        _expect_returns(buffer.sample(99, Counters()), history, lam)


@check(
    "buffer",
    "make_buffer",
    Cause("a transition is missing in the last minibatch, or occurs twice in an epoch"),
    Cause("the returns and the observations are from different minibatches"),
)
def pqn_learns_each_transition_once_an_epoch(subject: Subject) -> None:
    """The minibatches of an epoch contain each transition of the rollout once, and their sizes differ by at most 1."""
    for minibatches in (1, 2, 3):
        pattern = (".", "t", ".", "u", ".")
        buffer, history = _collected(subject, (pattern, pattern[::-1]), lam=0.25, epochs=2, minibatches=minibatches)
        made = sorted(step.seen[-1] for steps in history.made for step in steps)
        for epoch in range(2):
            batches = [buffer.sample(99, Counters()) for _ in range(minibatches)]
            sizes = [len(batch) for batch in batches]
            example = {"epoch": epoch, "minibatches": minibatches, "frames": history.shown()}
            require(max(sizes) - min(sizes) <= 1, example=example, expected="sizes that differ by at most 1", got=sizes)
            found = sorted(number for batch in batches for number in batch.obs.tolist())
            expect(found, made, example={**example, "compared": "starts"})
            for batch in batches:
                _expect_returns(batch, history, 0.25, minibatches=minibatches)
        expect(len(buffer), 0, example={"minibatches": minibatches, "compared": "len(buffer) after the last epoch"})
