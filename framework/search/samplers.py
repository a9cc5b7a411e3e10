"""Samplers and pruners by name: those of Optuna that need no package beyond this project's extras."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from framework.errors import UsageError, did_you_mean, listed, need

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from framework.search.space import Space

SAMPLERS: Mapping[str, str] = {
    "tpe": "tree-structured Parzen estimators (Bergstra et al. 2011): first 10 random trials, then near good ones",
    "random": "independent random values",
    "grid": "every combination of at most --points values of each range, and of all values of each choice",
    "qmc": "a Sobol sequence: random, but evenly spread",
    "gp": "a Gaussian process; needs torch",
}

PRUNERS: Mapping[str, str] = {
    "none": "every trial runs to its end",
    "median": "ends a trial whose best evaluation so far is below the median of the trials before it",
    "halving": "asynchronous successive halving (Li et al. 2018): the better quarter goes on",
    "hyperband": "several successive halvings side by side (Li et al. 2018)",
}


def check_names(sampler: str, pruner: str) -> None:
    """
    Raises:
        UsageError: if there is no sampler or pruner of this name, or a package for it is missing.
    """
    problems = []
    for option, name, known in (("--sampler", sampler, SAMPLERS), ("--pruner", pruner, PRUNERS)):
        if name not in known:
            why = " (its state would be a pickle in the folder, and reading one runs code)" if name == "cmaes" else ""
            near = did_you_mean(name, [*known])
            problems.append(f"{option} {name}: not available{why}.{near} Choose {listed([*known], 'or')}")
    if problems:
        raise UsageError(problems)
    need("optuna", "the command 'sweep'", "search")
    if sampler == "gp":
        need("torch", "--sampler gp", "dqn")


def make_sampler(name: str, seed: int, asked: int) -> BaseSampler:
    """A sampler for the next trial. It depends on nothing but the trials so far, so any process may ask.

    Args:
        seed: of the sweep.
        asked: how many trials have been asked for.
    """
    import numpy as np
    from optuna import samplers
    from optuna.exceptions import ExperimentalWarning

    own = int(np.random.SeedSequence([seed, asked]).generate_state(1)[0])
    makers: Mapping[str, Callable[[], Any]] = {
        "tpe": lambda: samplers.TPESampler(seed=own),
        "random": lambda: samplers.RandomSampler(seed=own),
        "grid": lambda: samplers.RandomSampler(seed=own),  # the points are handed out by the ledger
        # one sequence, of which each trial takes a further point
        "qmc": lambda: samplers.QMCSampler(
            seed=int(np.random.SeedSequence(seed).generate_state(1)[0]), scramble=True, warn_independent_sampling=False
        ),
        "gp": lambda: samplers.GPSampler(seed=own, warn_independent_sampling=False),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return makers[name]()


def make_pruner(name: str) -> BasePruner:
    """A pruner, for intermediate values that are numbered from 1."""
    from optuna import pruners

    makers: Mapping[str, Callable[[], Any]] = {
        "none": pruners.NopPruner,
        "median": pruners.MedianPruner,
        "halving": lambda: pruners.SuccessiveHalvingPruner(min_resource=1),
        "hyperband": lambda: pruners.HyperbandPruner(min_resource=1),
    }
    return makers[name]()


def distribution_of(space: Space) -> BaseDistribution:
    """The space as Optuna describes it. Values of a choice are their labels, which are text."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    from framework.search.space import Choice

    if isinstance(space, Choice):
        return CategoricalDistribution(space.labels)
    if space.step is None:
        return FloatDistribution(space.low, space.high, log=space.logarithmic)
    return IntDistribution(int(space.low), int(space.high), log=space.logarithmic, step=space.step)
