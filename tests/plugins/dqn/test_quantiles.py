"""The quantile Huber loss against the formula of the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor
from torch.nn import functional

from plugins.dqn.quantiles import QuantileLoss, Quantiles, quantile_huber


def pairwise(quantiles: Tensor, samples: Tensor, weights: Tensor, levels: Tensor, kappa: float) -> Tensor:
    """The loss from all N · M errors, as eq. 10 of Dabney et al. 2018 writes it: slower, and easier to read."""
    error = samples[:, None, :] - quantiles[:, :, None]
    huber = functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=kappa) / kappa
    slant = (levels[:, :, None] - (error.detach() < 0).to(error.dtype)).abs()
    return (slant * huber * weights[:, None, :]).sum(dim=2).sum(dim=1)


# whole numbers make samples that equal each other, a quantile, or a border of the Huber loss
numbers = st.one_of(st.floats(-5, 5), st.integers(-3, 3).map(float))


@given(
    seed=st.integers(0, 99),
    rows=st.integers(1, 4),
    count=st.integers(1, 60),
    width=st.integers(1, 60),
    kappa=st.one_of(st.floats(0.1, 3), st.just(1.0)),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    data=st.data(),
)
def test_sums_over_sorted_samples_give_the_loss_and_the_gradient_of_all_pairs(
    seed: int, rows: int, count: int, width: int, kappa: float, scale: float, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    own, others = (data.draw(hnp.arrays(np.float64, (rows, n), elements=numbers)) for n in (count, width))
    weights = rng.dirichlet(np.ones(width), size=rows) * (rng.random((rows, width)) < 0.8)
    levels = np.sort(rng.random((data.draw(st.sampled_from([1, rows])), count)))
    given = [torch.from_numpy(x) for x in (scale * others, weights, levels)]
    losses, slopes = [], []
    for loss in (quantile_huber, pairwise):
        quantiles = torch.from_numpy(scale * own).requires_grad_()
        losses.append(loss(quantiles, *given, scale * kappa))
        slopes.extend(torch.autograd.grad((losses[-1] * torch.arange(1, rows + 1)).sum(), quantiles))
    torch.testing.assert_close(*losses, rtol=1e-9, atol=1e-9 * scale)
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("place", ["quantiles", "samples", "weights"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_of_numbers_that_are_not_finite_is_not_finite_in_its_row_alone(place: str, number: float) -> None:
    given = {"quantiles": torch.rand(3, 5), "samples": torch.rand(3, 7), "weights": torch.full((3, 7), 1 / 7)}
    given[place][1, 2] = number
    loss = quantile_huber(*given.values(), (torch.arange(5)[None] + 0.5) / 5, 1.0)
    assert loss.isfinite().tolist() == [True, False, True]


@pytest.mark.usefixtures("float64")
@given(seed=st.integers(0, 99), rows=st.integers(1, 5), count=st.integers(1, 6))
def test_one_next_action_is_the_mixture_that_has_only_this_action(seed: int, rows: int, count: int) -> None:
    """The shortcut for greedy bootstraps: a distribution that is one-hot up to 1e-15 takes the long way."""
    generator = torch.Generator().manual_seed(seed)
    levels = ((torch.arange(count) + 0.5) / count)[None]
    online, target = torch.randn(2, rows, 3, count, generator=generator)
    action, reward, discount = torch.arange(rows) % 3, torch.randn(rows, generator=generator), torch.rand(rows)
    chosen = torch.nn.functional.one_hot(torch.randint(3, (rows,), generator=generator), 3).to(online)
    nearly = chosen * (1 - 1e-15) + (1 - chosen) * 5e-16
    head = QuantileLoss(1.0)
    short, long = (
        head.loss(Quantiles(online, levels), action, Quantiles(target, levels), given, reward, discount)[0]
        for given in (chosen, nearly)
    )
    assert torch.allclose(short, long, rtol=1e-12)
