"""C51 and quantile regression against slow references."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.training.loop import Loop
from plugins.c51 import Categorical, CategoricalHead, project
from plugins.dqn.maths import greedy
from plugins.dqn.quantiles import Quantiles, quantile_huber
from plugins.qr import QuantileHead

B, A, N, M = 7, 3, 5, 11


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


masses = hnp.arrays(np.float64, (B, M), elements=st.floats(0.01, 1)).map(lambda x: x / x.sum(axis=1, keepdims=True))


@given(mass=masses, where=hnp.arrays(np.float64, (B, M), elements=st.floats(-4, 4) | st.integers(-3, 3).map(float)))
def test_the_projection_is_that_of_the_paper(mass: np.ndarray, where: np.ndarray) -> None:
    """Algorithm 1, walked; masses on an atom (integer b) included."""
    support = np.linspace(-2, 2, N)
    expected = np.zeros((B, N))
    for row in range(B):
        for p, x in zip(mass[row], where[row], strict=True):
            b = (min(max(x, -2.0), 2.0) + 2) / (support[1] - support[0])
            low, high = math.floor(b), math.ceil(b)
            if low == high:
                expected[row, low] += p
            else:
                expected[row, low] += p * (high - b)
                expected[row, high] += p * (b - low)
    found = project(torch.from_numpy(mass), torch.from_numpy(where), torch.from_numpy(support)).numpy()
    assert np.allclose(found, expected, atol=1e-12)
    assert np.allclose(found.sum(axis=1), 1)
    inside = (np.abs(where) <= 2).all(axis=1)
    assert np.allclose((found @ support)[inside], (mass * where).sum(axis=1)[inside])


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


def identity(x: torch.Tensor) -> torch.Tensor:
    return x


def c51_output(logits: torch.Tensor, head: CategoricalHead) -> Categorical:
    return head(logits, identity)


class TestCrafted:
    """Who is looked at, and what a terminal state lets through."""

    def test_the_next_action_is_chosen_by_the_mean_not_per_quantile(self) -> None:
        """Action 0 has the larger mean; action 1 the larger upper quantile."""
        head = QuantileHead(2, 1.0)
        target = head(torch.tensor([[[1.0, 1.2], [-5.0, 5.0]]]), identity)
        choice = greedy(target.values)
        assert choice.tolist() == [[1.0, 0.0]]
        online = Quantiles(torch.tensor([[[1.0, 1.2], [0.0, 0.0]]]), torch.tensor([[0.25, 0.75]]))
        loss, _ = head.loss(online, torch.tensor([0]), target, choice, torch.zeros(1), torch.ones(1))
        # θ = (1, 1.2), τ = (¼, ¾): each of the two errors of 0.2 costs ¼ · 0.02, weighted by a half
        assert loss.item() == pytest.approx(2 * 0.25 * 0.02 / 2)

    @pytest.mark.parametrize("head", [CategoricalHead(5, -2.0, 2.0), QuantileHead(5, 1.0)])
    def test_nothing_behind_a_terminal_state_comes_through(self, head: CategoricalHead | QuantileHead) -> None:
        head = head.double()
        online = head(torch.randn(B, A, 5), identity)
        clean, spoilt = head(torch.randn(B, A, 5), identity), head(torch.full((B, A, 5), torch.nan), identity)
        action, reward, discount = torch.arange(B) % A, torch.randn(B), torch.zeros(B)
        policy = greedy(torch.randn(B, A))
        expected, _ = head.loss(online, action, clean, policy, reward, discount)
        found, _ = head.loss(online, action, spoilt, policy * torch.nan, reward, discount)
        assert torch.allclose(found, expected)

    def test_one_quantile_and_small_errors_is_half_the_squared_loss(self) -> None:
        """τ = ½, κ large: ½ · u² / (2κ)."""
        head = QuantileHead(1, 100.0)
        online = head(torch.randn(B, A, 1), identity)
        target = head(torch.randn(B, A, 1), identity)
        action = torch.arange(B) % A
        loss, _ = head.loss(online, action, target, greedy(target.values), torch.zeros(B), torch.ones(B))
        error = target.values.max(dim=1).values - online.values[torch.arange(B), action]
        assert torch.allclose(loss, error**2 / 400)


def test_atoms_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(UsageError, match=r"v_min = 1\.0 must lie below v_max = -1\.0"):
        assemble("dqn,c51,chain", {"c51.v_min": 1.0, "c51.v_max": -1.0})


@pytest.mark.parametrize("head", ["c51", "qr", "iqn"])
def test_they_compose_with_the_rest(head: str) -> None:
    torch.set_default_dtype(torch.float32)
    names = f"dqn,{head},double,dueling,nstep,per,polyak,chain,framework.testing"
    parts = assemble(names, {"run.steps": 220, "learning.starts": 40})
    Loop(parts).run()
    assert parts.counters.updates > 20
    state = parts.policy.state_dict()
    parts.policy.load_state_dict(state)
    assert np.isfinite(parts.policy.action_values(np.arange(5), False)).all()


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("c51", {"c51.v_min": -2.0, "c51.v_max": 2.0}),
        ("qr", {"qr.quantiles": 11, "qr.kappa": 0.1}),
        ("iqn", {"iqn.kappa": 0.1}),
    ],
)
def test_they_recover_a_reward_of_two_values(head: str, options: dict[str, float], tmp_path) -> None:
    """One step, +1 or −1 with equal chances: the distribution has both, and their mean is 0."""
    torch.set_default_dtype(torch.float32)
    arm = tmp_path / "arm.py"
    arm.write_text(
        "import gymnasium\n"
        "import numpy as np\n"
        "from framework.hookspecs import hookimpl\n"
        "class Arm(gymnasium.Env):\n"
        "    observation_space = gymnasium.spaces.Box(0.0, 1.0, (8,))\n"
        "    action_space = gymnasium.spaces.Discrete(2)\n"
        "    def reset(self, *, seed=None, options=None):\n"
        "        super().reset(seed=seed)\n"
        "        return np.ones(8, np.float32), {}\n"
        "    def step(self, action):\n"
        "        return np.ones(8, np.float32), float(self.np_random.choice([-1.0, 1.0])), True, False, {}\n"
        "@hookimpl\n"
        "def make_env(): return Arm\n"
    )
    values = {
        "run.steps": 3_000,
        "dqn.hidden": 0,
        "dqn.mlp": (),
        "dqn.learning_rate": 0.01,
        "exploration.final": 1.0,
        **options,
    }
    parts = assemble(["dqn", head, str(arm)], values)
    Loop(parts).run()
    with torch.no_grad():
        output = parts.policy.online.eval()(torch.ones(1, 8))
    assert output.values.abs().max() < 0.25
    if head == "c51":
        support = parts.policy.online.head.support
        probability = output.logs.exp()[0, 0]
        for value in (-1.0, 1.0):
            assert abs(probability[(support - value).abs() < 0.2].sum().item() - 0.5) < 0.15
    else:
        levels, quantiles = output.levels[0], output.quantiles[0, 0]
        for value, where in ((-1.0, (levels > 0.1) & (levels < 0.35)), (1.0, (levels > 0.65) & (levels < 0.9))):
            assert (quantiles[where] - value).abs().max() < 0.2
