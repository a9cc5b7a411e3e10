"""What the tests of the tabular plugins share: runs in a small random process, loops in plain Python, and batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.assembly.assemble import assemble
from framework.assembly.discovery import resolve
from framework.assembly.parts import Parts
from framework.defaults.exploration import EpsilonGreedy
from framework.defaults.schedules import linear
from framework.seeding import Seeds
from framework.training.loop import Loop
from framework.types import Batch, Counters, TDErrors
from plugins.tabular import QTable

RANDOM_MDP = str(Path(__file__).parents[1] / "stand_ins" / "random_mdp.py")


STEPS = 60


GAMMA, RATE = 0.9, 0.3


settings_of_runs = settings(max_examples=25)


seeds_of_runs = st.integers(0, 2**32)


limits = st.integers(0, 6)


def run(names: str, seed: int, max_steps: int, num_envs: int = 1, **more: Any) -> Parts:
    """Train for STEPS steps in a random process, with ε falling from 1 to 0.1 and α = RATE."""
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


class PlainRun:
    """The environments and random streams of the same run, for loops in plain Python."""

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


def check_saved_parts_go_on_identically(names: str) -> None:
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
