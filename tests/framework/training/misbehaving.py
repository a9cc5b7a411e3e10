"""A plugin that misbehaves after some steps: in its exploration, in its callback or in its wrapper of environments."""

from __future__ import annotations

import sys
from pathlib import Path

RAISES = """
import time

import gymnasium
from framework.hooks import hookimpl
from framework.defaults.exploration import EpsilonGreedy
from framework.events import Callback
from framework.types import Counters

def misbehave():
    {misbehaviour}

class Odd(EpsilonGreedy):
    def choose(self, values, obs, counters):
        if counters.env_steps >= {at}:
            misbehave()
        return super().choose(values, obs, counters)

class Listener(Callback):
    def on_step(self, step, counters):
        if counters.env_steps >= {at}:
            misbehave()

class Wrapped(gymnasium.Wrapper):
    steps = 0
    def step(self, action):
        self.steps += 1
        if self.steps >= {at}:
            misbehave()
        return super().step(action)

"""


EXPLORES = """
@hookimpl
def make_exploration(seeds):
    return Odd(lambda counters: 1.0, seeds.generator("exploration"))
"""


LISTENS = """
@hookimpl
def make_callbacks():
    return [Listener()]
"""


WRAPS = """
@hookimpl
def env_wrapper():
    return Wrapped
"""


def plugin(folder: Path, hook: str, misbehaviour: str, at: int = 40) -> Path:
    path = folder / "mine.py"
    path.write_text(RAISES.format(misbehaviour=misbehaviour, at=at) + hook)
    return path


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def command(path: Path, run: Path, *more: str) -> list[str]:
    words = [sys.executable, "-m", "framework", "run", "--plugins", f"tabular,chain,{path}", "--run-dir", str(run)]
    return [*words, "--steps", "100000", "--set", "checkpoint.every=10", *more]
