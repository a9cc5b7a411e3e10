"""Learn gymnasium's environments with stable-baselines3's DQN and the values that its zoo publishes for them.

    python benchmarks/zoo.py runs/zoo
    python benchmarks/environments.py runs/environments --zoo runs/zoo      # writes the page with both

Steps and evaluations are those of `dqn,gym:ID` with no option named: an evaluation after the same steps, of as many new
episodes, without exploration. A run that is complete in the folder is kept. It needs the extra `bench`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import gymnasium
import typer
from machine import made_once, need

from framework.assembly.configuration import configure
from framework.options import EvaluationOptions, RunOptions

ACROBOT_AND_LANDER: Mapping[str, Any] = {
    "learning_rate": 6.3e-4,
    "batch_size": 128,
    "buffer_size": 50_000,
    "learning_starts": 0,
    "target_update_interval": 250,
    "train_freq": 4,
    "gradient_steps": -1,
    "exploration_fraction": 0.12,
    "exploration_final_eps": 0.1,
}
"""Values that the zoo has for two environments."""

TUNED: Mapping[str, Mapping[str, Any]] = {
    "CartPole-v1": {
        "learning_rate": 2.3e-3,
        "batch_size": 64,
        "buffer_size": 100_000,
        "learning_starts": 1_000,
        "target_update_interval": 10,
        "train_freq": 256,
        "gradient_steps": 128,
        "exploration_fraction": 0.16,
        "exploration_final_eps": 0.04,
    },
    "Acrobot-v1": ACROBOT_AND_LANDER,
    "MountainCar-v0": {
        "learning_rate": 4e-3,
        "batch_size": 128,
        "buffer_size": 10_000,
        "learning_starts": 1_000,
        "gamma": 0.98,
        "target_update_interval": 600,
        "train_freq": 16,
        "gradient_steps": 8,
        "exploration_fraction": 0.2,
        "exploration_final_eps": 0.07,
    },
    "LunarLander-v3": ACROBOT_AND_LANDER,
}
"""Environment → the values of rl-zoo3 2.9.2 for DQN, beside two hidden layers of 256. It has no others of this page."""


def evaluate(model: Any, env_id: str, episodes: int, seed: int) -> float:
    """Returns the mean return of new episodes without exploration."""
    env = gymnasium.make(env_id)
    returns = []
    for episode in range(episodes):
        obs, _ = env.reset(seed=seed + episode)
        total, over = 0.0, False
        while not over:
            action, _ = model.predict(obs, deterministic=True)
            obs, reward, terminated, truncated, _ = env.step(int(action))
            total += float(reward)
            over = terminated or truncated
        returns.append(total)
    env.close()
    return fmean(returns)


def learn(env_id: str, seed: int) -> dict[str, Any]:
    """Returns the evaluations of a run, its steps and its minutes."""
    from stable_baselines3 import DQN
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.logger import Logger
    from stable_baselines3.common.monitor import Monitor

    _, config, _ = configure(f"dqn,gym:{env_id}")
    run, evaluation = config[RunOptions], config[EvaluationOptions]
    if run.steps is None:
        raise ValueError(f"dqn,gym:{env_id} has no run.steps")
    means: list[float] = []

    class Evaluations(BaseCallback):
        def _on_step(self) -> bool:
            if self.num_timesteps % evaluation.every == 0:
                # seeds that no other evaluation and no other run has
                begin = 1_000_000 * (seed + 1) + 1_000 * len(means)
                means.append(evaluate(self.model, env_id, evaluation.episodes, begin))
            return True

    model = DQN(
        "MlpPolicy",
        Monitor(gymnasium.make(env_id)),
        policy_kwargs={"net_arch": [256, 256]},
        seed=seed,
        device="cpu",
        **TUNED[env_id],
    )
    model.set_logger(Logger(None, []))
    began = time.perf_counter()
    model.learn(run.steps, callback=Evaluations())
    return {"evaluations": means, "steps": run.steps, "minutes": (time.perf_counter() - began) / 60}


def main(
    folder: Annotated[Path, typer.Argument(help="Folder for the results. Complete ones in it are kept.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each environment.")] = 5,
    only: Annotated[list[str] | None, typer.Option(help="Only this environment; may be repeated.")] = None,
) -> None:
    """Make the runs that are missing, one after the other, with one thread each."""
    need("stable_baselines3", "'pluggable-q[bench]'")
    need("Box2D", "'pluggable-q[box2d]'")
    import torch

    torch.set_num_threads(1)
    for seed in range(seeds):
        for env_id in only or TUNED:
            found = made_once(folder / env_id / f"seed-{seed}.json", partial(learn, env_id, seed))
            last = fmean(found["evaluations"][-3:])
            typer.echo(f"{env_id}, seed {seed}: {last:.1f} in {found['minutes']:.1f} minutes")


if __name__ == "__main__":
    typer.run(main)
