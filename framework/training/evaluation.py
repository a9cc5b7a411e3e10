"""Evaluation. It uses its own environments and random generator and does not change the state of training."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from framework.assembly.parts import Agent
from framework.defaults.exploration import EpsilonGreedy
from framework.events import EvaluationResult
from framework.options import EvaluationOptions
from framework.types import Counters


def evaluate(
    agent: Agent,
    *,
    name: str = "evaluation",
    episodes: int | None = None,
    epsilon: float | None = None,
    after_step: Callable[[], None] | None = None,
) -> EvaluationResult:
    """Play episodes ε-greedily and report raw returns.

    Every environment plays a fixed number of episodes. Otherwise short episodes, which finish first, would count too
    often.

    Args:
        name: the seed of the episodes and of the random actions depends on it.
        episodes: how many in all; default: the option evaluation.episodes.
        epsilon: the probability of a random action; default: the option evaluation.epsilon.
        after_step: called after each step; an exception that it raises ends the evaluation.
    """
    options = agent.config[EvaluationOptions]
    episodes = options.episodes if episodes is None else episodes
    epsilon = options.epsilon if epsilon is None else epsilon
    began = time.monotonic()
    num_envs = min(options.num_envs, episodes)
    quota = [episodes // num_envs + (env_id < episodes % num_envs) for env_id in range(num_envs)]
    exploration = EpsilonGreedy(lambda counters: epsilon, agent.seeds.generator(f"evaluation/{name}"))
    counters = Counters()
    finished: list[list[tuple[float, int, bytes]]] = [[] for _ in range(num_envs)]
    stream = agent.open_stream("evaluate", num_envs, name)
    try:
        total, length = [0.0] * num_envs, [0] * num_envs
        games = [hashlib.blake2b(digest_size=8) for _ in range(num_envs)]
        while any(len(done) < wanted for done, wanted in zip(finished, quota, strict=True)):
            obs = stream.observations
            values = agent.policy.action_values(obs, explore=False)
            stream.begin(exploration.choose(values, obs, counters))
            step = stream.finish()
            counters.advance(step)
            if after_step is not None:
                after_step()
            for row, env_id in enumerate(step.env_id.tolist()):
                total[env_id] += step.raw_reward[row]
                length[env_id] += 1
                games[env_id].update(bytes([step.action[row] % 256]) + step.raw_reward[row].tobytes())
                if step.ended[row]:
                    finished[env_id].append((float(total[env_id]), length[env_id], games[env_id].digest()))
                    total[env_id], length[env_id] = 0.0, 0
                    games[env_id] = hashlib.blake2b(digest_size=8)
    finally:
        stream.close()
    played = [game for done, wanted in zip(finished, quota, strict=True) for game in done[:wanted]]
    return EvaluationResult(
        returns=tuple(game[0] for game in played),
        lengths=tuple(game[1] for game in played),
        distinct=len({game[2] for game in played}),
        epsilon=epsilon,
        seconds=time.monotonic() - began,
    )
