"""Watches the parts of a run at work, and reads what the ledgers wrote down."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from framework.assembly import Parts
from framework.conformance.checks import NotApplicable, Violation
from framework.conformance.environments import Entry, Ledger
from framework.conformance.subject import Subject
from framework.events import Callback, Episode, EvaluationResult
from framework.loop import Loop
from framework.types import Batch, Counters, Errors, Step
from framework.vector import Stream

SHORT: Mapping[str, Any] = {
    "run.steps": 60,
    "run.episodes": None,
    "run.until": None,
    "learning.starts": 10,
    "learning.batch_size": 4,
    "learning.updates_per_step": 0.5,
    "target.every": 5,
    "exploration.horizon": 60,
    "probe.stagger": True,
}
"""A run that is over at once and has some of everything in it."""


def short(subject: Subject, num_envs: int, **more: Any) -> dict[str, Any]:
    """The values of a short run, shorter where images make it slow, with these ones, which are stronger."""
    steps = 30 if subject.observations == "image" else SHORT["run.steps"]
    return {**SHORT, "run.steps": steps, "run.num_envs": num_envs, **more}


Tell = Callable[[tuple[Any, ...], Mapping[str, Any], Any], None]


def told(function: Callable[..., Any], tell: Tell) -> Callable[..., Any]:
    """The function; after each call, `tell` hears of its arguments and its result."""

    @functools.wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        tell(args, kwargs, result)
        return result

    return watched


def watch(part: Any, method: str, tell: Tell) -> None:
    """Hear of every call of a part's method, whoever holds the part.

    Raises:
        NotApplicable: if the part lets nobody exchange it.
    """
    try:
        object.__setattr__(part, method, told(getattr(part, method), tell))
    except AttributeError as error:
        raise NotApplicable(f"{type(part).__name__} cannot be watched") from error


@dataclass(frozen=True)
class Call:
    """One call: what was called, the counters and the length of the buffer then, what was given and what came back."""

    what: str
    clock: Counters
    available: int
    given: tuple[Any, ...]
    result: Any


class Journal:
    """Every call that the loop makes of the parts, in order. To be attached before the loop is built."""

    def __init__(self, parts: Parts) -> None:
        self.calls: list[Call] = []
        self._parts = parts
        watch(parts.collector, "begin", self._note("begin"))
        watch(parts.collector, "finish", self._note("finish"))
        for method in ("add", "sample", "reprioritize"):
            watch(parts.buffer, method, self._note(method))
        parts.loss = told(parts.loss, self._note("loss"))
        watch(parts.optimizer, "apply", self._note("apply"))
        watch(parts.target_sync, "tick", self._note("tick"))

    def of(self, *what: str) -> list[Call]:
        """The calls of these names, in order."""
        return [call for call in self.calls if call.what in what]

    def _note(self, what: str) -> Tell:
        def note(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
            clock, available = copy.copy(self._parts.counters), len(self._parts.buffer)
            self.calls.append(Call(what, clock, available, (*args, *kwargs.values()), result))

        return note


class Recorder(Callback):
    """What a run's listeners are told."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.steps: list[tuple[Step, Counters]] = []
        self.updates: list[tuple[Batch, Errors, Counters]] = []
        self.episodes: list[Episode] = []
        self.evaluations: list[tuple[EvaluationResult, Counters]] = []

    def on_start(self, counters: Counters) -> None:
        self.order.append("start")

    def on_step(self, step: Step, counters: Counters) -> None:
        self.order.append("step")
        self.steps.append((step, copy.copy(counters)))

    def on_update(self, batch: Batch, errors: Errors, counters: Counters) -> None:
        self.order.append("update")
        self.updates.append((batch, errors, copy.copy(counters)))

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        self.order.append("episode")
        self.episodes.append(episode)

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        self.order.append("evaluation")
        self.evaluations.append((result, copy.copy(counters)))

    def on_end(self, counters: Counters) -> None:
        self.order.append("end")


def recorded(parts: Parts) -> Recorder:
    """Train the parts to the end and say what the listeners were told."""
    recorder = Recorder()
    Loop(parts, [recorder]).run()
    return recorder


class Choices:
    """What the policy was asked and gave, (obs, values, explore), and the exploration: (values, obs, clock, actions).

    The clock is in environment steps. A collector may ask for all environments at once or for one after the other.
    """

    def __init__(self, parts: Parts) -> None:
        self.asked: list[tuple[np.ndarray, np.ndarray, bool]] = []
        self.chosen: list[tuple[np.ndarray, np.ndarray, int, np.ndarray]] = []
        watch(parts.policy, "action_values", self._ask)
        watch(parts.exploration, "choose", self._choose)

    def together(self, rows: int) -> list[tuple[np.ndarray, int, np.ndarray]]:
        """(obs, environment steps, actions) of so many rows each, in whatever pieces the exploration was asked.

        Raises:
            NotApplicable: if the pieces do not make as many.
        """
        found: list[tuple[np.ndarray, int, np.ndarray]] = []
        for _, obs, clock, actions in self.chosen:
            if found and len(found[-1][2]) < rows:
                before, clock, taken = found.pop()
                obs, actions = np.concatenate([before, obs]), np.concatenate([taken, actions])
            found.append((obs, clock, actions))
        if any(len(actions) != rows for _, _, actions in found):
            raise NotApplicable("the collector does not ask the exploration once for each environment")
        return found

    def _ask(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        obs, explore = (*args, *kwargs.values())
        self.asked.append((np.array(obs), result, bool(explore)))

    def _choose(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        values, obs, counters = (*args, *kwargs.values())
        self.chosen.append((values, np.array(obs), counters.env_steps, np.array(result)))


def ledgers(subject: Subject, stream: Stream) -> list[Ledger]:
    """The ledgers behind a stream, one an environment; see `single_environments`."""
    return single_environments(subject, stream)


def single_environments(subject: Subject, stream: Stream) -> list[Any]:
    """The environments side by side behind a stream, without wrappers.

    Raises:
        NotApplicable: if the composition puts wrappers of its own between them and the stream.
    """
    wrappers = [found.plugin for found in subject.plugins.implementing("env_wrapper")]
    if wrappers:
        raise NotApplicable(f"what {wrappers[0]} makes of an environment is its own affair")
    env: Any = stream.env
    return [single.unwrapped for single in env.envs]


def entries(step: Step, ledger: Ledger) -> list[tuple[int, Entry]]:
    """The rows of a step as (environment, transition), as a ledger writes them down."""
    read = ledger.painter.read
    return [
        (
            int(step.env_id[row]),
            Entry(
                bool(step.first[row]),
                read(step.obs[row]),
                int(step.action[row]),
                float(step.raw_reward[row]),
                bool(step.terminated[row]),
                bool(step.truncated[row]),
                read(step.next_obs[row]),
            ),
        )
        for row in range(len(step))
    ]


def copied(step: Step) -> Step:
    """A step that shares no memory with the original."""
    copies: dict[str, Any] = {field.name: copy.copy(getattr(step, field.name)) for field in fields(step)}
    return Step(**copies)


def expect_rows(got: Sequence[Any], wanted: Sequence[Any], what: str, example: Mapping[str, Any]) -> None:
    """Compare two sequences of tuples; the violation shows the first place where they differ."""
    for place in range(max(len(got), len(wanted))):
        found = got[place] if place < len(got) else "nothing"
        due = wanted[place] if place < len(wanted) else "nothing"
        if found != due:
            raise Violation({**example, what: place + 1}, due, found)
