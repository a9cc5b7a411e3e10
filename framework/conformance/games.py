"""The composition's own environment as its plugin makes it, with nothing of the engine's in between."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from framework.assembly import WRAPPER
from framework.composition import configure
from framework.config import Source
from framework.conformance.checks import require
from framework.conformance.subject import Subject
from framework.seeding import Seeds
from framework.slots import Slots
from framework.types import Role

STEPS = 50
"""Of a game that a check plays, unless the episode ends before."""

REFUSED = (TypeError, ValueError, gymnasium.error.Error)
"""What a vector environment that knows one seed for all raises when it is given several."""


class Move(NamedTuple):
    """What a step returned, for one game; under SAME_STEP with the final observation."""

    obs: Any
    reward: Any
    terminated: Any
    truncated: Any
    info: Mapping[str, Any]


@dataclass
class Played:
    """The first steps of an episode, at most to its end. `observations` has one more entry than the others."""

    seed: int | None
    observations: list[Any]
    actions: list[int] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return bool(self.moves) and bool(self.moves[-1].terminated or self.moves[-1].truncated)

    def example(self, step: int) -> dict[str, Any]:
        """How to come to what the step with this number returned, from 1; 0 is the reset."""
        return {"seed": self.seed, "actions": self.actions[:step]}


@dataclass
class Games:
    """Some games that one call of `make_env` made: single environments, or one vector environment."""

    made: list[gymnasium.Env[Any, Any]] | VectorEnv[Any, Any, Any]
    count: int
    one_seed: bool = False
    """The vector environment takes one seed for all of its games; known after the first reset."""
    attempted: int | None = None
    """The first game's latest action."""

    @property
    def vector(self) -> VectorEnv[Any, Any, Any] | None:
        return self.made if isinstance(self.made, VectorEnv) else None

    @property
    def singles(self) -> list[gymnasium.Env[Any, Any]]:
        """None for a vector environment."""
        return [] if isinstance(self.made, VectorEnv) else self.made

    @property
    def observation_space(self) -> gymnasium.Space[Any]:
        return self.vector.single_observation_space if self.vector else self.singles[0].observation_space

    @property
    def num_actions(self) -> int:
        space: Any = self.vector.single_action_space if self.vector else self.singles[0].action_space
        return int(space.n)

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.vector.metadata if self.vector else self.singles[0].metadata

    @property
    def mode(self) -> AutoresetMode:
        return AutoresetMode(self.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))

    def play(
        self,
        seeds: Sequence[int] | None = None,
        steps: int = STEPS,
        actions: Sequence[int] | None = None,
        tune: int = 0,
    ) -> list[Played]:
        """One episode of each game, up to `steps`: see `moves`."""
        *_, played = self.moves(seeds, steps, actions, tune)
        return played

    def moves(
        self,
        seeds: Sequence[int] | None = None,
        steps: int = STEPS,
        actions: Sequence[int] | None = None,
        tune: int = 0,
    ) -> Iterator[list[Played]]:
        """Play, and give what has been played so far after the reset and after each step.

        Args:
            seeds: of the reset, one a game; None gives none.
            actions: of every game, over and over; else random ones, the same for every game and each `tune`.
        """
        script = np.random.default_rng(tune).integers(self.num_actions, size=steps) if actions is None else actions
        names = [None] * self.count if seeds is None else seeds
        played = [Played(seed, [copy.deepcopy(obs)]) for seed, obs in zip(names, self._reset(seeds), strict=True)]
        yield played
        for step in range(steps):
            action = np.int64(script[step % len(script)])
            self.attempted = int(action)
            going = [not game.ended for game in played]
            for game, move in zip(played, self._step(action, going, seeds), strict=True):
                if move is not None and not game.ended:
                    game.actions.append(int(action))
                    game.moves.append(move)
                    game.observations.append(move.obs)
            yield played
            if all(game.ended for game in played):
                return

    def _reset(self, seeds: Sequence[int] | None) -> Sequence[Any]:
        if self.vector is None:
            given = [None] * self.count if seeds is None else seeds
            return [env.reset(seed=seed)[0] for env, seed in zip(self.singles, given, strict=True)]
        listed: Any = seeds if seeds is None else list(seeds)
        try:
            return self.vector.reset(seed=listed)[0]
        except REFUSED:
            if seeds is None or self.mode is AutoresetMode.DISABLED:
                raise
            self.one_seed = True
            return self.vector.reset(seed=seeds[0])[0]

    def _step(self, action: np.int64, going: Sequence[bool], seeds: Any) -> Sequence[Move | None]:
        if self.vector is None:
            # all of them before any is copied, as gymnasium does it: what two games share shows
            made = [env.step(action) if goes else None for env, goes in zip(self.singles, going, strict=True)]
            return [None if result is None else _move(result) for result in made]
        obs, *three, info = copy.deepcopy(self.vector.step(np.full(self.count, action)))
        for what, values in zip(("rewards", "terminated", "truncated"), three, strict=True):
            shape = np.shape(values)
            wanted = f"an array of shape ({self.count},)"
            require(shape == (self.count,), example=f"{what} of a step", expected=wanted, got=f"shape {shape}")
        ended = np.asarray(three[1], np.bool_) | np.asarray(three[2], np.bool_)
        if ended.any() and self.mode is AutoresetMode.DISABLED:
            listed: Any = seeds if seeds is None else list(seeds)
            self.vector.reset(seed=listed, options={"reset_mask": ended})
        shown = [
            info["final_obs"][row] if self.mode is AutoresetMode.SAME_STEP and end else obs[row]
            for row, end in enumerate(ended)
        ]
        rewards, terminated, truncated = three
        return [
            Move(shown[row], rewards[row], terminated[row], truncated[row], _of_row(info, row, self.count))
            for row in range(self.count)
        ]


def _move(result: Any) -> Move:
    size = len(result) if isinstance(result, tuple) else type(result).__name__
    require(size == len(Move._fields), example="what step returned", expected="a tuple of 5", got=size)
    return Move._make(copy.deepcopy(result))


def _of_row(info: Mapping[str, Any], row: int, count: int) -> Mapping[str, Any]:
    """One game's part of what a vector environment says beside."""
    return {key: values[row] for key, values in info.items() if isinstance(values, np.ndarray) and len(values) == count}


@contextmanager
def games(subject: Subject, count: int = 2, role: Role = "train") -> Iterator[Games]:
    """New games, closed in the end."""
    plugins, config, _ = configure(subject.names, [Source("check", dict(subject.values))])
    made: Any = Slots(plugins).fill(
        "make_env", object, config=config, seeds=Seeds(subject.seed), role=role, num_envs=count
    )
    if isinstance(made, VectorEnv):
        opened = Games(made, count)
    else:
        wrappers: list[Callable[[Any], Any]] = [
            wrap for _, wrap in plugins.gather("env_wrapper", WRAPPER, config=config, role=role)
        ]
        opened = Games([reduce(lambda env, wrap: wrap(env), wrappers, made()) for _ in range(count)], count)
    try:
        yield opened
    finally:
        for env in [opened.vector] if opened.vector else opened.singles:
            env.close()


def difference(one: Played, other: Played) -> tuple[int, str, Any, Any] | None:
    """Where two episodes part: the step, what differs, and both values. None if they are the same."""
    pairs = zip(_told(one), _told(other), strict=False)
    for step, (left, right) in enumerate(pairs):
        for name in left:
            if not _equal(left[name], right[name]):
                return step, name, left[name], right[name]
    lengths = len(one.moves), len(other.moves)
    return None if lengths[0] == lengths[1] else (min(lengths), "length", *lengths)


def _told(played: Played) -> Iterator[dict[str, Any]]:
    yield {"observation": played.observations[0]}
    for obs, reward, terminated, truncated, _ in played.moves:
        yield {"observation": obs, "reward": reward, "terminated": terminated, "truncated": truncated}


def _equal(one: Any, other: Any) -> bool:
    left, right = np.asarray(one), np.asarray(other)
    return left.shape == right.shape and bool(np.array_equal(left, right, equal_nan=left.dtype.kind == "f"))


def described(value: Any) -> str:
    """An observation or a part of it, short: dtype and shape, where it has one, and values."""
    array = np.asarray(value)
    if array.size == 0 or array.dtype.kind not in "biuf":
        return repr(value)
    if array.ndim == 0:
        return f"{array.item()}"
    values = str(array.tolist()) if array.size <= 8 else f"values from {array.min()} to {array.max()}"
    return f"{array.dtype}{list(array.shape)}: {values}"
