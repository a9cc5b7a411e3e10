"""SARSA against loops in plain Python, against its equation, and against Q-learning."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.assemble import assemble
from framework.replay.returns import NStepReturns
from framework.testing import enforce
from framework.types import Batch, Loss
from plugins.expected_sarsa import ExpectedSarsa
from plugins.sarsa import Sarsa
from plugins.tabular import QLearning
from tests.plugins.tabular_runs import (
    GAMMA,
    NOW,
    STEPS,
    PlainRun,
    batch_of,
    batches,
    greedy_with,
    limits,
    move,
    policy_with,
    run,
    seeds_of_runs,
    settings_of_runs,
    tables,
    targets,
)


def textbook_sarsa(walk: PlainRun) -> list[list[float]]:
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
    assert parts.policy.table.tolist() == textbook_sarsa(PlainRun(seed, max_steps))


def n_step_sarsa(walk: PlainRun, num_envs: int, n: int) -> list[list[float]]:
    """Sutton & Barto 2018, section 7.2, in several environments: all of them act, then each learns what it can."""
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
    assert parts.policy.table.tolist() == n_step_sarsa(PlainRun(seed, max_steps), num_envs, n)


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


def test_with_nstep_its_windows_are_one_step_longer() -> None:
    parts = assemble("tabular,sarsa,nstep,chain")
    assert parts.filled["make_returns"] == "nstep"
    assert parts.returns is not None
    assert parts.returns.horizon == 3 + 1
