"""Checks of prioritised replay: exact probabilities and weights, and a sum tree against a plain cumulative sum.

The sampler draws one id from each of n equal shares of the sum. So an id with probability p is drawn n · p times in n
draws, with an error below two: the id covers at most two of the shares only in part. The checks need no statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from framework.conformance.check import Cause, check, expect, require
from framework.conformance.subject import Subject
from framework.types import Counters, Sampler
from plugins.per.sumtree import SumTree

DRAWS = 20_000
CAPACITIES = (1, 2, 3, 5, 7, 8, 11)


def _sampler(subject: Subject, capacity: int, **options: float) -> Sampler:
    sampler = subject.builder({f"per.{name}": value for name, value in options.items()}).sampler()
    sampler.allocate(capacity)
    return sampler


def _expect_probabilities(sampler: Sampler, wanted: np.ndarray, example: Mapping[str, object]) -> None:
    """Compare how often each id (0, 1, …) is drawn with its probability."""
    ids, _ = sampler.sample(DRAWS, Counters())
    require((ids >= 0).all(), example=example, expected="active ids", got=np.unique(ids))
    counts = np.bincount(ids, minlength=len(wanted))
    near = len(counts) == len(wanted) and (np.abs(counts - DRAWS * wanted) < 2).all()
    require(near, example={**example, "compared": f"draws of {DRAWS}"}, expected=DRAWS * wanted, got=counts)


@check(
    "sampler",
    "make_sampler",
    Cause("α is applied twice, or not at all", "pytorch/rl#2211"),
    Cause("priorities are rounded to whole numbers", "instadeepai/flashbax#58"),
    Cause("priorities are never updated", "anthonytorlucci/rlevo#188"),
    Cause("the tree is wrong for capacities that are not powers of two", "vwxyzjn/cleanrl#546"),
)
def per_probabilities_are_the_papers(subject: Subject) -> None:
    """Transition i is drawn with probability P(i) = p_i^α / Σ p^α, where p_i = |δ_i| + ε."""
    for capacity in CAPACITIES:
        for alpha, epsilon in ((1.0, 1e-6), (0.5, 1e-6), (0.0, 1e-6), (0.6, 0.5)):
            sampler = _sampler(subject, capacity, alpha=alpha, epsilon=epsilon)
            ids = np.arange(capacity)
            sampler.activate(ids)
            priorities = 0.3 + (ids * 5 % 7) * 1.7
            sampler.reprioritize(ids, priorities)
            scaled = (priorities + epsilon) ** alpha
            example = {"α": alpha, "ε": epsilon, "capacity": capacity, "priorities": priorities}
            _expect_probabilities(sampler, scaled / scaled.sum(), example)


@check(
    "sampler",
    "make_sampler",
    Cause("the exponent is wrong, or the weights are not normalised", "takoika/PrioritizedExperienceReplay#1"),
    Cause("N is the capacity, not the number of transitions; or β never grows"),
    Cause("a batch of one is divided by its own weight, so that β has no effect"),
)
def per_weights_are_the_papers(subject: Subject) -> None:
    """Weights are (N · P(i))^−β, over the largest of a batch of several; β grows to 1 in `per.beta_horizon` steps."""
    priorities = np.array([1.0, 2.0, 0.5, 4.0, 3.0])
    for beta, steps in ((0.4, 0), (0.4, 50), (0.4, 100), (0.4, 10_000), (0.0, 0), (1.0, 0)):
        sampler = _sampler(subject, 8, alpha=0.5, epsilon=1e-6, beta=beta, beta_horizon=100)
        sampler.activate(np.arange(5))
        sampler.reprioritize(np.arange(5), priorities)
        probability = np.sqrt(priorities + 1e-6) / np.sqrt(priorities + 1e-6).sum()
        now = beta + (1 - beta) * min(1.0, steps / 100)
        for rows in (1, 3, 64):
            ids, weights = sampler.sample(rows, Counters(env_steps=steps))
            wanted = (5 * probability[ids]) ** -now
            example = {"β now": now, "env_steps": steps, "N": 5, "P": probability[ids]}
            expect(weights, wanted / wanted.max() if rows > 1 else wanted, example=example, rtol=1e-9)


@check(
    "sampler",
    "make_sampler",
    Cause("a new transition gets priority 1, not the largest priority", "ray-project/ray#11750"),
    Cause("a new transition keeps the priority of the transition that it replaces", "keras-rl/keras-rl#276"),
)
def per_new_ones_have_the_largest_priority(subject: Subject) -> None:
    """A new transition gets the largest priority so far, whatever the priority of the transition that it replaces."""
    for largest in (7.0, 1.0):
        sampler = _sampler(subject, 3, alpha=1.0, epsilon=1e-9)
        sampler.activate(np.arange(3))
        sampler.reprioritize(np.arange(3), np.array([0.5, largest, 0.1]))
        sampler.retire(np.array([0]))
        sampler.activate(np.array([3]))
        wanted = np.array([0, largest, 0.1, largest])
        example = {"priorities of ids 1 and 2": [largest, 0.1], "new": "id 3, in the slot of 0"}
        _expect_probabilities(sampler, wanted / wanted.sum(), example)
        sampler.reprioritize(np.array([1]), np.array([0.25]))
        sampler.retire(np.array([2]))
        sampler.activate(np.array([5]))
        wanted = np.array([0, 0.25, 0, largest, 0, largest])
        example = {"priorities of ids 1 and 3": [0.25, largest], "new": f"id 5, after id 1 had {largest}"}
        _expect_probabilities(sampler, wanted / wanted.sum(), example)


@check(
    "sampler",
    "make_sampler",
    Cause("a priority of 0 causes a division by 0, or the transition is never drawn again"),
    Cause("retired transitions keep their priority", "instadeepai/flashbax#52"),
)
def per_no_priority_is_lost(subject: Subject) -> None:
    """A transition with an error of 0 has the priority ε; a retired transition is never drawn."""
    sampler = _sampler(subject, 6, alpha=1.0, epsilon=0.01)
    sampler.activate(np.arange(6))
    sampler.reprioritize(np.arange(6), np.array([0.0, 1.0, 0.0, 0.5, 2.0, 0.0]))
    wanted = np.array([0.01, 1.01, 0.01, 0.51, 2.01, 0.01])
    _expect_probabilities(sampler, wanted / wanted.sum(), {"ε": 0.01, "errors": [0, 1, 0, 0.5, 2, 0]})
    sampler.retire(np.array([1, 4]))
    wanted[[1, 4]] = 0
    _expect_probabilities(sampler, wanted / wanted.sum(), {"ε": 0.01, "errors": [0, 1, 0, 0.5, 2, 0], "gone": [1, 4]})


@check(
    "sampler",
    "make_sampler",
    Cause("sums are adjusted by differences, so that rounding errors accumulate"),
    Cause("the sums are float32", "pytorch/rl#2230"),
)
def per_does_not_drift(subject: Subject) -> None:
    """After 100,000 priorities of very different sizes, small priorities still have the right probabilities."""
    capacity = 1_000
    sampler = _sampler(subject, capacity, alpha=1.0, epsilon=1e-12)
    sampler.activate(np.arange(capacity))
    rng = np.random.default_rng(subject.seed)
    for _ in range(1_000):
        ids = rng.integers(0, capacity, 100)
        sampler.reprioritize(ids, rng.random(100) * 10.0 ** rng.integers(-6, 13))
    sampler.reprioritize(np.arange(capacity), np.full(capacity, 1e-6))
    wanted = np.full(capacity, 1 / capacity)
    _expect_probabilities(sampler, wanted, {"capacity": capacity, "priorities in the end": "0.000001 each"})


@check(
    "sampler",
    "make_sampler",
    Cause("a prefix that equals the total leads out of range", "ray-project/ray#7180"),
    Cause("the tree is wrong for capacities that are not powers of two", "vwxyzjn/cleanrl#546"),
    Cause("a float32 cumulative sum gives an index past the end", "pytorch/rl#2230"),
)
def per_tree_finds_what_a_cumulative_sum_finds(subject: Subject) -> None:
    """For each prefix from 0 to the total, the tree finds the leaf of a plain cumulative sum, never one of weight 0."""
    patterns: Sequence[Sequence[float]] = ((1, 2, 3), (0, 1), (1, 0), (2, 0, 0, 1), (0.1, 0.2, 0.3, 0, 0), (5,))
    for capacity in CAPACITIES:
        for pattern in patterns:
            weights = np.resize(np.array(pattern, np.float64), capacity)
            if not weights.any():
                continue
            tree = SumTree(capacity)
            tree[np.arange(capacity)] = weights
            ends = np.cumsum(weights)
            example = {"weights": weights}
            expect(tree.total, ends[-1], example={**example, "compared": "the total"}, rtol=1e-12)
            within = np.concatenate([ends - weights / 2, ends - weights * (1 - 1e-9)])[np.tile(weights > 0, 2)]
            leaves = np.tile(np.arange(capacity), 2)[np.tile(weights > 0, 2)]
            expect(tree.find(within), leaves, example={**example, "prefixes": within})
            edges = np.array([0.0, tree.total, np.nextafter(tree.total, np.inf)])
            some = np.flatnonzero(weights)
            expect(tree.find(edges), some[[0, -1, -1]], example={**example, "prefixes": "0, the total, slightly more"})
