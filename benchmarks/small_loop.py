"""Acting and learning with small networks, where Python's overhead rules: `dqn` against two peers.

    python benchmarks/small_loop.py --rounds 30
    python benchmarks/small_loop.py --work minatar

The work is CartPole with two layers of 64 units and 64 transitions an update, or MinAtar's Breakout with its paper's
network and 32 transitions. All arms have a replay of the same size, the Huber loss, Adam and the same limit of the
gradient's norm. They make an update for every environment step, on one thread. The target network is copied every 500
steps, and ε is constant. The peers are stable-baselines3's DQN and a plain script in the manner of CleanRL's, below.
Before the first round, each arm fills its replay.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import gymnasium
import numpy as np
import torch
import typer
from machine import foot, need
from measuring import LEGEND, UNENDING, Times, advance, alternate, ratio, show, spread
from peers import one_convolution, stable_baselines
from single_file_dqn import GAMMA, MAX_NORM, update
from torch import nn

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts

UNITS, COPY_EVERY, EPSILON, LEARNING_RATE = 64, 500, 0.1, 1e-3
PEER, SCRIPT = "stable-baselines3", "single file"
NUM_ENVS = (1, 8)


@dataclass(frozen=True)
class Work:
    """What every arm does.

    plugins: one-step `dqn`, without what the environment adds to it.
    values: the options of its network.
    batch: transitions of an update.
    make: returns a single environment for the peers.
    network: takes the shape of an observation and the number of actions, and returns the plain script's network.
    policy: the name and the arguments of stable-baselines3's policy with the same network.
    """

    plugins: str
    values: Mapping[str, Any]
    batch: int
    make: Callable[[], gymnasium.Env[Any, Any]]
    network: Callable[[tuple[int, ...], int], nn.Module]
    policy: tuple[str, Callable[[], Mapping[str, Any]]]


def breakout() -> gymnasium.Env[Any, Any]:
    """Returns MinAtar's Breakout as the plugin `minatar` makes it."""
    from envs.minatar import MinAtarEnv

    return gymnasium.wrappers.TimeLimit(MinAtarEnv("breakout"), 5_000)


class FromBytes(nn.Module):
    """Scales pixels to [0, 1]."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float() / 255


def perceptron(shape: tuple[int, ...], actions: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(*shape, UNITS), nn.ReLU(), nn.Linear(UNITS, UNITS), nn.ReLU(), nn.Linear(UNITS, actions)
    )


def young_and_tian(shape: tuple[int, ...], actions: int) -> nn.Module:
    convolution = [FromBytes(), nn.Conv2d(shape[0], 16, 3), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*convolution, nn.Linear(16 * 8 * 8, 128), nn.ReLU(), nn.Linear(128, actions))


WORKS = {
    "cartpole": Work(
        "dqn,no:double,no:nstep,no:averaging,no:polyak,gym:CartPole-v1",
        {"dqn.mlp": [UNITS], "dqn.hidden": UNITS, "exploration.share": 0.0},
        64,
        lambda: gymnasium.make("CartPole-v1"),
        perceptron,
        ("MlpPolicy", lambda: {"net_arch": [UNITS, UNITS]}),
    ),
    "minatar": Work(
        "dqn,minatar",
        {"minatar.game": "breakout", "dqn.hidden": 128},
        32,
        breakout,
        young_and_tian,
        ("CnnPolicy", lambda: {"features_extractor_class": one_convolution(), "net_arch": [128]}),
    ),
}


def ours(work: Work, num_envs: int, capacity: int, seed: int) -> Parts:
    """Assembles one-step `dqn`."""
    values = {
        **UNENDING,
        "run.until": None,
        "run.seed": seed,
        "run.num_envs": num_envs,
        "run.device": "cpu",
        **work.values,
        "dqn.loss": "huber",
        "dqn.learning_rate": LEARNING_RATE,
        "dqn.learning_rate_left": 1.0,
        "dqn.max_grad_norm": MAX_NORM,
        "dqn.threads": 1,
        "learning.batch_size": work.batch,
        "learning.updates_per_step": 1.0,
        "learning.starts": capacity,
        "replay.capacity": capacity,
        "returns.gamma": GAMMA,
        "target.every": COPY_EVERY,
        "target.unit": "env_steps",
        "exploration.start": EPSILON,
        "exploration.final": EPSILON,
    }
    return assemble(work.plugins, values)


def theirs(work: Work, num_envs: int, capacity: int, seed: int) -> Callable[[int], object]:
    """Returns a function of the environment steps, which trains stable-baselines3's DQN."""
    from stable_baselines3.common.env_util import make_vec_env

    policy, options = work.policy
    model = stable_baselines(
        make_vec_env(work.make, num_envs, seed),
        capacity,
        seed,
        policy,
        LEARNING_RATE,
        policy_kwargs=options(),
        batch_size=work.batch,
        gamma=GAMMA,
        train_freq=1,
        gradient_steps=-1,  # as many as the environments made steps
        target_update_interval=COPY_EVERY,
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        max_grad_norm=MAX_NORM,
    )
    return partial(model.learn, reset_num_timesteps=False)


def training(work: Work, capacity: int, seed: int) -> Iterator[int]:
    """Train one environment in a plain script, without end. Yields the number of environment steps after each step."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    env = work.make()
    space, actions = env.observation_space, int(env.action_space.n)  # type: ignore[attr-defined]
    online, target = (work.network(space.shape or (), actions) for _ in range(2))
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=LEARNING_RATE)
    before, after = (np.zeros((capacity, *(space.shape or ())), space.dtype) for _ in range(2))
    taken, gained, over = np.zeros(capacity, np.int64), np.zeros(capacity, np.float32), np.zeros(capacity, np.float32)
    obs, _ = env.reset(seed=seed)
    for step in itertools.count():
        if step < capacity or rng.random() < EPSILON:
            action = int(rng.integers(actions))
        else:
            with torch.no_grad():
                action = int(online(torch.from_numpy(obs)[None]).argmax())
        successor, reward, terminated, truncated, _ = env.step(np.int64(action))
        place = step % capacity
        before[place], after[place] = obs, successor
        taken[place], gained[place], over[place] = action, float(reward), terminated
        obs = env.reset()[0] if terminated or truncated else successor
        if step >= capacity:
            rows = rng.integers(capacity, size=work.batch)
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
    work: Annotated[Literal["cartpole", "minatar"], typer.Option(help="What every arm does.")] = "cartpole",
) -> dict[str, Times]:
    """Print the table. Returns the seconds of every arm, by its label."""
    need("stable_baselines3", PEER)
    torch.set_num_threads(1)
    chosen = WORKS[work]
    learners: dict[str, Callable[[int], object]] = {}
    for count in NUM_ENVS:
        learners[f"dqn, environments: {count}"] = partial(advance, ours(chosen, count, capacity, seed))
    for count in NUM_ENVS:
        learners[f"{PEER}, environments: {count}"] = theirs(chosen, count, capacity, seed)
    learners[SCRIPT] = partial(_take, training(chosen, capacity, seed))
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
    settings = {"work": work, "seed": seed, "threads": 1, "rounds": rounds, "steps a turn": steps, "capacity": capacity}
    print(LEGEND, foot(["torch", PEER, "gymnasium"], **settings))
    return seconds


if __name__ == "__main__":
    typer.run(main)
