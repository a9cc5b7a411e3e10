"""DQN on Atari Pong in one file, in the manner of research scripts. `whole_loop.py` measures it.

    python benchmarks/single_file_dqn.py --steps 20000

gymnasium's wrappers prepare the frames. A ring of numpy arrays stores every stack with its successor. torch computes in
float32. Actions are random until learning starts, then ε-greedy with a constant ε.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Annotated

import ale_py
import gymnasium
import numpy as np
import torch
import typer
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from torch import Tensor, nn
from torch.nn import functional

BATCH, GAMMA, LEARNING_RATE, EPSILON, MAX_NORM = 32, 0.99, 1e-4, 0.01, 10.0
LEARN_EVERY, COPY_EVERY = 4, 1_000

gymnasium.register_envs(ale_py)


def make_env() -> gymnasium.Env[np.ndarray, np.int64]:
    """Returns Pong with stacks [4, 84, 84] of four frames, each the maximum of the last two of four emulator frames."""
    env = gymnasium.make("PongNoFrameskip-v4")
    env = AtariPreprocessing(env, noop_max=30, frame_skip=4, screen_size=84)
    return FrameStackObservation(env, 4)


class Network(nn.Module):
    """The network of Mnih et al. 2015."""

    def __init__(self, actions: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, 32, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(3136, 512),
            nn.ReLU(),
            nn.Linear(512, actions),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layers(pixels.float() / 255)


class Replay:
    """Stores the last transitions, each with the stacks before and after it."""

    def __init__(self, capacity: int) -> None:
        self.obs = np.zeros((capacity, 4, 84, 84), np.uint8)
        self.next_obs = np.zeros((capacity, 4, 84, 84), np.uint8)
        self.action = np.zeros(capacity, np.int64)
        self.reward = np.zeros(capacity, np.float32)
        self.done = np.zeros(capacity, np.float32)
        self.added = 0

    def add(self, obs: np.ndarray, next_obs: np.ndarray, action: int, reward: float, done: bool) -> None:
        place = self.added % len(self.obs)
        self.obs[place] = obs
        self.next_obs[place] = next_obs
        self.action[place] = action
        self.reward[place] = reward
        self.done[place] = done
        self.added += 1

    def sample(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        rows = rng.integers(min(self.added, len(self.obs)), size=BATCH)
        arrays = (self.obs[rows], self.next_obs[rows], self.action[rows], self.reward[rows], self.done[rows])
        return tuple(torch.from_numpy(array) for array in arrays)


def update(
    online: nn.Module,
    target: nn.Module,
    optimizer: torch.optim.Optimizer,
    old: Tensor,
    new: Tensor,
    taken: Tensor,
    gained: Tensor,
    done: Tensor,
) -> None:
    """Make a step of the optimiser on the Huber loss of a batch."""
    with torch.no_grad():
        goal = gained + GAMMA * (1 - done) * target(new).max(dim=1).values
    value = online(old).gather(1, taken[:, None])[:, 0]
    loss = functional.smooth_l1_loss(value, goal)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(online.parameters(), MAX_NORM)
    optimizer.step()


def training(capacity: int, starts: int, seed: int) -> Iterator[int]:
    """Train without end. Yields the number of environment steps after each step."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    env = make_env()
    actions = int(env.action_space.n)  # type: ignore[attr-defined]
    online, target = Network(actions), Network(actions)
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=LEARNING_RATE)
    replay = Replay(capacity)
    obs, _ = env.reset(seed=seed)
    for step in itertools.count(1):
        if step <= starts or rng.random() < EPSILON:
            action = int(rng.integers(actions))
        else:
            with torch.no_grad():
                action = int(online(torch.from_numpy(obs)[None]).argmax())
        next_obs, reward, terminated, truncated, _ = env.step(np.int64(action))
        replay.add(obs, next_obs, action, float(np.sign(float(reward))), terminated)
        obs = env.reset()[0] if terminated or truncated else next_obs

        if step > starts and step % LEARN_EVERY == 0:
            update(online, target, optimizer, *replay.sample(rng))
        if step % COPY_EVERY == 0:
            target.load_state_dict(online.state_dict())
        yield step


def main(
    steps: Annotated[int, typer.Option(min=1, help="Environment steps of the run.")] = 20_000,
    capacity: Annotated[int, typer.Option(min=1_000, help="Transitions in the replay.")] = 10_000,
    starts: Annotated[int, typer.Option(min=0, help="Environment steps before learning starts.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run.")] = 0,
) -> None:
    """Train, and print the environment steps a second."""
    began = time.perf_counter()
    for _ in itertools.islice(training(capacity, starts, seed), steps):
        pass
    print(f"{steps / (time.perf_counter() - began):,.0f} environment steps a second")


if __name__ == "__main__":
    typer.run(main)
