"""Pong alone, prepared for a network: the engine's stream of ALE's native emulators against gymnasium's wrappers.

    python benchmarks/environment.py --rounds 30

Both play games side by side with random actions and four emulator frames a step, and return stacks of four frames of
84 × 84 pixels. gymnasium's arm is AtariPreprocessing and FrameStackObservation under SyncVectorEnv, in one thread. The
engine seeds the first game of every twenty, and for each seed the emulator loads the game again; gymnasium's arm seeds
only the first of all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import gymnasium
import numpy as np
import typer
from machine import foot, need_emulator
from measuring import LEGEND, Times, alternate, ratio, show, spread

from framework.environments.stream import TransitionStream
from framework.seeding import Seeds

SIZE, STACK, ACTIONS = 84, 4, 6
OURS, PEER = "NativePong through TransitionStream", "gymnasium's wrappers under SyncVectorEnv"


def ours(num_envs: int, threads: int, seed: int) -> Callable[[np.ndarray], object]:
    """Returns a function that makes a step of the engine's stream."""
    from plugins.pong.native import NativePong
    from plugins.pong.options import PongOptions

    options = PongOptions.model_validate(
        {"size": SIZE, "view": "screen", "stack": STACK, "actions": "minimal", "threads": threads}
    )
    stream = TransitionStream(NativePong(options, num_envs), partial(Seeds(seed).episode, "train"))

    def step(actions: np.ndarray) -> None:
        stream.begin(actions)
        stream.finish()
        assert stream.observations.shape == (num_envs, STACK, SIZE, SIZE)

    return step


def theirs(num_envs: int, seed: int) -> Callable[[np.ndarray], object]:
    """Returns a function that makes a step of gymnasium's environments."""
    import ale_py
    from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

    gymnasium.register_envs(ale_py)

    def make() -> gymnasium.Env[Any, Any]:
        env = gymnasium.make("PongNoFrameskip-v4")
        return FrameStackObservation(AtariPreprocessing(env, noop_max=30, frame_skip=4, screen_size=SIZE), STACK)

    env = gymnasium.vector.SyncVectorEnv([make] * num_envs)
    obs, _ = env.reset(seed=seed)
    assert obs.shape == (num_envs, STACK, SIZE, SIZE)
    return env.step


def play(step: Callable[[np.ndarray], object], rng: np.random.Generator, num_envs: int, steps: int) -> None:
    """Make `steps` steps of all environments with random actions."""
    for actions in rng.integers(ACTIONS, size=(steps, num_envs)):
        step(actions)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; both arms run once in each.")] = 30,
    steps: Annotated[int, typer.Option(min=1, help="Steps of all environments, for each arm in a round.")] = 250,
    num_envs: Annotated[int, typer.Option(min=1, help="Games side by side.")] = 8,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the native emulators.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the games and the actions.")] = 0,
) -> dict[str, Times]:
    """Print the table. Returns the seconds of every arm, by its label."""
    need_emulator()
    steppers = {OURS: ours(num_envs, threads, seed), PEER: theirs(num_envs, seed)}
    seconds = alternate(
        {label: partial(play, step, np.random.default_rng(seed), num_envs, steps) for label, step in steppers.items()},
        rounds,
    )
    show(
        ["", "environment steps a second", "speed, relative to gymnasium"],
        [[label, spread(num_envs * steps / times), ratio(seconds[PEER], times)] for label, times in seconds.items()],
    )
    settings = {"seed": seed, "environments": num_envs, "threads": threads, "rounds": rounds, "steps a turn": steps}
    print(LEGEND, foot(["ale-py", "gymnasium", "opencv-python-headless"], **settings))
    return seconds


if __name__ == "__main__":
    typer.run(main)
