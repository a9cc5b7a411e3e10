"""Acting, playing and learning together on Atari Pong: `dqn,pong` against two peers.

    python benchmarks/whole_loop.py --rounds 30

The peers are stable-baselines3's DQN, set up as its documentation sets it up for Atari, and a plain script,
single_file_dqn.py. All arms play on the real emulator, learn from 84 × 84 × 4 pixels with the network of Mnih et al.
2015, repeat each action for four frames, make one update of 32 transitions every four steps and act with the same
constant ε. Before the first round, each arm fills its replay and learns for a while.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import gymnasium
import torch
import typer
from machine import foot, need, need_emulator
from measuring import LEGEND, UNENDING, Times, advance, alternate, ratio, show, spread
from peers import LEARNING_RATE, stable_baselines

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts

BATCH, LEARN_EVERY, COPY_EVERY = 32, 4, 1_000
EPSILON = 0.01
PEER, SCRIPT = "stable-baselines3", "single file"
NUM_ENVS = (1, 8)


def ours(num_envs: int, precision: str, threads: int, capacity: int, seed: int) -> Parts:
    """Assembles one-step `dqn` on Pong's whole screen. The other options have the defaults of `dqn,pong`."""
    values = {
        **UNENDING,
        "run.seed": seed,
        "run.num_envs": num_envs,
        "run.device": "cpu",
        "pong.size": 84,
        "pong.view": "screen",
        "pong.stack": 4,
        "pong.actions": "minimal",
        "dqn.hidden": 512,
        "dqn.learning_rate": LEARNING_RATE,
        "dqn.precision": precision,
        "dqn.threads": threads,
        "learning.batch_size": BATCH,
        "learning.updates_per_step": 1 / LEARN_EVERY,
        "learning.starts": capacity,
        "replay.capacity": capacity,
        "returns.gamma": 0.99,
        "target.every": COPY_EVERY,
        "exploration.start": EPSILON,
        "exploration.final": EPSILON,
    }
    return assemble("dqn,no:nstep,no:per,pong", values)


def theirs(capacity: int, seed: int) -> Callable[[int], object]:
    """Returns a function of the environment steps, which trains stable-baselines3's DQN.

    Its replay stores every stack once, which is the least memory that it can use.
    """
    import ale_py
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack

    gymnasium.register_envs(ale_py)
    env = VecFrameStack(make_atari_env("PongNoFrameskip-v4", n_envs=1, seed=seed), n_stack=4)
    model = stable_baselines(
        env,
        capacity,
        seed,
        batch_size=BATCH,
        train_freq=LEARN_EVERY,
        gradient_steps=1,
        target_update_interval=COPY_EVERY,
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        optimize_memory_usage=True,
        replay_buffer_kwargs={"handle_timeout_termination": False},
    )
    return partial(model.learn, reset_num_timesteps=False)


def script(capacity: int, seed: int) -> Callable[[int], object]:
    """Returns a function of the environment steps, which trains the plain script."""
    from single_file_dqn import training

    running = training(capacity, starts=capacity, seed=seed)
    return partial(_take, running)


def _take(running: Iterator[int], steps: int) -> None:
    deque(itertools.islice(running, steps), maxlen=0)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; every arm runs once in each.")] = 30,
    steps: Annotated[int, typer.Option(min=8, help="Environment steps of each arm in a round.")] = 400,
    capacity: Annotated[
        int, typer.Option(min=1_000, help="Transitions in each replay; learning starts when it is full.")
    ] = 10_000,
    warm_up: Annotated[int, typer.Option(min=0, help="Environment steps with learning before the rounds.")] = 400,
    precision: Annotated[str, typer.Option(help="dqn.precision: auto, float32 or bfloat16.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch, the same for every arm.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every arm.")] = 0,
) -> dict[str, Times]:
    """Print the table. Returns the seconds of every arm, by its label."""
    need_emulator()
    need("stable_baselines3", PEER)
    agents = {f"dqn, environments: {count}": ours(count, precision, threads, capacity, seed) for count in NUM_ENVS}
    learners: dict[str, Callable[[int], object]] = {
        **{label: partial(advance, parts) for label, parts in agents.items()},
        PEER: theirs(capacity, seed),
        SCRIPT: script(capacity, seed),
    }
    torch.set_num_threads(threads)
    for learn in learners.values():
        learn(capacity + warm_up)
    seconds = alternate({label: partial(learn, steps) for label, learn in learners.items()}, rounds)
    show(
        ["", "environment steps a second", *(f"time, relative to {label}" for label in agents)],
        [
            [label, spread(steps / times), *(ratio(times, seconds[own]) for own in agents)]
            for label, times in seconds.items()
        ],
    )
    settings = {"seed": seed, "threads": threads, "precision": precision, "rounds": rounds, "steps a turn": steps}
    packages = ["torch", PEER, "ale-py", "gymnasium"]
    print(LEGEND, foot(packages, **settings, capacity=capacity))
    return seconds


if __name__ == "__main__":
    typer.run(main)
