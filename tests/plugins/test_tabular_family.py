"""SARSA, expected SARSA and double Q-learning: each against a hand-written loop, and against Q-learning."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from envs.chain import ChainEnv
from envs.grid import GridEnv
from framework.assembly.assemble import assemble
from framework.assembly.discovery import resolve
from framework.assembly.parts import Parts
from framework.defaults.exploration import EpsilonGreedy
from framework.defaults.schedules import linear
from framework.errors import UsageError
from framework.replay.returns import NStepReturns
from framework.seeding import Seeds
from framework.testing import enforce
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Batch, Counters, Loss, Optimizer, Policy, TDErrors
from plugins.double_q import DoubleQLearning, TwoTables
from plugins.expected_sarsa import ExpectedSarsa
from plugins.sarsa import Sarsa
from plugins.tabular import Assignment, QLearning, QTable

RANDOM_MDP = str(Path(__file__).parents[1] / "stand_ins" / "random_mdp.py")
STEPS = 60
GAMMA, RATE = 0.9, 0.3

# ── Whole runs, bit for bit ──────────────────────────────────────────────────────────────────────

settings_of_runs = settings(max_examples=25, deadline=None)
seeds_of_runs = st.integers(0, 2**32)
limits = st.integers(0, 6)


def run(names: str, seed: int, max_steps: int, num_envs: int = 1, **more: Any) -> Parts:
    """STEPS steps in a random process, with ε falling from 1 to 0.1 and α = RATE."""
    values = {
        "run.steps": STEPS,
        "run.seed": seed,
        "run.num_envs": num_envs,
        "random_mdp.seed": seed,
        "random_mdp.max_steps": max_steps,
        "random_mdp.actions": 3,
        "returns.gamma": GAMMA,
        "tabular.learning_rate": RATE,
        "exploration.final": 0.1,
        "exploration.horizon": 40,
        **more,
    }
    parts = assemble([*names.split(","), RANDOM_MDP, "framework.testing"], values)
    Loop(parts).run()
    return parts


class Walk:
    """The same run's environments and random streams, for loops that are written out in plain Python."""

    def __init__(self, seed: int, max_steps: int) -> None:
        plugin: Any = resolve(RANDOM_MDP)[1]
        self.options = plugin.RandomMDPOptions(seed=seed, max_steps=max_steps, actions=3)
        self.make = lambda: plugin.make(self.options)
        self.seeds = Seeds(seed)
        self.generator = self.seeds.generator("exploration")
        self.table = [[0.0] * 3 for _ in range(self.options.states)]

    def reset(self, env: Any, env_id: int, episode: int) -> int:
        return int(env.reset(seed=self.seeds.episode("train", env_id, episode))[0])

    def epsilon(self, t: int) -> float:
        return linear(1.0, 0.1, 40, t)

    def act(self, values: list[float], t: int) -> int:
        draw, epsilon = self.generator.random(), self.epsilon(t)
        return min(int(draw / epsilon * 3), 2) if draw < epsilon else values.index(max(values))

    def expectation(self, state: int, t: int) -> float:
        values, epsilon = self.table[state], self.epsilon(t)
        greedy = values.index(max(values))
        total = 0.0
        for action, value in enumerate(values):
            total += (epsilon / 3 + (1 - epsilon if action == greedy else 0.0)) * value
        return total


def move(row: list[float], action: int, target: float) -> None:
    row[action] = (1 - RATE) * row[action] + RATE * target


def textbook_sarsa(walk: Walk) -> list[list[float]]:
    """Sutton & Barto 2018, section 6.4, with truncation. A last transition without its next action is not learnt."""
    env, table, t, episode = walk.make(), walk.table, 0, 0
    while True:
        state = walk.reset(env, 0, episode)
        action = walk.act(table[state], t)
        ended = False
        while not ended:
            successor, reward, terminated, truncated, _ = env.step(action)
            t, ended = t + 1, terminated or truncated
            if terminated:
                move(table[state], action, reward)
            elif truncated:
                move(table[state], action, reward + GAMMA * walk.expectation(int(successor), t))
            elif t < STEPS:
                following = walk.act(table[successor], t)
                move(table[state], action, reward + GAMMA * table[successor][following])
                state, action = int(successor), following
            if t == STEPS:
                return table
        episode += 1


@settings_of_runs
@given(seed=seeds_of_runs, max_steps=limits)
def test_sarsa_is_the_textbooks_to_the_last_bit(seed: int, max_steps: int) -> None:
    parts = run("tabular,sarsa", seed, max_steps)
    assert parts.policy.table.tolist() == textbook_sarsa(Walk(seed, max_steps))


def n_step_sarsa(walk: Walk, num_envs: int, n: int) -> list[list[float]]:
    """Sutton & Barto 2018, section 7.2, in environments side by side: all act, then each learns what it can."""
    envs, table, t = [walk.make() for _ in range(num_envs)], walk.table, 0
    episodes, done = [0] * num_envs, [0] * num_envs
    histories: list[list[tuple[int, int, float]]] = [[] for _ in envs]
    states = [walk.reset(env, env_id, 0) for env_id, env in enumerate(envs)]
    returns = NStepReturns(GAMMA, n)
    while t < STEPS:
        actions = [walk.act(table[state], t) for state in states]
        ends = []
        for env_id, env in enumerate(envs):
            successor, reward, terminated, truncated, _ = env.step(actions[env_id])
            histories[env_id].append((states[env_id], actions[env_id], reward))
            states[env_id] = int(successor)
            ends.append((terminated, truncated))
        t += num_envs
        for env_id, env in enumerate(envs):
            history, (terminated, truncated) = histories[env_id], ends[env_id]
            last = len(history) if terminated or truncated else len(history) - n
            for start in range(done[env_id], last):
                window = [reward for _, _, reward in history[start : start + n]]
                padded = np.array([window + [0.0] * (n - len(window))])
                target = float(returns.fold(padded, padded != padded, padded != padded)[0][0])
                if start + n < len(history):
                    state, action, _ = history[start + n]
                    target += GAMMA**n * table[state][action]
                elif not terminated:
                    target += float(np.float64(GAMMA) ** len(window)) * walk.expectation(states[env_id], t)
                move(table[history[start][0]], history[start][1], target)
            done[env_id] = max(done[env_id], last)
            if terminated or truncated:
                episodes[env_id] += 1
                histories[env_id], done[env_id] = [], 0
                states[env_id] = walk.reset(env, env_id, episodes[env_id])
    return table


@settings_of_runs
@given(seed=seeds_of_runs, max_steps=limits, num_envs=st.integers(1, 4), n=st.integers(1, 4))
def test_with_nstep_and_several_environments_it_is_n_step_sarsa(
    seed: int, max_steps: int, num_envs: int, n: int
) -> None:
    parts = run("tabular,sarsa,nstep", seed, max_steps, num_envs, **{"nstep.n": n})
    assert parts.policy.table.tolist() == n_step_sarsa(Walk(seed, max_steps), num_envs, n)


@settings_of_runs
@given(seed=seeds_of_runs, max_steps=limits)
def test_double_q_is_algorithm_1_to_the_last_bit(seed: int, max_steps: int) -> None:
    walk = Walk(seed, max_steps)
    coin = walk.seeds.generator("double_q")
    tables = [[[0.0] * 3 for _ in range(walk.options.states)] for _ in range(2)]
    env, episode = walk.make(), 0
    state = walk.reset(env, 0, 0)
    for t in range(STEPS):
        action = walk.act([(a + b) / 2 for a, b in zip(tables[0][state], tables[1][state], strict=True)], t)
        successor, reward, terminated, truncated, _ = env.step(action)
        first = 1 if coin.random() < 0.5 else 0
        best = tables[first][successor].index(max(tables[first][successor]))
        bootstrap = 0.0 if terminated else GAMMA * tables[1 - first][successor][best]
        move(tables[first][state], action, reward + bootstrap)
        state = int(successor)
        if terminated or truncated:
            episode += 1
            state = walk.reset(env, 0, episode)
    assert run("tabular,double_q", seed, max_steps).policy.table.tolist() == tables


@settings_of_runs
@given(seed=seeds_of_runs, max_steps=limits, num_envs=st.integers(1, 3))
def test_expected_sarsa_without_exploration_is_q_learning(seed: int, max_steps: int, num_envs: int) -> None:
    greedy = {"exploration.start": 0.0, "exploration.final": 0.0}
    expected, plain = (
        run(names, seed, max_steps, num_envs, **greedy) for names in ("tabular,expected_sarsa", "tabular")
    )
    assert np.array_equal(expected.policy.table, plain.policy.table)


# ── Losses, on any batch ─────────────────────────────────────────────────────────────────────────

S, A, B = 5, 3, 7
NOW = Counters()
values = st.floats(-1e3, 1e3)
tables = hnp.arrays(np.float64, (S, A), elements=values)


def batch_of(
    obs: np.ndarray,
    action: np.ndarray,
    reward: np.ndarray,
    discount: np.ndarray,
    after: np.ndarray,
    following: np.ndarray | None = None,
) -> Batch:
    return Batch(
        ids=np.arange(len(obs)),
        obs=obs,
        action=action,
        reward=reward,
        discount=discount,
        weights=np.ones(len(obs)),
        read_next_obs=lambda: after,
        read_next_action=lambda: np.full(len(obs), -1) if following is None else following,
    )


def indices(n: int, start: int = 0) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.int64, B, elements=st.integers(start, n - 1))


batches = st.builds(
    batch_of,
    obs=indices(S),
    action=indices(A),
    reward=hnp.arrays(np.float64, B, elements=values),
    discount=hnp.arrays(np.float64, B, elements=st.sampled_from([0.0, 0.9, 1.0])),
    after=indices(S),
    following=indices(A, start=-1),
)


def policy_with(table: np.ndarray) -> QTable:
    policy = QTable(S, A, 0.0)
    policy.load_state_dict({"table": table})
    return policy


def greedy_with(epsilon: float) -> EpsilonGreedy:
    return EpsilonGreedy(lambda counters: epsilon, np.random.default_rng(0))


def targets(errors: TDErrors) -> list[float]:
    return errors.update[1].tolist()


@given(table=tables, batch=batches, epsilon=st.floats(0, 1))
def test_expected_sarsa_is_its_equation(table: np.ndarray, batch: Batch, epsilon: float) -> None:
    errors = enforce(ExpectedSarsa(policy_with(table), greedy_with(epsilon)), Loss)(batch, NOW)
    for row, found in enumerate(targets(errors)):
        after = table[batch.next_obs[row]].tolist()
        best = after.index(max(after))
        mean = sum((epsilon / A + (1 - epsilon) * (a == best)) * value for a, value in enumerate(after))
        assert found == pytest.approx(batch.reward[row] + batch.discount[row] * mean, rel=1e-12, abs=1e-9)
        error = found - table[batch.obs[row], batch.action[row]]
        assert (errors.loss[row], errors.priority[row]) == (error * error, abs(error))


@given(table=tables, batch=batches, epsilon=st.floats(0, 1))
def test_sarsa_takes_the_next_action_where_it_is_known_and_the_expectation_elsewhere(
    table: np.ndarray, batch: Batch, epsilon: float
) -> None:
    policy, exploration = policy_with(table), greedy_with(epsilon)
    found = targets(enforce(Sarsa(policy, exploration), Loss)(batch, NOW))
    expected = targets(ExpectedSarsa(policy, exploration)(batch, NOW))
    for row, action in enumerate(batch.next_action):
        taken = batch.reward[row] + batch.discount[row] * table[batch.next_obs[row], action]
        assert found[row] == (expected[row] if action < 0 else taken)


@given(table=tables, batch=batches)
def test_a_greedy_sarsa_and_a_greedy_expectation_are_q_learning(table: np.ndarray, batch: Batch) -> None:
    policy, exploration = policy_with(table), greedy_with(0.0)
    greedy = exploration.choose(policy.action_values(batch.next_obs, explore=True), batch.next_obs, NOW)
    following = np.where(batch.next_action < 0, -1, greedy)
    greedy_batch = batch_of(batch.obs, batch.action, batch.reward, batch.discount, batch.next_obs, following)
    expected = targets(QLearning(policy)(batch, NOW))
    assert targets(Sarsa(policy, exploration)(greedy_batch, NOW)) == expected
    assert targets(ExpectedSarsa(policy, exploration)(greedy_batch, NOW)) == expected


@pytest.mark.parametrize("loss", [ExpectedSarsa, Sarsa])
def test_nothing_behind_a_terminal_state_comes_through(loss: type[ExpectedSarsa | Sarsa]) -> None:
    policy = QTable(2, 2, 0.0)
    policy.table[1] = np.nan
    batch = batch_of(np.array([0]), np.array([0]), np.array([2.0]), np.array([0.0]), np.array([1]))
    assert targets(loss(policy, greedy_with(0.5))(batch, NOW)) == [2.0]


# ── Double Q-learning ────────────────────────────────────────────────────────────────────────────


def two_tables(pair: np.ndarray) -> TwoTables:
    policy = enforce(TwoTables(*pair.shape[1:], 0.0), Policy)
    policy.load_state_dict({"table": pair})
    return policy


def double(policy: TwoTables, seed: int) -> DoubleQLearning:
    return enforce(DoubleQLearning(policy, np.random.default_rng(seed)), Loss)


@given(
    pair=hnp.arrays(np.float64, (2, S, A), elements=values), batch=batches, rate=st.floats(0.01, 1), seed=seeds_of_runs
)
def test_double_q_moves_one_table_towards_the_other_tables_value(
    pair: np.ndarray, batch: Batch, rate: float, seed: int
) -> None:
    policy = two_tables(pair)
    errors = double(policy, seed)(batch, NOW)
    assert np.array_equal(policy.table, pair), "a loss changes nothing"
    enforce(Assignment(policy, rate), Optimizer).apply(batch, errors)
    coin, expected = np.random.default_rng(seed), pair.copy()
    for row in range(B):
        selects = int(coin.random() < 0.5)
        state, action, after = batch.obs[row], batch.action[row], batch.next_obs[row]
        best = pair[selects, after].tolist().index(max(pair[selects, after]))
        target = batch.reward[row] + batch.discount[row] * pair[1 - selects, after, best]
        old = expected[selects, state, action]
        expected[selects, state, action] = (1 - rate) * old + rate * target
    assert np.array_equal(policy.table, expected)


@given(table=tables, batch=batches, seed=seeds_of_runs)
def test_double_q_with_equal_tables_has_q_learnings_targets_and_actions(
    table: np.ndarray, batch: Batch, seed: int
) -> None:
    policy = two_tables(np.stack([table, table]))
    errors, plain = double(policy, seed)(batch, NOW), QLearning(policy_with(table))(batch, NOW)
    assert targets(errors) == targets(plain)
    assert np.array_equal(errors.priority, plain.priority)
    assert np.array_equal(policy.action_values(batch.obs, explore=False), table[batch.obs])


@given(pair=hnp.arrays(np.float64, (2, S, A), elements=st.integers(-9, 9).map(float)))
def test_the_greedy_action_is_that_of_the_sum(pair: np.ndarray) -> None:
    acting = two_tables(pair).action_values(np.arange(S), explore=True)
    assert np.array_equal(acting.argmax(axis=1), (pair[0] + pair[1]).argmax(axis=1))


def test_the_coin_is_fair() -> None:
    """20 000 tosses; 5 standard errors are exceeded with probability below 1e-6."""
    n = 20_000
    zeros = np.zeros(n, np.int64)
    batch = batch_of(zeros, zeros, np.zeros(n), np.zeros(n), zeros)
    selects = double(TwoTables(1, 1, 0.0), 0)(batch, NOW).update[0][0]
    assert abs(selects.mean() - 0.5) < 5 * 0.5 / math.sqrt(n)


def test_q_learning_overestimates_where_double_q_does_not() -> None:
    """Sutton & Barto 2018, example 6.7, 400 times over: a step into a state whose 10 actions pay N(0, 1) and end.

    The step is worth 0. Each pair is tried 10 times with α = 0.1. What max_a makes of the noise is 0 for double
    Q-learning, whose two tables see different rewards, and clearly more for Q-learning.
    """
    copies, actions = 400, 10
    rng = np.random.default_rng(0)
    lower = np.repeat(np.arange(copies), actions)
    arms = np.tile(np.arange(actions), copies)
    upper = copies + np.arange(copies)
    first = np.zeros(copies, np.int64)

    def estimates(policy: QTable | TwoTables, loss: Loss) -> np.ndarray:
        """What one more step into the lower state would be taken to be worth, of each copy."""
        optimizer = Assignment(policy, 0.1)
        for _ in range(10):
            pulls = batch_of(lower, arms, rng.normal(size=len(arms)), np.zeros(len(arms)), lower)
            optimizer.apply(pulls, loss(pulls, NOW))
        step = batch_of(upper, first, np.zeros(copies), np.ones(copies), np.arange(copies))
        return loss(step, NOW).update[1]

    single = QTable(2 * copies, actions, 0.0)
    plain = estimates(single, QLearning(single))
    pair = TwoTables(2 * copies, actions, 0.0)
    doubled = estimates(pair, DoubleQLearning(pair, np.random.default_rng(1)))
    error = doubled.std() / math.sqrt(copies)
    assert abs(doubled.mean()) < 4 * error
    assert plain.mean() > 0.25 > 10 * error


@pytest.mark.parametrize("names", ["tabular,sarsa", "tabular,expected_sarsa", "tabular,double_q"])
def test_saved_parts_go_on_identically(names: str) -> None:
    first, second = run(names, 1, 5), run(names, 2, 5)
    for name in ("policy", "loss", "exploration"):
        part = getattr(first, name)
        if hasattr(part, "state_dict"):
            getattr(second, name).load_state_dict(part.state_dict())
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, other = rng.integers(4, size=(2, 8)), rng.integers(3, size=(2, 8))
        batch = batch_of(one[0], other[0], rng.normal(size=8), np.full(8, 0.9), one[1], other[1])
        actions = []
        for parts in (first, second):
            parts.optimizer.apply(batch, parts.loss(batch, NOW))
            chosen = parts.exploration.choose(parts.policy.action_values(one[0], True), one[0], NOW)
            actions.append(chosen.tolist())
        assert actions[0] == actions[1]
    assert np.array_equal(first.policy.table, second.policy.table)


def test_weights_of_another_size_are_refused() -> None:
    with pytest.raises(UsageError, match="the weights are no two tables of 5 states and 3 actions"):
        TwoTables(S, A, 0.0).load_state_dict({"table": np.zeros((S, A))})


# ── Compositions ─────────────────────────────────────────────────────────────────────────────────

OF_ANOTHER_FAMILY = (
    "{0} learns the Q-table of 'tabular', and dqn makes a DQNPolicy: name tabular in place of dqn, or drop {0}"
)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ("dqn,sarsa,chain", OF_ANOTHER_FAMILY.format("sarsa")),
        ("dqn,expected_sarsa,chain", OF_ANOTHER_FAMILY.format("expected_sarsa")),
        ("dqn,double_q,chain", "double_q extends 'tabular': add tabular"),
        ("sarsa,chain", "nothing provides make_policy or make_optimizer: add dqn or tabular"),
        ("double_q,chain", "nothing provides make_optimizer: add dqn or tabular"),
        ("tabular,sarsa,double_q,chain", "double_q and sarsa both provide make_loss: keep one"),
        ("tabular,sarsa,expected_sarsa,chain", "expected_sarsa and sarsa both provide make_loss: keep one"),
    ],
)
def test_what_does_not_go_together_is_named(names: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        assemble(names, {"run.steps": 1})
    assert caught.value.problems == (problem,)


def test_who_fills_what() -> None:
    double_q, sarsa = assemble("tabular,double_q,chain"), assemble("tabular,sarsa,nstep,chain")
    assert {slot for slot, plugin in double_q.filled.items() if plugin == "double_q"} == {"make_policy", "make_loss"}
    assert sarsa.filled["make_returns"] == "nstep"
    assert sarsa.returns is not None
    assert sarsa.returns.horizon == 3 + 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("env", "model", "steps"), [("chain", ChainEnv(), 1_000), ("grid", GridEnv(), 12_000)])
@pytest.mark.parametrize("name", ["sarsa", "expected_sarsa", "double_q"])
def test_it_finds_the_optimal_policy(name: str, env: str, model: ChainEnv | GridEnv, steps: int, seed: int) -> None:
    """With every option at its default, in the environment's own number of episodes and at most `steps` steps."""
    parts = assemble(f"tabular,{name},{env}", {"run.seed": seed})
    Loop(parts).run()
    assert parts.counters.env_steps <= steps
    exact = model.q_star(0.9)
    best = evaluate(parts, epsilon=0.0, episodes=1)
    start = 2 if env == "chain" else 8
    assert 0.9 ** (best.lengths[0] - 1) * best.returns[0] == pytest.approx(exact[start].max())
