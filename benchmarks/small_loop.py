"""Acting and learning in CartPole, where Python's overhead rules: `dqn` against two peers.

    python benchmarks/small_loop.py --rounds 30

All arms have two layers of 64 units, a replay of the same size, the Huber loss, Adam and the same limit of the
gradient's norm. They make an update of 64 transitions for every environment step, on one thread. The target network is
copied every 500 steps, and ε is constant. The peers are stable-baselines3's DQN and a plain script in the manner of
CleanRL's, below. Before the first round, each arm fills its replay.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import gymnasium
import numpy as np
import torch
import typer
from machine import foot, need
from measuring import LEGEND, UNENDING, Times, advance, alternate, ratio, show, spread
from peers import stable_baselines
from single_file_dqn import GAMMA, MAX_NORM, update
from torch import nn

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts

ENVIRONMENT = "CartPole-v1"
BATCH, UNITS, COPY_EVERY, EPSILON, LEARNING_RATE = 64, 64, 500, 0.1, 1e-3
PEER, SCRIPT = "stable-baselines3", "single file"
NUM_ENVS = (1, 8)


def ours(num_envs: int, capacity: int, seed: int) -> Parts:
    """Assembles one-step `dqn` without the plugins that `gym:CartPole-v1` adds."""
    values = {
        **UNENDING,
        "run.until": None,
        "run.seed": seed,
        "run.num_envs": num_envs,
        "run.device": "cpu",
        "dqn.mlp": [UNITS],
        "dqn.hidden": UNITS,
        "dqn.loss": "huber",
        "dqn.learning_rate": LEARNING_RATE,
        "dqn.learning_rate_left": 1.0,
        "dqn.max_grad_norm": MAX_NORM,
        "dqn.threads": 1,
        "learning.batch_size": BATCH,
        "learning.updates_per_step": 1.0,
        "learning.starts": capacity,
        "replay.capacity": capacity,
        "returns.gamma": GAMMA,
        "target.every": COPY_EVERY,
        "target.unit": "env_steps",
        "exploration.start": EPSILON,
        "exploration.final": EPSILON,
        "exploration.share": 0.0,
    }
    return assemble(f"dqn,no:double,no:nstep,no:averaging,no:polyak,gym:{ENVIRONMENT}", values)


def theirs(num_envs: int, capacity: int, seed: int) -> Callable[[int], object]:
    """Returns a function of the environment steps, which trains stable-baselines3's DQN."""
    from stable_baselines3.common.env_util import make_vec_env

    model = stable_baselines(
        make_vec_env(ENVIRONMENT, num_envs, seed),
        capacity,
        seed,
        "MlpPolicy",
        LEARNING_RATE,
        policy_kwargs={"net_arch": [UNITS, UNITS]},
        batch_size=BATCH,
        gamma=GAMMA,
        train_freq=1,
        gradient_steps=-1,  # as many as the environments made steps
        target_update_interval=COPY_EVERY,
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        max_grad_norm=MAX_NORM,
    )
    return partial(model.learn, reset_num_timesteps=False)


def training(capacity: int, seed: int) -> Iterator[int]:
    """Train one environment in a plain script, without end. Yields the number of environment steps after each step."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    env = gymnasium.make(ENVIRONMENT)

    def network() -> nn.Sequential:
        return nn.Sequential(nn.Linear(4, UNITS), nn.ReLU(), nn.Linear(UNITS, UNITS), nn.ReLU(), nn.Linear(UNITS, 2))

    online, target = network(), network()
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=LEARNING_RATE)
    before, after = np.zeros((capacity, 4), np.float32), np.zeros((capacity, 4), np.float32)
    taken, gained, over = np.zeros(capacity, np.int64), np.zeros(capacity, np.float32), np.zeros(capacity, np.float32)
    obs, _ = env.reset(seed=seed)
    for step in itertools.count():
        if step < capacity or rng.random() < EPSILON:
            action = int(rng.integers(2))
        else:
            with torch.no_grad():
                action = int(online(torch.from_numpy(obs)[None]).argmax())
        successor, reward, terminated, truncated, _ = env.step(np.int64(action))
        place = step % capacity
        before[place], after[place] = obs, successor
        taken[place], gained[place], over[place] = action, float(reward), terminated
        obs = env.reset()[0] if terminated or truncated else successor
        if step >= capacity:
            rows = rng.integers(capacity, size=BATCH)
            arrays = (before[rows], after[rows], taken[rows], gained[rows], over[rows])
            update(online, target, optimizer, *map(torch.from_numpy, arrays))
        if step % COPY_EVERY == 0:
            target.load_state_dict(online.state_dict())
        yield step


def _take(running: Iterator[int], steps: int) -> None:
    deque(itertools.islice(running, steps), maxlen=0)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; every arm runs once in each.")] = 30,
    steps: Annotated[int, typer.Option(min=8, help="Environment steps of each arm in a round.")] = 400,
    capacity: Annotated[int, typer.Option(min=1_000, help="Transitions in each replay.")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every arm.")] = 0,
) -> dict[str, Times]:
    """Print the table. Returns the seconds of every arm, by its label."""
    need("stable_baselines3", PEER)
    torch.set_num_threads(1)
    learners: dict[str, Callable[[int], object]] = {}
    for count in NUM_ENVS:
        learners[f"dqn, environments: {count}"] = partial(advance, ours(count, capacity, seed))
    for count in NUM_ENVS:
        learners[f"{PEER}, environments: {count}"] = theirs(count, capacity, seed)
    learners[SCRIPT] = partial(_take, training(capacity, seed))
    for learn in learners.values():
        learn(capacity + steps)
    seconds = alternate({label: partial(learn, steps) for label, learn in learners.items()}, rounds)
    bases = [f"dqn, environments: {count}" for count in NUM_ENVS]
    show(
        ["", "environment steps a second", *(f"time, relative to {label}" for label in bases)],
        [
            [label, spread(steps / times), *(ratio(times, seconds[own]) for own in bases)]
            for label, times in seconds.items()
        ],
    )
    settings = {"seed": seed, "threads": 1, "rounds": rounds, "steps a turn": steps, "capacity": capacity}
    print(LEGEND, foot(["torch", PEER, "gymnasium"], **settings))
    return seconds


if __name__ == "__main__":
    typer.run(main)
