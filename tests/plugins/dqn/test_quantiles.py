"""The quantile Huber loss against the formula of the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plugins.dqn.quantiles import QuantileLoss, Quantiles, quantile_huber

B, A, N, M = 7, 3, 5, 11


masses = hnp.arrays(np.float64, (B, M), elements=st.floats(0.01, 1)).map(lambda x: x / x.sum(axis=1, keepdims=True))


@given(
    quantiles=hnp.arrays(np.float64, (B, N), elements=st.floats(-5, 5)),
    samples=hnp.arrays(np.float64, (B, M), elements=st.floats(-5, 5)),
    weights=masses,
    kappa=st.floats(0.1, 3),
)
def test_the_quantile_loss_is_that_of_the_paper(quantiles, samples, weights, kappa) -> None:
    levels = (np.arange(N) + 0.5) / N
    found = quantile_huber(*(torch.from_numpy(x) for x in (quantiles, samples, weights, levels[None])), kappa).numpy()
    for row in range(B):
        expected = 0.0
        for i in range(N):
            for j in range(M):
                u = samples[row, j] - quantiles[row, i]
                huber = u * u / 2 if abs(u) <= kappa else kappa * (abs(u) - kappa / 2)
                expected += weights[row, j] * abs(levels[i] - (u < 0)) * huber / kappa
        assert found[row] == pytest.approx(expected, rel=1e-9, abs=1e-12)


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
