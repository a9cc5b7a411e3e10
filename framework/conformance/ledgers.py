"""Ledgers side by side under each autoreset mode, and the plain loop that says what their transitions are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from framework.conformance.environments import TAGS, Entry, Painter, ProbeOptions, make_probe
from framework.types import Step
from framework.vector import Stream

MODES = ("disabled", "next_step", "same_step", "")
"""Autoreset modes; "" is a vector environment whose metadata names none, which resets itself at the next step."""

LENGTHS = ((1,), (2,), (1, 2), (3, 1, 2))
ENDINGS = (("terminated",), ("truncated",), ("both",), ("truncated", "terminated"))
STEPS = 8


@dataclass(frozen=True)
class Case:
    """Ledgers side by side; each is one episode ahead of the one before it, so that they end at different times."""

    mode: str
    envs: int
    lengths: tuple[int, ...]
    endings: tuple[Any, ...]
    reuse: bool = False

    def options(self, env_id: int, **more: Any) -> ProbeOptions:
        """Those of one environment."""
        turned = [each[env_id % len(each) :] + each[: env_id % len(each)] for each in (self.lengths, self.endings)]
        given = {"observations": "box", "reuse": self.reuse, "lengths": turned[0], "endings": turned[1], **more}
        return ProbeOptions(**given)

    def open(self, metadata: Mapping[str, Any] | None = None, copy: bool = True, **more: Any) -> Stream:
        """A stream over them."""
        makers = [partial(make_probe, self.options(env_id, **more)) for env_id in range(self.envs)]
        mode = AutoresetMode[(self.mode or "next_step").upper()]
        env = SyncVectorEnv(makers, copy=copy, autoreset_mode=mode)
        env.metadata = {**env.metadata, **(metadata or {})}
        if not self.mode:
            del env.metadata["autoreset_mode"]
        return Stream(env, lambda env_id, episode: seed_of(env_id))

    def example(self, env_id: int, transition: int) -> dict[str, Any]:
        """The case, for a person; both numbers count from 0."""
        options = self.options(env_id)
        return {
            "mode": self.mode or "none named",
            "environments": self.envs,
            "environment": env_id,
            "its episodes' lengths": options.lengths,
            "endings": options.endings,
            "its transition": transition,
        }


def seed_of(env_id: int) -> int:
    """A ledger's first number: none is shown by two ledgers, and none is 0, which padding looks like."""
    return 1 + 50 * env_id


def cases(modes: Sequence[str] = MODES, reuse: bool = False) -> Iterator[Case]:
    """The smallest first."""
    for envs, lengths, endings, mode in product((1, 2), LENGTHS, ENDINGS, modes):
        yield Case(mode, envs, lengths, endings, reuse)


def steps_of(stream: Stream, steps: int = STEPS) -> Iterator[Step]:
    """Some steps with random actions, always the same."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        stream.begin(rng.integers(3, size=stream.spaces.num_envs))
        yield stream.finish()
    stream.close()


def transitions(case: Case) -> list[list[Entry]]:
    """What the stream says that each environment did; where these are careless, the vector environment is, too."""
    stream = case.open(copy=not case.reuse)
    read = Painter(case.options(0), TAGS).read
    found: list[list[Entry]] = [[] for _ in range(case.envs)]
    for step in steps_of(stream):
        for row, env_id in enumerate(step.env_id.tolist()):
            found[env_id].append(
                Entry(
                    bool(step.first[row]), read(step.obs[row]), int(step.action[row]), float(step.raw_reward[row]),
                    bool(step.terminated[row]), bool(step.truncated[row]), read(step.next_obs[row]),
                )
            )  # fmt: skip
    return found


def plain_loop(options: ProbeOptions, seed: int, actions: Sequence[int]) -> list[Entry]:
    """The transitions of one environment that is reset by hand."""
    env = make_probe(options)
    read = Painter(options, TAGS).read
    obs, first, found = read(env.reset(seed=seed)[0]), True, []
    for action in actions:
        frame, reward, terminated, truncated, _ = env.step(action)
        found.append(Entry(first, obs, action, float(reward), terminated, truncated, read(frame)))
        first = terminated or truncated
        obs = read(env.reset()[0]) if first else read(frame)
    return found
