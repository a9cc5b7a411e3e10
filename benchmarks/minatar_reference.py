"""Learn MinAtar's games with the DQN of their paper, in plain torch, without this framework.

    python benchmarks/minatar_reference.py runs/minatar-reference
    python benchmarks/minatar_study.py runs/minatar --reference runs/minatar-reference    # writes the page with both

Young & Tian 2019 (arXiv:1903.03176), with the values of the script that they publish with their package: one layer of
16 convolutions and one of 128 units, the Huber loss, γ = 0.99, centred RMSprop with momentum, a replay of 100 000, 32
transitions an update, an update each step from 5 000 on, a copy to the target each 1 000 updates, ε from 1 to 0.1
within 100 000 steps, all six actions. The games are the package's own, as they come.

Two things are not theirs. They train for five million steps. And they report training returns at ε = 0.1; here are
evaluations, those of minatar_study.py: after the same steps, of as many new episodes, with the same ε and limit.
"""

from __future__ import annotations

import copy
import time
from functools import partial
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, get_args

import numpy as np
import torch
import typer
from machine import made_once, need, one_of
from torch import Tensor, nn
from torch.nn.functional import relu, smooth_l1_loss

from envs.minatar import Game
from framework.assembly.configuration import configure
from framework.options import EvaluationOptions

GAMES: tuple[Game, ...] = get_args(Game)
STEPS = 1_000_000
CAPACITY = 100_000
BATCH = 32
STARTS = 5_000
COPY_EVERY = 1_000
GAMMA = 0.99
ANNEALED_IN = 100_000
FINAL_EPSILON = 0.1
MAX_STEPS = 5_000
"""Steps after which an evaluation's episode ends, as with the plugin `minatar`."""


class Network(nn.Module):
    """The paper's network: planes [batch, 10, 10, channels] → values [batch, actions]."""

    def __init__(self, channels: int, actions: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, 16, kernel_size=3)
        self.hidden = nn.Linear(16 * 8 * 8, 128)
        self.values = nn.Linear(128, actions)

    def forward(self, planes: Tensor) -> Tensor:
        image = planes.permute(0, 3, 1, 2).float()
        seen = relu(self.convolution(image)).flatten(1)
        return self.values(relu(self.hidden(seen)))


class Replay:
    """The last transitions, each whole."""

    def __init__(self, shape: tuple[int, ...], rng: np.random.Generator) -> None:
        self._obs, self._next = (np.zeros((CAPACITY, *shape), bool) for _ in range(2))
        self._actions = np.zeros(CAPACITY, np.int64)
        self._rewards, self._ends = (np.zeros(CAPACITY, np.float32) for _ in range(2))
        self._rng, self._stored = rng, 0

    def add(self, obs: np.ndarray, action: int, reward: float, end: bool, following: np.ndarray) -> None:
        at = self._stored % CAPACITY
        self._obs[at], self._actions[at], self._rewards[at] = obs, action, reward
        self._ends[at], self._next[at] = end, following
        self._stored += 1

    def sample(self) -> list[Tensor]:
        rows = self._rng.choice(min(self._stored, CAPACITY), BATCH, replace=False)
        columns = (self._obs, self._actions, self._rewards, self._ends, self._next)
        return [torch.from_numpy(column[rows]) for column in columns]


def act(network: Network, obs: np.ndarray, epsilon: float, rng: np.random.Generator) -> int:
    """Returns an ε-greedy action."""
    if rng.random() < epsilon:
        return int(rng.integers(network.values.out_features))
    with torch.inference_mode():
        return int(network(torch.from_numpy(obs)[None]).argmax())


def update(network: Network, target: Network, optimizer: torch.optim.Optimizer, batch: list[Tensor]) -> None:
    """Makes one step towards r + γ max_a Q⁻(s', a) with the Huber loss."""
    obs, actions, rewards, ends, following = batch
    with torch.no_grad():
        aims = rewards + GAMMA * (1 - ends) * target(following).amax(1)
    loss = smooth_l1_loss(network(obs).gather(1, actions[:, None])[:, 0], aims)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def evaluate(network: Network, game: str, evaluation: EvaluationOptions, rng: np.random.Generator) -> float:
    """Returns the mean return of new episodes."""
    from minatar import Environment

    env = Environment(game)
    returns = []
    for _ in range(evaluation.episodes):
        env.seed(int(rng.integers(2**31)))
        env.reset()
        total, over = 0.0, False
        for _ in range(MAX_STEPS):
            reward, over = env.act(act(network, env.state(), evaluation.epsilon, rng))
            total += float(reward)
            if over:
                break
        returns.append(total)
    return fmean(returns)


def learn(game: str, seed: int, steps: int) -> dict[str, Any]:
    """Returns the evaluations of a run, its steps and its minutes."""
    from minatar import Environment

    _, config, _ = configure("dqn,minatar")
    evaluation = config[EvaluationOptions]
    torch.manual_seed(seed)
    rng, evaluations_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    env = Environment(game)
    env.seed(seed)
    env.reset()
    network = Network(env.state_shape()[2], env.num_actions())
    target = copy.deepcopy(network)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=2.5e-4, alpha=0.95, eps=0.01, momentum=0.95, centered=True)
    replay = Replay(env.state().shape, rng)
    means: list[float] = []
    updates = count(1)
    began = time.perf_counter()
    for step in range(1, steps + 1):
        obs = env.state().copy()
        epsilon = max(FINAL_EPSILON, 1 - (1 - FINAL_EPSILON) * (step - STARTS) / ANNEALED_IN)
        action = act(network, obs, min(1.0, epsilon), rng)
        reward, end = env.act(action)
        replay.add(obs, action, reward, end, env.state())
        if end:
            env.reset()
        if step > STARTS:
            update(network, target, optimizer, replay.sample())
            if next(updates) % COPY_EVERY == 0:
                target.load_state_dict(network.state_dict())
        if step % evaluation.every == 0:
            means.append(evaluate(network, game, evaluation, evaluations_rng))
            typer.echo(f"{game}, seed {seed}, {step:,} steps: {means[-1]:.1f}")
    return {
        "every": evaluation.every,
        "evaluations": means,
        "steps": steps,
        "minutes": (time.perf_counter() - began) / 60,
    }


def main(
    folder: Annotated[Path, typer.Argument(help="Folder for the results. Complete ones in it are kept.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each game.")] = 1,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this game; may be repeated.", callback=one_of(GAMES))
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each run.")] = STEPS,
) -> None:
    """Make the runs that are missing, one after the other, with one thread each."""
    need("minatar", "'pluggable-q[minatar]'")
    torch.set_num_threads(1)
    for seed in range(seeds):
        for game in only or GAMES:
            made_once(folder / game / f"seed-{seed}.json", partial(learn, game, seed, steps))


if __name__ == "__main__":
    typer.run(main)
