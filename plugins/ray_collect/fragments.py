"""Steps on their way from an actor to the learner: packed so that each frame is there once, and rebuilt exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from framework.types import Step


@dataclass(frozen=True)
class Fragment:
    """T consecutive steps of one actor's environments, with R rows in all.

    A row's `next_obs` is a frame of the fragment. Its `obs` is one only if the row is `first`; otherwise it is the
    `next_obs` of the environment's row before, in this fragment or in the one before.
    """

    counts: Int64[np.ndarray, " T"]
    """Rows of each step."""
    columns: Mapping[str, Shaped[np.ndarray, "R"]]
    """Field of `Step` → its values in all rows. Optional fields may be missing."""
    info: Mapping[str, Float64[np.ndarray, " R"]]
    frames: Shaped[np.ndarray, "F *frame"]
    """In the order of the rows: the row's `obs` if it is `first`, then its `next_obs`."""
    frame_skip: int

    def __len__(self) -> int:
        """The number of steps."""
        return len(self.counts)


COLUMNS = ("env_id", "first", "action", "reward", "raw_reward", "terminated", "truncated")
OPTIONAL = ("life_lost", "priority")
MISSING: Mapping[str, Any] = {"life_lost": False, "lost": False, "priority": np.nan}
"""Optional field of `Step` → its value in the rows of a step that has none."""


def pack(steps: Sequence[Step]) -> Fragment:
    """The steps as one fragment, without those that have no rows. Arrays are copied."""
    steps = [step for step in steps if len(step)]
    optional = [name for name in OPTIONAL if any(getattr(step, name) is not None for step in steps)]
    columns = {name: _column(steps, name) for name in (*COLUMNS, *optional)}
    rows = [(step, row) for step in steps for row in range(len(step))]
    frames = [frame for step, row in rows for frame in ([step.obs[row]] * bool(step.first[row]) + [step.next_obs[row]])]
    return Fragment(
        counts=np.array([len(step) for step in steps], np.int64),
        columns=columns,
        info=_info(steps),
        frames=np.stack(frames) if frames else np.empty(0),
        frame_skip=steps[0].frames if steps else 1,
    )


def most_bytes(steps: int, environments: int, frame_bytes: int, infos: int = 0) -> int:
    """The most bytes of a fragment: each row may begin an episode and so have two frames.

    Args:
        infos: numbers of the environments' info in a row.
    """
    row = (5 + infos) * 8 + 4  # action, env_id, two rewards, priority; four flags
    return steps * (8 + environments * (row + 2 * frame_bytes))


class Unpacker:
    """Rebuilds the steps of one actor's environments from its fragments, in their order."""

    def __init__(self, offset: int, num_envs: int) -> None:
        """
        Args:
            offset: the number in the run of the actor's first environment.
            num_envs: how many environments the actor has.
        """
        self._offset = offset
        self._newest: list[Any] = [None] * num_envs
        self.running: Bool[np.ndarray, " K"] = np.zeros(num_envs, np.bool_)
        """Which environments have an episode under way, of which the learner has steps."""
        self._gone: Bool[np.ndarray, " K"] = np.zeros(num_envs, np.bool_)

    def cut(self) -> None:
        """The episodes under way are lost: the next fragment begins new ones."""
        self._gone |= self.running
        self.running[:] = False
        self._newest = [None] * len(self._newest)

    def unpack(self, fragment: Fragment) -> Iterator[Step]:
        """The steps, one after the other. Each is rebuilt when it is asked for, with arrays of its own.

        Raises:
            ValueError: if a row does not follow from what came before.
        """
        begin, frame = 0, 0
        for count in fragment.counts.tolist():
            rows = slice(begin, begin + count)
            column = {name: values[rows].copy() for name, values in fragment.columns.items()}
            first, envs = column["first"], column["env_id"]
            obs, next_obs = [], []
            for starts, env in zip(first.tolist(), envs.tolist(), strict=True):
                if starts:
                    self._newest[env] = fragment.frames[frame]
                    frame += 1
                if self._newest[env] is None:
                    raise ValueError(f"a fragment goes on with an episode of environment {env} that was not begun")
                obs.append(self._newest[env])
                next_obs.append(fragment.frames[frame])
                # copied, because a view would keep the whole fragment
                self._newest[env] = np.array(fragment.frames[frame])
                frame += 1
            lost = self._gone[envs] & first
            self._gone[envs[lost]] = False
            step = Step(
                **{**column, "env_id": envs + self._offset},
                obs=np.stack(obs),
                next_obs=np.stack(next_obs),
                frames=fragment.frame_skip,
                info={name: values[rows].copy() for name, values in fragment.info.items()},
                lost=lost if lost.any() else None,
            )
            self.running[envs] = ~step.over
            begin += count
            yield step


def joined(steps: Sequence[Step]) -> Step:
    """One step of the steps of several actors, which have different environments, in the order of their numbers."""
    if len(steps) == 1:
        return steps[0]
    optional = [name for name in MISSING if any(getattr(step, name) is not None for step in steps)]
    return Step(
        **{name: _column(steps, name) for name in (*COLUMNS, "obs", "next_obs", *optional)},
        frames=steps[0].frames,
        info=_info(steps),
    )


def _info(steps: Sequence[Step]) -> dict[str, Float64[np.ndarray, " R"]]:
    names = dict.fromkeys(name for step in steps for name in step.info)
    return {name: np.concatenate([step.info.get(name, np.full(len(step), np.nan)) for step in steps]) for name in names}


def _column(steps: Sequence[Step], name: str) -> Any:
    given = [getattr(step, name) for step in steps]
    filled = [
        np.full(len(step), MISSING[name]) if values is None else values
        for step, values in zip(steps, given, strict=True)
    ]
    return np.concatenate(filled) if filled else np.empty(0)
