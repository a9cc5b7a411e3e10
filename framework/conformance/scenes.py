"""A buffer with a plain history beside it, and walks that bring its write head to every place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, TypeVar

import numpy as np

from framework.config import Config
from framework.conformance.bench import Bench
from framework.conformance.checks import NotApplicable, Violation, require
from framework.conformance.histories import FIELDS, History, should
from framework.conformance.samples import frames_of
from framework.conformance.scripted import Indifferent, PlainReturns, RecordingSampler
from framework.conformance.subject import Subject
from framework.errors import UnsupportedSpace, UsageError
from framework.options import ReplayOptions
from framework.types import Batch, Buffer, Counters, Returns, Spaces, Step

FRAME = (2, 3)
"""Unequal sides, so that none passes for the other."""

SIZES = ((1, 1), (2, 1), (1, 2), (3, 1), (2, 2), (1, 3), (3, 3))
"""(frames of a stack, steps of a window)."""

EPISODES = ((99,), (3, 1, 5, 2), (1,))
"""Lengths of episodes, in turn: one without an end, mixed ones, and nothing but ends."""


DOUBLINGS = 6
"""How often a capacity that is refused is doubled."""

T = TypeVar("T")


class CapacityRefused(NotApplicable):
    """The buffer refuses the capacity."""


def with_room(build: Callable[[int], T], capacity: int) -> T:
    """What is built with a capacity, or with the first of its doubles that the buffer does not refuse.

    Raises:
        CapacityRefused: if it refuses them all.
    """
    for _ in range(DOUBLINGS):
        try:
            return build(capacity)
        except CapacityRefused:
            capacity *= 2
    return build(capacity)


class Scene:
    """A buffer whose draws are scripted, and what it was given.

    Raises:
        CapacityRefused: see there.
        NotApplicable: if the buffer draws or folds by itself, or cannot serve the spaces.
    """

    def __init__(self, subject: Subject, spaces: Spaces, n: int, capacity: int) -> None:
        if draws_by_itself(subject):
            raise NotApplicable("the buffer draws and folds by itself")
        self.spaces, self.n, self.capacity = spaces, n, capacity
        self.history, self.sampler, self.returns = History(spaces), RecordingSampler(), PlainReturns(n)
        self.buffer = buffer_of(sized(subject.bench(), capacity), spaces, self.sampler, self.returns)
        self._engine = subject.fills("make_buffer", "engine")

    def step(self, signs: Sequence[str]) -> Step:
        """Let something happen, and tell the buffer."""
        step = self.history.step(signs)
        self.buffer.add(step)
        return step

    def drawn(self) -> Batch:
        """Everything that can be drawn now, successors read."""
        batch = self.buffer.sample(len(self.sampler.active), Counters())
        _ = batch.next_obs, batch.next_action
        return batch

    def may_be_drawn(self) -> tuple[set[int], set[int]]:
        """The starts that must be there and those that may be, by their frames' numbers.

        How much is kept is the buffer's own business once it is full; of the engine's it is known.
        """
        length = self.capacity // self.spaces.num_envs
        whole = set(self.history.windows(self.n))
        if self._engine:
            kept = self.history.kept(self.n, length)
            return kept, kept
        return (whole if max(self.history.frames) <= length else set()), whole

    def verify(self) -> None:
        """Compare everything that can be drawn now.

        Raises:
            Violation: for the first difference.
        """
        batch = self.drawn()
        self.compare_starts(batch)
        self.compare(batch, *FIELDS)

    def compare_starts(self, batch: Batch) -> None:
        """Compare which starts a batch of everything holds.

        Raises:
            Violation: if one is missing, or one is there that may not be.
        """
        must, may = self.may_be_drawn()
        found = {self.history.number(obs) for obs in batch.obs}
        example = self.example(compared="the starts that can be drawn, by their frames' numbers")
        require(must <= found <= may, example=example, expected=sorted(must or may), got=sorted(found))

    def compare(self, batch: Batch, *fields: str) -> None:
        """Compare these fields of each row with what happened; rows that no transition starts with are left out.

        Raises:
            Violation: for the first difference.
        """
        windows = self.history.windows(self.n)
        for index, obs in enumerate(batch.obs):
            window = windows.get(self.history.number(obs))
            for field in fields if window else ():
                wanted = should(self.history, self.returns, window or (), field)
                got = getattr(batch, field)[index]
                if not np.array_equal(got, wanted):
                    example = self.example(start=self.history.number(obs), compared=field)
                    raise Violation(example, *(told(self.history, field, value) for value in (wanted, got)))

    def example(self, **more: Any) -> dict[str, Any]:
        """How the scene is shown."""
        stack = f"{self.spaces.frame_stack} ({self.spaces.stack_padding})" if self.spaces.frame_stack > 1 else "1"
        shown = {"capacity": self.capacity, "stack": stack, "window": self.n, "frames": self.history.shown()}
        return {**shown, **more}


def draws_by_itself(subject: Subject) -> bool:
    """Whether the buffer has no use for a sampler or for returns, so that its draws cannot be scripted."""
    return not all(subject.consumes("make_buffer", argument) for argument in ("sampler", "returns"))


def sized(bench: Bench, capacity: int) -> Bench:
    """The bench with another `replay.capacity`."""
    sections = (
        section.model_copy(update={"capacity": capacity}) if isinstance(section, ReplayOptions) else section
        for section in bench.config
    )
    return replace(bench, config=Config(sections, bench.config.sources))


def buffer_of(bench: Bench, spaces: Spaces, sampler: Any = None, returns: Returns | None = None) -> Buffer:
    """The composition's buffer on spaces of the harness's."""
    try:
        return bench.buffer(spaces, sampler, returns, Indifferent(spaces.num_actions))
    except UnsupportedSpace as reason:
        raise NotApplicable(f"the buffer {reason}") from reason
    except UsageError as reason:
        raise CapacityRefused(f"the buffer refuses small capacities: {reason}") from reason


def walks(subject: Subject) -> Iterator[Scene]:
    """Scenes after each step of small replays that are filled more than twice, the smallest first.

    Two environments: one makes a transition at each step, the other none in the step after an episode's end, as
    environments that reset on their own do.
    """
    refused: list[CapacityRefused] = []
    spares = range(5) if subject.thorough else range(2)
    sizes = tuple(product(range(1, 5), repeat=2)) if subject.thorough else SIZES
    cases = sorted(product(sizes, spares, EPISODES), key=lambda case: (sum(case[0]) + case[1], case[0]))
    for number, ((stack, n), spare, lengths) in enumerate(cases):
        spaces = frames_of(FRAME, np.int64, stack, 2, padding="zero" if number % 2 else "repeat")
        length = stack + n + 1 + spare
        try:
            scene = Scene(subject, spaces, n, 2 * length)
        except CapacityRefused as reason:
            refused.append(reason)
            continue
        for signs in _signs(lengths, 2 * length + 3):
            scene.step(signs)
            yield scene
    if len(refused) == len(cases):
        raise refused[-1]


def _signs(lengths: Sequence[int], steps: int) -> Iterator[list[str]]:
    """Signs of two environments, ends of every kind in turn; the second rests after an end."""
    left, episode, resting = [lengths[0], lengths[-1]], [0, 1], False
    for _ in range(steps):
        signs = ["", ""]
        for env in range(2):
            if env and resting:
                signs[env], resting = "-", False
                continue
            left[env] -= 1
            signs[env] = "." if left[env] else "tub"[episode[env] % 3]
            if not left[env]:
                episode[env] += 1
                left[env] = lengths[episode[env] % len(lengths)]
                resting = resting or env == 1
        yield signs


def told(history: History, field: str, value: Any) -> object:
    """A field's value as it should be shown: frames by their numbers where they are whole."""
    if not field.endswith("obs"):
        return value
    frames = value if history.spaces.frame_stack > 1 else value[None]
    if frames.shape[1:] != history.spaces.frame.shape:
        return f"an array of shape {list(value.shape)}"
    size = max(1, int(np.prod(FRAME)))
    numbers = [int(frame.flat[0]) // size for frame in frames]
    whole = np.array_equal(history.paint(numbers), frames)
    blank = [not frame.any() for frame in frames]
    if whole or any(blank):
        return "frames " + " ".join("blank" if empty else str(n) for n, empty in zip(numbers, blank, strict=True))
    return value
