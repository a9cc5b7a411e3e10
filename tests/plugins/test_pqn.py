"""PQN: λ-returns against brute force, and the rollout against the transitions that were added."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.assembly.assemble import assemble
from framework.assembly.configuration import configure
from framework.conformance.fixtures.batches import frames_of
from framework.conformance.fixtures.replay.plain_history import History
from framework.errors import UsageError
from framework.events import Callback
from framework.options import RunOptions
from framework.training.loop import Loop
from framework.types import Batch, Counters, Spaces, Step, TDErrors
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.options import DQNOptions
from plugins.pong import RECOMMENDED_FOR_PQN
from plugins.pqn import PQNOptions, Rollout, RolloutCadence, lambda_returns
from plugins.pqn.checks import mixture

GAMMA = 0.9


def brute_force(t: int, reward, discount, value, ended, lam: float) -> float:
    """(1 − λ) Σ_n λ^(n−1) G^(n), with the n-step returns of row t of one environment; the longest gets the rest."""
    horizon = t
    while horizon < len(reward) - 1 and not ended[horizon]:
        horizon += 1
    steps = horizon - t + 1
    returns = []
    for n in range(1, steps + 1):
        total, factor = 0.0, 1.0
        for k in range(t, t + n):
            total += factor * reward[k]
            factor *= GAMMA
        last = t + n - 1
        total += 0.0 if discount[last] == 0 else factor * value[last]
        returns.append(total)
    weights = [(1 - lam) * lam ** (n - 1) for n in range(1, steps)] + [lam ** (steps - 1)]
    return sum(weight * total for weight, total in zip(weights, returns, strict=True))


def recursion(lane, reward, discount, value, ended, lam: float) -> np.ndarray:
    """G_t = r_t + γ · [(1 − λ) · V_{t+1} + λ · G_{t+1}], one transition after the other."""
    returns = reward + np.where(discount == 0, 0.0, discount * value)
    following: dict[int, int] = {}
    for row in range(len(lane) - 1, -1, -1):
        after = following.get(int(lane[row]))
        if after is not None and not ended[row]:
            returns[row] += discount[row] * lam * (returns[after] - value[row])
        following[int(lane[row])] = row
    return returns


@st.composite
def rollouts(draw: st.DrawFn):
    """Rows of several environments in turn: (lane, reward, discount, value, ended)."""
    lanes, rows = draw(st.integers(1, 3)), draw(st.integers(1, 12))
    lane = [draw(st.integers(0, lanes - 1)) for _ in range(rows)]
    number = st.floats(-5, 5)
    reward = [draw(number) for _ in range(rows)]
    end = [draw(st.sampled_from(["no", "no", "terminated", "truncated"])) for _ in range(rows)]
    value = [float("nan") if kind == "terminated" and draw(st.booleans()) else draw(number) for kind in end]
    discount = [0.0 if kind == "terminated" else GAMMA for kind in end]
    return (
        np.array(lane),
        np.array(reward),
        np.array(discount),
        np.array(value),
        np.array([kind != "no" for kind in end]),
    )


@given(rollout=rollouts(), lam=st.sampled_from([0.0, 0.3, 0.65, 1.0]))
def test_lambda_returns_are_the_mixture_of_all_n_step_returns(rollout, lam: float) -> None:
    lane, *arrays = rollout
    found = lambda_returns(lane, *arrays, lam)
    for environment in set(lane.tolist()):
        rows = np.flatnonzero(lane == environment)
        own = [array[rows] for array in arrays]
        for t, row in enumerate(rows):
            assert found[row] == pytest.approx(brute_force(t, *own, lam), rel=1e-9, abs=1e-9)


@settings(max_examples=300)
@given(rollout=rollouts(), lam=st.floats(0, 1))
def test_lambda_returns_are_those_of_the_recursion_to_the_bit(rollout, lam: float) -> None:
    """Whatever the lengths of the lanes, and whatever their numbers."""
    lane, *arrays = rollout
    assert np.array_equal(lambda_returns(lane, *arrays, lam), recursion(lane, *arrays, lam))
    assert np.array_equal(lambda_returns(7 - 3 * lane, *arrays, lam), recursion(lane, *arrays, lam))


def test_no_transitions_have_no_lambda_returns() -> None:
    numbers = np.empty(0)
    assert len(lambda_returns(np.empty(0, np.int64), numbers, numbers, numbers, np.empty(0, np.bool_), 0.5)) == 0


@given(rollout=rollouts())
def test_lambda_0_is_one_step(rollout) -> None:
    lane, reward, discount, value, ended = rollout
    expected = reward + np.where(discount == 0, 0, discount * value)
    assert np.array_equal(lambda_returns(lane, reward, discount, value, ended, 0.0), expected)


def worth(obs: np.ndarray) -> np.ndarray:
    """Action values that tell states apart: Q(s, ·) = (s, s / 2)."""
    return np.stack([obs * 1.0, obs / 2], axis=1)


def test_it_bootstraps_from_the_online_network_in_evaluation_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never from the average, although the average acts where nothing is explored."""
    asked: list[tuple[object, bool]] = []

    def values_of(self: DQNPolicy, network: Any, obs: np.ndarray) -> np.ndarray:
        asked.append((network, network.training))
        return worth(obs)

    monkeypatch.setattr(DQNPolicy, "values_of", values_of)
    parts = assemble("pqn,averaging,chain")
    parts.buffer._values(np.arange(3))  # type: ignore[attr-defined]  # a rollout's
    policy: Any = parts.policy
    assert asked == [(policy.online, False)]


def spaces(num_envs: int) -> Spaces:
    space = gymnasium.spaces.Discrete(10_000)
    return Spaces(space, gymnasium.spaces.Discrete(2), space, 1, "repeat", num_envs)


@settings(max_examples=60)
@given(
    num_envs=st.integers(1, 3), rounds=st.integers(1, 3), epochs=st.integers(1, 3), lam=st.floats(0, 1), data=st.data()
)
def test_a_rollout_gives_every_transition_once_an_epoch_with_its_return(num_envs, rounds, epochs, lam, data) -> None:
    """For every kind of end, and also if environments miss steps, as those that reset themselves do."""
    options = PQNOptions(rollout=4, lam=lam, epochs=epochs, minibatches=2)
    generator = np.random.default_rng(0)
    rollout = Rollout(spaces(num_envs), worth, options, GAMMA, generator)
    state, first, resting = np.zeros(num_envs, np.int64), np.ones(num_envs, bool), np.zeros(num_envs, bool)
    number = 0
    for _ in range(rounds):
        rows: list[tuple[int, int, float, bool, bool, int]] = []
        while len(rows) < 4 * num_envs:
            ids = np.flatnonzero(~resting)
            resting[:] = False
            if not len(ids):
                continue
            kinds = [data.draw(st.sampled_from(["no", "no", "terminated", "truncated"])) for _ in ids]
            terminated = np.array([kind == "terminated" for kind in kinds])
            truncated = np.array([kind == "truncated" for kind in kinds])
            number += 1
            following = number * 10 + ids
            step = Step(
                env_id=ids,
                first=first[ids].copy(),
                obs=state[ids].copy(),
                action=ids % 2,
                reward=number + ids * 0.1,
                raw_reward=number + ids * 0.1,
                terminated=terminated,
                truncated=truncated,
                next_obs=following,
            )
            rollout.add(step)
            rows += zip(ids, state[ids], step.reward, terminated, truncated, following, strict=True)
            first[ids] = step.ended
            state[ids] = np.where(step.ended, number * 10 + 5, following)
            resting[ids] = step.ended & data.draw(st.booleans())
        lane, obs, reward, terminated, truncated, following = (np.array(column) for column in zip(*rows, strict=True))
        returns = lambda_returns(
            lane, reward, np.where(terminated, 0, GAMMA), following * 1.0, terminated | truncated, lam
        )
        expected = sorted(zip(obs.tolist(), returns.tolist(), strict=True))
        for _ in range(epochs):
            batches = [rollout.sample(99, Counters()) for _ in range(2)]
            assert abs(len(batches[0]) - len(batches[1])) <= 1
            found = [pair for batch in batches for pair in zip(batch.obs.tolist(), batch.reward.tolist(), strict=True)]
            assert np.allclose(sorted(found), expected)
            assert all((batch.discount == 0).all() and (batch.weights == 1).all() for batch in batches)
        assert len(rollout) == 0


@given(num_envs=st.integers(1, 5), rollout=st.integers(1, 9), steps=st.integers(0, 300))
def test_updates_are_due_when_every_environment_has_made_a_rollout(num_envs: int, rollout: int, steps: int) -> None:
    cadence = RolloutCadence(4, rollout * num_envs, 6)
    assert cadence.due(Counters(env_steps=steps * num_envs)) == steps // rollout * 6


@given(
    num_envs=st.integers(1, 5),
    rollout=st.integers(1, 9),
    updates=st.integers(1, 20),
    missed=st.lists(st.integers(0, 4)),
)
def test_an_overlapped_round_is_over_when_the_next_rollout_is_whole(num_envs, rollout, updates, missed) -> None:
    """Also if environments miss steps: the loop asks with the counters from before each step."""
    steps = rollout * num_envs
    cadence = RolloutCadence(4, steps, updates, overlap=True, num_envs=num_envs)
    collected, dues = 0, [0]
    for lost in [*missed, *[0] * (3 * rollout)]:
        dues.append(cadence.due(Counters(env_steps=collected)))
        before, collected = collected // steps, collected + max(0, num_envs - lost)
        if collected // steps > before:
            assert dues[-1] >= before * updates
    most = -(-updates // rollout)
    assert all(0 <= after - before <= most for before, after in pairwise(dues))


@pytest.mark.parametrize(("epochs", "minibatches"), [(1, 1), (2, 3), (4, 8)])
def test_with_overlap_the_loop_learns_each_rollout_during_the_next(epochs: int, minibatches: int) -> None:
    options = {"rollout": 8, "epochs": epochs, "minibatches": minibatches, "overlap": True}
    values = {f"pqn.{name}": value for name, value in options.items()}
    parts = assemble("pqn,chain,framework.testing", {"run.steps": 320, "run.num_envs": 4, **values})
    spy = Spy()
    Loop(parts, [spy]).run()
    assert parts.cadence.overlap
    updates = epochs * minibatches
    # 320 steps are ten rollouts, and nine rounds are over when the last one is whole
    assert len(spy.learnt) == 9 * updates
    for number in range(9):
        learnt = np.concatenate(spy.learnt[number * updates : (number + 1) * updates])
        assert len(learnt) == epochs * 32
        assert set(learnt.tolist()) == set(spy.collected[number * 32 : (number + 1) * 32])
    # the updates come evenly, from the first step of the next rollout to its last
    assert spy.steps == [
        32 + 4 * ((k + 1) * 8 // updates + ((k + 1) * 8 % updates > 0)) - 4 for k in range(9 * updates)
    ]


class Spy(Callback):
    """Notes the ids of all transitions in the order in which they were collected, and those of each update."""

    def __init__(self) -> None:
        self.collected: list[int] = []
        self.learnt: list[np.ndarray] = []
        self.steps: list[int] = []
        self._place = np.zeros(4, np.int64)

    def on_step(self, step: Step, counters: Counters) -> None:
        # an episode has one more frame than steps
        self.collected += (self._place[step.env_id] * 4 + step.env_id).tolist()
        self._place[step.env_id] += 1 + step.ended

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        self.learnt.append(batch.ids)
        self.steps.append(counters.env_steps)


def test_without_overlap_nothing_is_collected_during_a_round() -> None:
    parts = assemble("pqn,chain", {"run.steps": 320, "run.num_envs": 4})
    spy = Spy()
    Loop(parts, [spy]).run()
    assert not parts.cadence.overlap
    assert set(spy.steps) == set(range(32, 321, 32))


def test_it_is_a_bundle_of_dqn_and_layer_norm_without_replay_and_target() -> None:
    parts = assemble("pqn,chain")
    assert parts.filled["make_policy"] == "dqn"
    assert {parts.filled[slot] for slot in ("make_buffer", "make_loss", "make_target_sync", "make_cadence")} == {"pqn"}
    assert parts.returns is None and parts.sampler is None
    assert any(type(module).__name__ == "LayerNorm" for module in parts.policy.online.modules())
    plain = assemble("pqn,no:layer_norm,chain")
    assert not any(type(module).__name__ == "LayerNorm" for module in plain.policy.online.modules())


def test_its_values_are_recommended_except_the_number_of_games_on_pong() -> None:
    _, chain, _ = configure("pqn,chain")
    assert (chain[RunOptions].num_envs, chain[DQNOptions].loss, chain[DQNOptions].learning_rate) == (
        16,
        "squared",
        5e-4,
    )
    _, pong, _ = configure("pqn,pong")
    assert pong[RunOptions].num_envs == RECOMMENDED_FOR_PQN["run.num_envs"] != 16


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("pqn,nstep,chain", "nstep fills make_returns, which pqn provides itself: keep one"),
        ("pqn,per,chain", "per fills make_sampler, which pqn provides itself: keep one"),
        ("pqn,polyak,chain", "polyak and pqn both provide make_target_sync: keep one"),
        ("pqn,double,chain", "double fills dqn_bootstrap, which nothing here uses: drop double"),
    ],
)
def test_what_it_does_not_use_is_refused(names: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        assemble(names)
    assert list(caught.value.problems) == [message]


def test_too_many_minibatches() -> None:
    with pytest.raises(UsageError, match="9 is too large for rollouts of 4 steps in 2 environments"):
        assemble("pqn,chain", {"pqn.minibatches": 9, "pqn.rollout": 4, "run.num_envs": 2})


@pytest.mark.parametrize("names", ["pqn", "pqn,dueling,noisy", "pqn,c51", "pqn,qr", "pqn,iqn"])
def test_it_trains_with_other_networks_and_heads(names: str) -> None:
    parts = assemble(f"{names},chain,framework.testing", {"run.steps": 1100, "run.num_envs": 4})
    Loop(parts).run()
    assert parts.counters.updates == parts.cadence.due(parts.counters) > 0
    assert np.isfinite(parts.policy.action_values(np.arange(5), explore=False)).all()


def test_a_rollout_goes_on_where_it_was_saved() -> None:
    def parts_after(steps: int):
        parts = assemble("pqn,chain", {"run.steps": steps, "run.num_envs": 2, "pqn.rollout": 16})
        Loop(parts).run()
        return parts

    first = parts_after(40)
    saved = first.buffer.state_dict()
    second = assemble("pqn,chain", {"run.num_envs": 2, "pqn.rollout": 16, "run.seed": 5})
    second.policy.load_state_dict(first.policy.state_dict())
    second.buffer.load_state_dict(saved)
    assert len(second.buffer) == len(first.buffer) == 8
    one, other = (parts.buffer.sample(99, Counters()) for parts in (first, second))
    assert np.array_equal(one.ids, other.ids)
    assert np.array_equal(one.reward, other.reward)


@given(steps=st.integers(8, 60), rollout=st.integers(2, 6), epochs=st.integers(1, 3), minibatches=st.integers(1, 3))
@settings(max_examples=15)
def test_an_overlapped_round_goes_on_where_it_was_saved(
    steps: int, rollout: int, epochs: int, minibatches: int
) -> None:
    values = {"pqn.rollout": rollout, "pqn.epochs": epochs, "pqn.minibatches": minibatches, "pqn.overlap": True}
    one, other = (assemble("pqn,chain", {"run.steps": 2 * steps, "run.num_envs": 2, **values}) for _ in range(2))
    Loop(one).run()
    other.buffer.load_state_dict(one.buffer.state_dict())
    other.policy.load_state_dict(one.policy.state_dict())
    assert len(other.buffer) == len(one.buffer)
    while len(one.buffer):
        batch, again = (parts.buffer.sample(99, Counters()) for parts in (one, other))
        for name in ("ids", "obs", "action", "reward", "discount", "weights", "next_obs", "next_action"):
            np.testing.assert_array_equal(getattr(batch, name), getattr(again, name))
    assert len(other.buffer) == 0


def test_the_state_holds_the_transitions_of_a_round_once() -> None:
    values = {"pqn.rollout": 8, "pqn.epochs": 4, "pqn.minibatches": 2, "pqn.overlap": True}
    parts = assemble("pqn,chain", {"run.steps": 36, "run.num_envs": 4, **values})
    Loop(parts).run()
    parts.buffer.sample(99, Counters())
    state: Any = parts.buffer.state_dict()
    assert len(state["round"]["obs"]) == 32
    assert state["minibatches"].tolist() == [16] * 6  # of eight, the loop has learnt one
    assert len(parts.buffer) == len(state["rows"]) == 6 * 16


def test_the_mixture_is_worked_out_by_hand() -> None:
    history = History(frames_of((2, 3), np.int64, 1, 1, padding="repeat"))
    for signs in (".", "u"):
        history.step(signs)
    steps = history.made[0]
    one, two = 2 + 0.5 * 2**2, 2 + 0.5 * 3 + 0.25 * 3**2
    assert mixture(steps, 0.25) == 0.75 * one + 0.25 * two
    assert mixture(steps, 0.0) == one
    assert mixture(steps, 1.0) == two
