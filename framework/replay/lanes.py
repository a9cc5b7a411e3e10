"""Replay that stores each frame once: a ring of frames for each environment, stacked when sampled.

A lane is the history of one environment. Its frames have positions p = 0, 1, 2, … that never start again. Frame
p lies at index p mod the lane's length. It is the observation of the transition that starts at p, and the
successor of the transition before it. So an episode of T transitions takes T + 1 frames, and no transition
starts at its last frame. The id of a transition is p · N + lane. No id is used again, so a late priority cannot
reach another transition.

A transition is *active* (can be sampled) once its n-step window is complete or its episode has ended. It stays
active until a frame of its stack is overwritten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from framework.environments.frames import window
from framework.errors import UsageError
from framework.replay.priorities import InitialPriorities
from framework.replay.segments import Cuts, each
from framework.types import Batch, Counters, Returns, Sampler, Spaces, State, Step

SEGMENT_BYTES = 1 << 26
"""The largest size of one segment in bytes. It bounds the memory that writing and reading a checkpoint take."""

_ARRAYS = ("_age", "_action", "_reward", "_terminated", "_truncated", "_head", "_pending")


class Frames(Protocol):
    """What the replay needs of its array of frames: reading and writing at arrays of indices, and a copy."""

    def __setitem__(self, slots: Any, frames: Any, /) -> None: ...

    def __getitem__(self, slots: Any, /) -> Any: ...

    def copy(self) -> np.ndarray: ...


def _frame_bytes(spaces: Spaces) -> int:
    assert spaces.frame.shape is not None and spaces.frame.dtype is not None
    return math.prod(spaces.frame.shape) * np.dtype(spaces.frame.dtype).itemsize


def _age_dtype(spaces: Spaces) -> np.dtype[Any]:
    """The smallest dtype for ages. Adding a frame counts to the size of a stack before it is cut to one less."""
    return np.min_scalar_type(spaces.frame_stack)


def bytes_needed(spaces: Spaces, capacity: int) -> int:
    """Bytes that a replay of `capacity` frames takes, without the index of its sampler."""
    return capacity * (_frame_bytes(spaces) + _age_dtype(spaces).itemsize + 2 * np.dtype(np.float64).itemsize + 2)


class FrameReplay:
    """A buffer of the last `capacity` frames of N environments, `capacity` // N each.

    Args:
        allocate: makes the array of frames from its shape and dtype, as numpy's `zeros` does.

    Raises:
        UsageError: if a lane would be too short for one stack and one window.
    """

    def __init__(
        self,
        spaces: Spaces,
        capacity: int,
        sampler: Sampler,
        returns: Returns,
        allocate: Callable[[tuple[int, ...], np.dtype[Any]], Frames] = np.zeros,
    ) -> None:
        lanes, length = spaces.num_envs, capacity // spaces.num_envs
        shortest = spaces.frame_stack + returns.horizon + 1
        if length < shortest:
            raise UsageError(
                f"replay.capacity = {capacity} gives each of {lanes} environments {length} frames; stacks of "
                f"{spaces.frame_stack} and windows of {returns.horizon} need a capacity of at least {shortest * lanes}"
            )
        self._spaces, self._sampler, self._returns = spaces, sampler, returns
        self._lanes, self._length, self._stack = lanes, length, spaces.frame_stack
        slots = lanes * length
        # the system provides pages of zeros only when they are first written, so a new buffer takes little memory
        self._frames = allocate((slots, *(spaces.frame.shape or ())), np.dtype(spaces.frame.dtype))
        self._age = np.zeros(slots, _age_dtype(spaces))
        self._action = np.zeros(slots, np.int64)
        self._reward = np.zeros(slots, np.float64)
        self._terminated = np.zeros(slots, np.bool_)
        self._truncated = np.zeros(slots, np.bool_)
        self._head = np.full(lanes, -1, np.int64)
        self._pending = np.zeros(lanes, np.int64)
        self._priorities = InitialPriorities(slots)
        self._cuts = Cuts(lanes, length)
        self._version = 0
        self._sampled = np.empty(0, np.int64)
        sampler.allocate(slots)

    def __len__(self) -> int:
        return len(self._sampler)

    def add(self, step: Step) -> None:
        """Append each row to its environment's lane. Arrays are copied."""
        self._version += 1
        lanes = step.env_id
        if step.first.any():
            starting = lanes[step.first]
            self._truncate_lost(starting)
            last = self._index(starting, self._head[starting])  # no transition starts at an episode's last frame
            self._terminated[last] = self._truncated[last] = False
            self._advance(starting)
            self._frames[self._index(starting, self._head[starting])] = step.obs[step.first]
            self._age[self._index(starting, self._head[starting])] = 0
            self._pending[starting] = self._head[starting]
        start = self._head[lanes]
        slot = self._index(lanes, start)
        self._action[slot] = step.action
        self._reward[slot] = step.reward
        self._terminated[slot] = step.terminated
        self._truncated[slot] = step.truncated
        self._priorities.set(slot, step.priority)
        age = np.minimum(self._age[slot] + 1, self._stack - 1)
        self._advance(lanes)
        slot = self._index(lanes, self._head[lanes])
        self._frames[slot] = step.next_obs
        self._age[slot] = age
        self._activate(lanes, np.where(step.ended, start, start - self._returns.horizon + 1))

    def sample(self, n: int, counters: Counters) -> Batch:
        """At most n transitions, as the sampler chooses. Read `next_obs` and `next_action` before the next `add`."""
        ids, weights = self._sampler.sample(n, counters)
        self._sampled = ids
        return self._batch(ids, weights)

    def ids(self) -> Int64[np.ndarray, " K"]:
        """Every transition whose window is complete and whose stack has all its frames, lane by lane.

        The last ones of a lost episode are among them, with windows that are cut short at its end; they are not drawn.
        Where frames are not stacked, this leaves out the oldest frame of a full lane, because no frame before it tells
        whether a transition starts there.
        """
        found = []
        for lane in range(self._lanes):
            oldest = max(0, int(self._head[lane]) - self._length + (2 if self._stack == 1 else 1))
            positions = np.arange(oldest, int(self._pending[lane]))
            slots = self._index(np.full(len(positions), lane), positions)
            before = self._index(np.full(len(positions), lane), positions - 1)
            ended = (self._terminated[before] | self._truncated[before]) & (positions > 0)
            # what ended before the oldest frame is overwritten: if that frame has the age 0, an episode begins there
            ended[(positions == oldest) & (self._age[slots] == 0) & (self._stack > 1)] = False
            whole = positions - self._age[slots] >= max(0, int(self._head[lane]) - self._length + 1)
            found.append(positions[whole & ~ended] * self._lanes + lane)
        return np.concatenate(found)

    def read(self, ids: Int64[np.ndarray, " B"]) -> Batch:
        """These transitions, with the importance weight 1: see `framework.types.Browsable`."""
        return self._batch(ids, np.ones(len(ids)))

    def _batch(self, ids: Int64[np.ndarray, " B"], weights: Float64[np.ndarray, " B"]) -> Batch:
        lanes, start = ids % self._lanes, ids // self._lanes
        steps = self._index(lanes[:, None], start[:, None] + np.arange(self._returns.horizon))
        reward, discount, length = self._returns.fold(
            self._reward[steps], self._terminated[steps], self._truncated[steps]
        )
        version, after = self._version, start + length

        def read_next_obs() -> Shaped[np.ndarray, "B *obs"]:
            self._refuse_if_changed(version, "next_obs")
            return self._observations(lanes, after)

        def read_next_action() -> Int64[np.ndarray, " B"]:
            self._refuse_if_changed(version, "next_action")
            return self._actions_after(lanes, after)

        return Batch(
            ids=ids,
            obs=self._observations(lanes, start),
            action=self._action[steps[:, 0]],
            reward=reward,
            discount=discount,
            weights=weights,
            read_next_obs=read_next_obs,
            read_next_action=read_next_action,
        )

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Shaped[np.ndarray, " B"]) -> None:
        self._sampler.reprioritize(ids, priorities)

    def measures(self) -> Mapping[str, float]:
        """Return the mean age of the last batch, in environment steps of the whole run."""
        lanes, start = self._sampled % self._lanes, self._sampled // self._lanes
        age = (self._head[lanes] - start) * self._lanes
        return {"age": float(age.mean())} if len(age) else {}

    def state_dict(self) -> State:
        return {"frames": self._frames.copy(), **self._all_but_frames()}

    def manifest(self) -> Mapping[str, Any]:
        """The capacity in frames, and the size in bytes."""
        slots = self._lanes * self._length
        return {"capacity": slots, "bytes": bytes_needed(self._spaces, slots)}

    def load_state_dict(self, state: State) -> None:
        self._load_all_but_frames(state)
        self._frames[np.arange(len(state["frames"]))] = state["frames"]
        self._cuts = Cuts(self._lanes, self._length)

    def cut(self) -> tuple[State, Mapping[str, Callable[[], State]]]:
        """Everything but the frames, and the frames in segments: see `framework.types.Segmented`."""
        most = max(1, SEGMENT_BYTES // (_frame_bytes(self._spaces) * self._lanes))
        ranges = self._cuts.cut(self._head, most)
        segments = {name: partial(self._segment, *between) for name, between in ranges.items()}
        return {**self._all_but_frames(), "cuts": np.array(self._cuts.positions)}, segments

    def join(self, state: State, segments: Iterable[State]) -> None:
        """Load what `cut` returned."""
        self._load_all_but_frames(state)
        self._cuts.positions = list(state["cuts"])
        for segment in segments:  # a later segment overwrites frames that no longer fit into the ring
            self._frames[self._index(*each(segment["first"], segment["count"]))] = segment["frames"]

    def _all_but_frames(self) -> State:
        return {name.removeprefix("_"): getattr(self, name).copy() for name in _ARRAYS}

    def _load_all_but_frames(self, state: State) -> None:
        for name in _ARRAYS:
            getattr(self, name)[...] = state[name.removeprefix("_")]

    def _segment(self, before: Int64[np.ndarray, " N"], after: Int64[np.ndarray, " N"]) -> State:
        """The frames of each lane after `before` up to `after`, lane by lane, without those that are overwritten."""
        first = np.maximum(before, self._head - self._length) + 1
        count = np.maximum(after - first + 1, 0)
        return {"first": first, "count": count, "frames": self._frames[self._index(*each(first, count))]}

    def _index(self, lanes: Int64[np.ndarray, " *B"], positions: Int64[np.ndarray, " *B"]) -> Int64[np.ndarray, " *B"]:
        return lanes * self._length + positions % self._length

    def _advance(self, lanes: Int64[np.ndarray, " M"]) -> None:
        """Advance the heads of these lanes by one frame, and retire the transitions whose stack loses a frame."""
        self._head[lanes] += 1
        overwritten = self._head[lanes] - self._length
        if overwritten.max(initial=-1) < 0:
            return
        starts = overwritten[:, None] + np.arange(self._stack)
        lost = starts - self._age[self._index(lanes[:, None], starts)] <= overwritten[:, None]
        ids = starts * self._lanes + lanes[:, None]
        self._sampler.retire(ids[lost & (overwritten >= 0)[:, None]])

    def _truncate_lost(self, lanes: Int64[np.ndarray, " M"]) -> None:
        """Truncate the last transition of an episode that did not end before the next one begins.

        The transitions whose window is not complete then are never activated.
        """
        begun = lanes[self._head[lanes] > 0]
        before = self._index(begun, self._head[begun] - 1)
        self._truncated[before] |= ~self._terminated[before]

    def _activate(self, lanes: Int64[np.ndarray, " M"], last: Int64[np.ndarray, " M"]) -> None:
        """Activate the pending transitions of these lanes up to the position `last`."""
        first = self._pending[lanes]
        count = np.maximum(last - first + 1, 0)
        if count.any():
            rows, positions = each(first, count)
            ids = positions * self._lanes + lanes[rows]
            self._sampler.activate(ids)
            self._priorities.give(self._sampler, ids, self._index(lanes[rows], positions))
            self._pending[lanes] = first + count

    def _refuse_if_changed(self, version: int, what: str) -> None:
        if version != self._version:
            raise RuntimeError(f"{what} was read after the buffer had changed: read it before the next add")

    def _actions_after(
        self, lanes: Int64[np.ndarray, " B"], positions: Int64[np.ndarray, " B"]
    ) -> Int64[np.ndarray, " B"]:
        """The actions at these positions, each the successor of a transition; −1 if no action was taken there (yet)."""
        before = self._index(lanes, positions - 1)
        known = (positions < self._head[lanes]) & ~(self._terminated[before] | self._truncated[before])
        return np.where(known, self._action[self._index(lanes, positions)], -1)

    def _observations(
        self, lanes: Int64[np.ndarray, " B"], positions: Int64[np.ndarray, " B"]
    ) -> Shaped[np.ndarray, "B *obs"]:
        slots = self._index(lanes, positions)
        if self._stack == 1:
            return self._frames[slots]
        stack, padding = window(positions, self._age[slots].astype(np.int64), self._stack)
        frames = self._frames[self._index(lanes[:, None], stack)]
        if self._spaces.stack_padding == "zero":
            frames[padding] = 0
        return frames
