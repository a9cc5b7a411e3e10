"""DQN: targets against a float64 reference, gradients, two networks, and the table as a special case."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from envs.chain import ChainEnv
from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.environments.frames import stacked_space
from framework.errors import UnsupportedSpace, UsageError
from framework.seeding import Seeds
from framework.training.loop import Loop
from framework.types import Batch, Counters, Spaces, Targeted
from plugins.averaging.parts import AveragedPolicy
from plugins.dqn.agent import DQNPolicy, choose_device
from plugins.dqn.head import ScalarHead, Values
from plugins.dqn.maths import bootstrapped, greedy
from plugins.dqn.networks import (
    NATURE,
    SMALL,
    TINY,
    ActionStream,
    Convolutional,
    FullyConnected,
    OneHot,
    QNetwork,
    image_shape,
    scaled,
    torso_for,
)

B, A = 7, 3


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    """Exact references want double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


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
    """ℓ(Q(s, a), r + γ · Q_target(s', argmax Q)), with the argmax the target's, or for double the online network's."""
    q, q_target, q_next, a, r, g = tensors(online, target, other, action, reward, discount)
    choice = greedy(q_next if double else q_target)
    loss, priority = ScalarHead(kind).loss(Values(q), a, Values(q_target), choice, r, g)
    for row in range(B):
        best = int(np.argmax(other[row] if double else target[row]))
        error = online[row, action[row]] - (reward[row] + discount[row] * target[row, best])
        expected = error**2 if kind == "squared" else error**2 / 2 if abs(error) < 1 else abs(error) - 0.5
        assert loss[row].item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert priority[row].item() == pytest.approx(abs(error), rel=1e-9, abs=1e-9)


def test_nothing_behind_a_terminal_state_comes_through() -> None:
    reward, discount, value = torch.ones(2), torch.tensor([0.0, 0.5]), torch.tensor([torch.nan, 4.0])
    assert bootstrapped(reward, discount, value).tolist() == [1.0, 3.0]


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

    def test_large_errors_keep_a_gradient(self) -> None:
        """Clipping the error instead of its gradient would leave none."""
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
        class Counting(OneHot):
            def __init__(self) -> None:
                super().__init__(4)
                self.register_buffer("seen", torch.zeros(()))

            def forward(self, obs: torch.Tensor) -> torch.Tensor:
                self.seen = self.seen + len(obs)
                return super().forward(obs)

        def network() -> QNetwork:
            return QNetwork(Counting(), ActionStream(torch.nn.Linear, 4, A, 1, 0), ScalarHead("huber"))

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
        with pytest.raises(UsageError, match="the weights are of another network"):
            chain_parts().policy.load_state_dict(policy.state_dict())


class TestTorsos:
    def spaces(self, space: gymnasium.Space, stack: int = 1) -> Spaces:
        return Spaces(stacked_space(space, stack), gymnasium.spaces.Discrete(A), space, stack, "repeat", 1)

    def image(self, size: int, stack: int = 4) -> Spaces:
        return self.spaces(gymnasium.spaces.Box(0, 255, (size, size), np.uint8), stack)

    def test_the_chapters_network(self) -> None:
        """conv 32@8×8/4, 64@4×4/2, 64@3×3/1, flatten to 3136, linear 512, linear A."""
        torso = torso_for(self.image(84), ())()
        assert isinstance(torso, Convolutional)
        convs = [layer for layer in torso.layers if isinstance(layer, torch.nn.Conv2d)]
        assert tuple((c.out_channels, c.kernel_size[0], c.stride[0]) for c in convs) == NATURE
        assert torso.features == 3136
        network = QNetwork(torso, ActionStream(torch.nn.Linear, 3136, 6, 1, 512), ScalarHead("squared"))
        assert sum(parameter.numel() for parameter in network.parameters()) == 1_687_206
        assert network(torch.zeros(2, 4, 84, 84, dtype=torch.uint8)).values.shape == (2, 6)

    @pytest.mark.parametrize("size", [18, 36, 42, 63])
    def test_small_images_get_the_small_network(self, size: int) -> None:
        torso = torso_for(self.image(size), ())()
        assert tuple(layer.out_channels for layer in torso.layers if isinstance(layer, torch.nn.Conv2d)) == (16, 32, 32)
        assert len(SMALL) == 3
        assert torso(torch.zeros(2, 4, size, size, dtype=torch.uint8)).shape == (2, torso.features)

    def test_boards_get_the_network_of_minatar(self) -> None:
        """conv 16@3×3/1, flatten to 1024, linear 128, linear A: Young & Tian 2019 on Breakout's four channels."""
        torso = torso_for(self.spaces(gymnasium.spaces.Box(0, 255, (4, 10, 10), np.uint8)), ())()
        convs = [layer for layer in torso.layers if isinstance(layer, torch.nn.Conv2d)]
        assert tuple((c.out_channels, c.kernel_size[0], c.stride[0]) for c in convs) == TINY
        assert torso.features == 1024
        network = QNetwork(torso, ActionStream(torch.nn.Linear, 1024, A, 1, 128), ScalarHead("huber"))
        assert sum(parameter.numel() for parameter in network.parameters()) == 592 + 131_200 + 129 * A
        image = torch.randint(0, 256, (2, 4, 10, 10), dtype=torch.uint8)
        convolved = torch.nn.functional.conv2d(image / 255, convs[0].weight, convs[0].bias)
        assert torch.allclose(torso(image), convolved.clamp(min=0).flatten(1))

    @given(
        channels=st.integers(1, 7), height=st.integers(3, 70), width=st.integers(3, 70), axis=st.sampled_from([2, 3])
    )
    @settings(max_examples=40, deadline=None)
    def test_features_are_as_many_as_announced(self, channels: int, height: int, width: int, axis: int) -> None:
        shape = (channels, height, width)[3 - axis :]
        torso = torso_for(self.spaces(gymnasium.spaces.Box(0, 255, shape, np.uint8)), ())()
        assert torso(torch.zeros(2, *shape, dtype=torch.uint8)).shape == (2, torso.features)
        first = 16 if min(height, width) < 64 else 32
        assert torso.layers[0].out_channels == first
        assert (len(torso.layers) == 3) is (min(height, width) < 18)

    def test_which_observations_are_images(self) -> None:
        def box(*shape: int, dtype: type = np.uint8) -> gymnasium.Space:
            return gymnasium.spaces.Box(0, 255, shape, dtype)

        assert image_shape(box(5, 6)) == (1, 5, 6)
        assert image_shape(box(4, 5, 6)) == (4, 5, 6)
        others = (box(6), box(2, 4, 5, 6), box(4, 5, 6, dtype=np.float32), gymnasium.spaces.Discrete(3))
        assert [image_shape(space) for space in others] == [None] * 4

    def test_scaling_leaves_the_pixels_alone(self) -> None:
        image = torch.full((1, 5, 6), 255, dtype=torch.uint8)
        assert scaled(image).tolist() == [[[[pytest.approx(1.0)] * 6] * 5]]
        assert (image == 255).all()

    def test_pixels_are_scaled_once_and_in_the_torso(self) -> None:
        torso = torso_for(self.image(42), ())()
        seen: list[torch.Tensor] = []
        torso.layers[0].register_forward_hook(lambda module, given, result: seen.append(given[0].clone()))
        torso(torch.full((1, 4, 42, 42), 255, dtype=torch.uint8))
        torso(torch.full((1, 4, 42, 42), 51, dtype=torch.uint8))
        assert [(tensor.min().item(), tensor.max().item()) for tensor in seen] == [
            (pytest.approx(1.0), pytest.approx(1.0)),
            (pytest.approx(0.2), pytest.approx(0.2)),
        ]

    def test_other_observations(self) -> None:
        flat = torso_for(self.spaces(gymnasium.spaces.Box(-1, 1, (4,), np.float32)), (8, 5))()
        assert isinstance(flat, FullyConnected)
        assert flat(torch.zeros(2, 4)).shape == (2, 5)
        one_hot = torso_for(self.spaces(gymnasium.spaces.Discrete(4)), ())()
        assert one_hot(torch.tensor([2])).tolist() == [[0, 0, 1, 0]]
        single = torso_for(self.image(42, stack=1), ())()
        assert single(torch.zeros(2, 42, 42, dtype=torch.uint8)).shape == (2, single.features)

    @pytest.mark.parametrize("shape", [(2, 2), (4, 10, 2), (4, 42, 42, 3)])
    def test_images_that_no_torso_suits(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(UnsupportedSpace, match="at least 3 pixels"):
            torso_for(self.spaces(gymnasium.spaces.Box(0, 255, shape, np.uint8)), ())


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


def test_the_chapters_hyperparameters_are_in_force() -> None:
    flat = assemble("chapter,pong").config.flat()
    expected = {
        "learning.batch_size": 64,
        "exploration.start": 1.0,
        "exploration.final": 0.005,
        "exploration.shape": "exponential",
        "exploration.horizon": 100_000,
        "exploration.unit": "env_steps",
        "returns.gamma": 0.99,
        "learning.starts": 10_000,
        "learning.updates_per_step": 1.0,
        "dqn.learning_rate": 1e-4,
        "dqn.loss": "squared",
        "dqn.hidden": 512,
        "replay.capacity": 20_000,
        "run.episodes": 2_000,
        "run.num_envs": 1,
        "target.every": 1_000,
        "target.unit": "env_steps",
        "pong.size": 84,
        "pong.stack": 4,
        "pong.frame_skip": 4,
        "pong.actions": "minimal",
    }
    assert {key: flat[key] for key in expected} == expected


@pytest.mark.parametrize("names", ["dqn,chain,framework.testing", "dqn,double,chain,framework.testing"])
def test_a_linear_network_on_one_hot_states_is_the_table(names: str) -> None:
    """Within 0.02 of the exact Q* of the chain, in every state that is not an end."""
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
    """The fused optimiser walks weights and moments as they lie, and the weights of convolutions lie channels last."""
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
