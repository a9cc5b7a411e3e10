"""The loss of one value an action against a float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plugins.dqn.head import ScalarHead, Values
from plugins.dqn.maths import greedy

B, A = 7, 3


def tensors(*arrays: np.ndarray) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array) for array in arrays)


numbers = st.floats(-100, 100)


@given(
    online=hnp.arrays(np.float64, (B, A), elements=numbers),
    target=hnp.arrays(np.float64, (B, A), elements=numbers),
    other=hnp.arrays(np.float64, (B, A), elements=numbers),
    action=hnp.arrays(np.int64, B, elements=st.integers(0, A - 1)),
    reward=hnp.arrays(np.float64, B, elements=numbers),
    discount=hnp.arrays(np.float64, B, elements=st.floats(0, 1)),
    kind=st.sampled_from(["squared", "huber"]),
    double=st.booleans(),
)
def test_the_loss_is_the_papers(online, target, other, action, reward, discount, kind, double) -> None:
    """ℓ(Q(s, a), r + γ · Q_target(s', argmax Q)); the target network has the argmax, for double the online network."""
    q, q_target, q_next, a, r, g = tensors(online, target, other, action, reward, discount)
    choice = greedy(q_next if double else q_target)
    loss, priority = ScalarHead(kind).loss(Values(q), a, Values(q_target), choice, r, g)
    for row in range(B):
        best = int(np.argmax(other[row] if double else target[row]))
        error = online[row, action[row]] - (reward[row] + discount[row] * target[row, best])
        expected = error**2 if kind == "squared" else error**2 / 2 if abs(error) < 1 else abs(error) - 0.5
        assert loss[row].item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert priority[row].item() == pytest.approx(abs(error), rel=1e-9, abs=1e-9)


@pytest.mark.usefixtures("float64")
def test_large_errors_keep_a_gradient() -> None:
    """If the error itself were clipped, its gradient would be 0."""
    for sign in (100.0, -100.0):
        value = torch.zeros(1, A, requires_grad=True)
        loss, _ = ScalarHead("huber").loss(
            Values(value),
            torch.tensor([1]),
            Values(torch.zeros(1, A)),
            torch.zeros(1, A),
            torch.tensor([sign]),
            torch.tensor([0.0]),
        )
        (grad,) = torch.autograd.grad(loss.sum(), value)
        assert grad.tolist() == [[0.0, -np.sign(sign), 0.0]]
