"""The agent of `dqn`: its gradients, its two networks, and the table as a special case."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from envs.chain import ChainEnv
from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.errors import UsageError
from framework.seeding import Seeds
from framework.training.loop import Loop
from framework.types import Batch, Counters, Targeted
from plugins.averaging.parts import AveragedPolicy
from plugins.dqn.agent import DQNPolicy, choose_device
from plugins.dqn.head import ScalarHead
from plugins.dqn.networks import (
    ActionStream,
    OneHot,
    QNetwork,
)

B, A = 7, 3

pytestmark = pytest.mark.usefixtures("float64")


def chain_parts(names: str = "dqn,chain", **values: object) -> Parts:
    return assemble(names, {"run.steps": 60, "learning.starts": 20, **values})


def some_batch(parts: Parts, discount: float = 0.9) -> Batch:
    n = parts.spaces.observation.n
    obs, after = np.arange(B) % n, (np.arange(B) + 1) % n
    return Batch(
        ids=np.arange(B),
        obs=obs,
        action=np.arange(B) % 2,
        reward=np.arange(B) * 1.0,
        discount=np.full(B, discount),
        weights=np.ones(B),
        read_next_obs=lambda: after,
        read_next_action=lambda: np.full(len(obs), -1),
    )


class TestGradients:
    def test_only_the_taken_action_of_the_online_network_is_moved(self) -> None:
        parts = chain_parts()
        policy = parts.policy
        before = {name: value.clone() for name, value in policy.target.state_dict().items()}
        batch = some_batch(parts)
        parts.optimizer.apply(batch, parts.loss(batch, Counters()))
        assert all(torch.equal(value, before[name]) for name, value in policy.target.state_dict().items())
        assert any(not torch.equal(value, before[name]) for name, value in policy.online.state_dict().items())
        assert all(parameter.grad is None for parameter in policy.target.parameters())

    @pytest.mark.parametrize("names", ["dqn,chain", "dqn,double,chain"])
    def test_the_gradient_is_that_of_the_loss_with_a_fixed_target(self, names: str) -> None:
        """Central differences of ½ mean((Q − y)²) with y computed once, in float64."""
        parts = chain_parts(names, **{"dqn.loss": "squared", "dqn.hidden": 5})
        policy, batch = parts.policy, some_batch(parts)
        policy.target.load_state_dict({k: v + 0.1 for k, v in policy.target.state_dict().items()})
        loss = parts.loss(batch, Counters()).update.mean()
        parameters = list(policy.online.parameters())
        grads = torch.autograd.grad(loss, parameters)
        goal = batch.reward + batch.discount * self.next_values(parts, batch, "double" in names)

        def objective() -> float:
            with torch.no_grad():
                q = policy.online(torch.from_numpy(batch.obs)).values.numpy()[np.arange(B), batch.action]
            return float(((q - goal) ** 2).mean())

        for parameter, grad in zip(parameters, grads, strict=True):
            flat = parameter.data.view(-1)
            for index in range(0, len(flat), max(1, len(flat) // 4)):
                kept = flat[index].item()
                flat[index] = kept + 1e-5
                above = objective()
                flat[index] = kept - 1e-5
                below = objective()
                flat[index] = kept
                assert grad.reshape(-1)[index].item() == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-7)

    @staticmethod
    def next_values(parts: Parts, batch: Batch, double: bool) -> np.ndarray:
        with torch.no_grad():
            target = parts.policy.target(torch.from_numpy(batch.next_obs)).values.numpy()
            online = parts.policy.online(torch.from_numpy(batch.next_obs)).values.numpy()
        return target[np.arange(B), (online if double else target).argmax(axis=1)]

    def test_weights_scale_each_rows_gradient(self) -> None:
        parts = chain_parts(**{"dqn.max_grad_norm": 0.0})
        batch = some_batch(parts)
        batch.weights[:] = 0.0
        before = parts.policy.state_dict()["online"]
        parts.optimizer.apply(batch, parts.loss(batch, Counters()))
        after = parts.policy.state_dict()["online"]
        assert all(np.array_equal(before[name], after[name]) for name in before)

    def test_rows_do_not_influence_each_other(self) -> None:
        parts = chain_parts()
        batch = some_batch(parts)
        whole = parts.loss(batch, Counters()).loss
        for row in range(B):
            single = Batch(
                ids=batch.ids[[row]],
                obs=batch.obs[[row]],
                action=batch.action[[row]],
                reward=batch.reward[[row]],
                discount=batch.discount[[row]],
                weights=batch.weights[[row]],
                read_next_obs=lambda row=row: batch.next_obs[[row]],
                read_next_action=lambda row=row: batch.next_action[[row]],
            )
            assert parts.loss(single, Counters()).loss[0] == pytest.approx(whole[row], rel=1e-9)


class TestTwoNetworks:
    def build(self) -> DQNPolicy:
        def network() -> QNetwork:
            return QNetwork(OneHot(4), ActionStream(torch.nn.Linear, 4, A, 1, 0), ScalarHead("huber"))

        return DQNPolicy(network, torch.device("cpu"), Seeds(0))

    def test_they_start_equal_in_storage_of_their_own(self) -> None:
        policy = self.build()
        pairs = list(zip(policy.online.parameters(), policy.target.parameters(), strict=True))
        assert all(torch.equal(a, b) and a.data_ptr() != b.data_ptr() for a, b in pairs)
        assert isinstance(policy, Targeted)

    @given(fraction=st.floats(0.01, 1))
    def test_the_target_moves_by_the_formula(self, fraction: float) -> None:
        policy = self.build()
        with torch.no_grad():
            for parameter in policy.online.parameters():
                parameter.add_(1.0)
        before = policy.state_dict()
        policy.update_target(fraction)
        after = policy.state_dict()
        for name, slow in before["target"].items():
            expected = fraction * before["online"][name] + (1 - fraction) * slow
            assert np.allclose(after["target"][name], expected, rtol=1e-12)
        assert all(np.array_equal(before["online"][name], after["online"][name]) for name in before["online"])

    def test_a_buffer_that_its_module_replaces_is_followed(self) -> None:
        class TorsoSpy(OneHot):
            """Counts the observations that it is shown, in a buffer that it replaces."""

            def __init__(self) -> None:
                super().__init__(4)
                self.register_buffer("seen", torch.zeros(()))

            def forward(self, obs: torch.Tensor) -> torch.Tensor:
                self.seen = self.seen + len(obs)
                return super().forward(obs)

        def network() -> QNetwork:
            return QNetwork(TorsoSpy(), ActionStream(torch.nn.Linear, 4, A, 1, 0), ScalarHead("huber"))

        policy = AveragedPolicy(DQNPolicy(network, torch.device("cpu"), Seeds(0)), 0.5)
        policy.action_values(np.arange(3), explore=True)
        policy.update_target(1.0)
        policy.update_average()
        assert [net.torso.seen.item() for net in (policy.target, policy.average)] == [3.0, 3.0]

    def test_a_copy_of_the_policy_has_networks_of_its_own(self) -> None:
        policy = self.build()
        other = copy.deepcopy(policy)
        with torch.no_grad():
            for parameter in other.online.parameters():
                parameter.add_(1.0)
        before = policy.state_dict()
        other.update_target(1.0)
        assert all(np.array_equal(before["target"][name], now) for name, now in policy.state_dict()["target"].items())
        moved = other.state_dict()
        assert all(np.array_equal(moved["target"][name], now) for name, now in moved["online"].items())

    def test_the_global_random_state_is_left_alone(self) -> None:
        before = torch.random.get_rng_state()
        self.build()
        assert torch.equal(before, torch.random.get_rng_state())

    def test_states_round_trip_and_foreign_ones_are_refused(self) -> None:
        policy, other = self.build(), self.build()
        with torch.no_grad():
            policy.online.stream.layers[0].weight.add_(1.0)
        other.load_state_dict(policy.state_dict())
        obs = np.arange(4)
        assert np.array_equal(policy.action_values(obs, False), other.action_values(obs, False))
        with pytest.raises(UsageError, match="the weights belong to another network"):
            chain_parts().policy.load_state_dict(policy.state_dict())


def test_values_do_not_depend_on_the_rest_of_the_batch() -> None:
    policy = chain_parts().policy
    together = policy.action_values(np.arange(5), False)
    alone = np.concatenate([policy.action_values(np.array([state]), False) for state in range(5)])
    assert np.allclose(together, alone, atol=1e-12)


def test_a_device_that_is_not_there_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(UsageError, match="torch finds no CUDA device here"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"


@pytest.mark.parametrize("names", ["dqn,chain,framework.testing", "dqn,double,chain,framework.testing"])
def test_a_linear_network_on_one_hot_states_is_the_table(names: str) -> None:
    """Within 0.02 of the exact Q* of the chain, in every state that is not terminal."""
    torch.set_default_dtype(torch.float32)
    parts = assemble(
        names,
        {
            "run.steps": 4_000,
            "dqn.hidden": 0,
            "dqn.learning_rate": 0.01,
            "exploration.final": 1.0,
            "learning.starts": 100,
            "target.every": 50,
            "run.num_envs": 2,
        },
    )
    Loop(parts).run()
    values = parts.policy.action_values(np.arange(5), False)
    assert np.abs(values - ChainEnv().q_star(0.9))[1:-1].max() < 0.02


def test_the_moments_of_convolutions_are_restored_in_their_order_in_memory() -> None:
    """The fused optimiser reads weights and moments in memory order, and weights of convolutions are channels-last."""
    values = {"run.steps": 160, "learning.starts": 40, "learning.batch_size": 8, "dqn.hidden": 16}
    parts = assemble("dqn,minatar", values)
    Loop(parts).run()
    assert isinstance(parts.policy, DQNPolicy)
    batch = parts.buffer.sample(8, parts.counters)
    saved = {name: getattr(parts, name).state_dict() for name in ("policy", "optimizer")}
    after = []
    for restored in (False, True):
        if restored:
            for name, state in saved.items():
                getattr(parts, name).load_state_dict(state)
        parts.optimizer.apply(batch, parts.loss(batch, parts.counters))
        after.append({name: weight.clone() for name, weight in parts.policy.online.state_dict().items()})
    parts.close()
    for name, weight in after[0].items():
        assert torch.equal(weight, after[1][name]), name
