"""Checks of the loop: transitions reach the buffer and the callbacks, and runs and evaluations happen when they should.

The checks of its updates are in `updates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.environments.probes import Entry
from framework.conformance.fixtures.snapshots import Snapshot, digests, snapshot
from framework.conformance.fixtures.spies import (
    ActionSpy,
    LoopSpy,
    Note,
    copied,
    entries,
    expect_rows,
    ledgers,
    run_with_spy,
    short,
    spy_on,
)
from framework.conformance.subject import Subject
from framework.training.loop import Loop
from framework.types import Step

SETTINGS = ((1, "disabled"), (3, "disabled"), (3, "next_step"), (3, "same_step"))
"""(number of environments, autoreset mode)."""

CLIP = 0.3


@check(
    "loop",
    "make_collector",
    Cause("the step on which an environment only resets itself is stored", "vwxyzjn/cleanrl#499"),
    Cause("the observation after a reset replaces the episode's last one", "DLR-RM/stable-baselines3#934"),
    Cause("an array is kept that the environment overwrites", "Farama-Foundation/Gymnasium#1132"),
)
def every_transition_reaches_the_memory(subject: Subject) -> None:
    """The buffer gets every transition of the environments exactly once and unchanged."""
    for num_envs, mode in SETTINGS:
        values = short(subject, num_envs, **{"probe.autoreset": mode, "probe.clip": CLIP})
        with subject.probed("ledger", values) as parts:
            books, added = ledgers(subject, parts.stream), list[Step]()
            spy_on(parts.buffer, "add", _keep(added))
            Loop(parts).run()
        rows = [row for step in added for row in entries(step, books[0])]
        for env_id, book in enumerate(books):
            where = {"environments": num_envs, "autoreset": mode, "environment": env_id}
            expect_rows([entry for row, entry in rows if row == env_id], book.log, "transition", where)
        for step in added:
            example = {"raw rewards": step.raw_reward, "clipped to": [-CLIP, CLIP]}
            expect(step.reward, np.clip(step.raw_reward, -CLIP, CLIP), example=example)


def _keep(to: list[Step]) -> Note:
    return lambda args, kwargs, result: to.append(copied([*args, *kwargs.values()][0]))


@check("loop", "make_callbacks", Cause("an event is reported twice, late or not at all"))
def listeners_hear_of_everything_in_order(subject: Subject) -> None:
    """Callbacks get the start, then every step and every update after it has been counted, and the end once."""
    for num_envs in (1, 3):
        with subject.probed("ledger", short(subject, num_envs)) as parts:
            journal = LoopSpy(parts)
            spy = run_with_spy(parts)
        example = {"environments": num_envs}
        order = [event for event in spy.order if event in ("start", "end")]
        bounds = [spy.order[0], spy.order[-1]]
        expect(order, ["start", "end"], example={**example, "what": "starts and ends"})
        expect(bounds, ["start", "end"], example={**example, "what": "the first event and the last"})
        made = [call.result for call in journal.of("finish")]
        expect(len(spy.steps), len(made), example={**example, "what": "calls of on_step"})
        expect(len(spy.updates), len(journal.of("apply")), example={**example, "what": "calls of on_update"})
        env_steps = 0
        for (step, clock), result in zip(spy.steps, made, strict=True):
            env_steps += len(result)
            require(step is result, example=example, expected="the step that was made", got="another step")
            expect(clock.env_steps, env_steps, example={**example, "what": "environment steps, as on_step sees them"})
        for number, (_, _, clock) in enumerate(spy.updates, start=1):
            expect(clock.updates, number, example={**example, "what": "updates, as on_update sees them"})


@check(
    "loop",
    "make_callbacks",
    Cause("the counts of an episode are reset a step too early or too late", "Farama-Foundation/Gymnasium#1017"),
    Cause("the clipped reward is reported instead of the raw one"),
)
def episodes_are_reported_as_they_were_played(subject: Subject) -> None:
    """Callbacks get each episode at its end, numbered from 1, with its environment, raw return and length."""
    for num_envs, mode in SETTINGS:
        values = short(subject, num_envs, **{"probe.autoreset": mode, "probe.clip": CLIP})
        with subject.probed("ledger", values) as parts:
            books = ledgers(subject, parts.stream)
            episodes = run_with_spy(parts).episodes
        example = {"environments": num_envs, "autoreset": mode}
        expect([episode.number for episode in episodes], np.arange(len(episodes)) + 1, example=example)
        expect(len(episodes), parts.counters.episodes, example={**example, "what": "episodes reported and counted"})
        for env_id, book in enumerate(books):
            got = [(round(one.raw_return, 9), one.length) for one in episodes if one.env_id == env_id]
            wanted = [(round(sum(entry.reward for entry in game), 9), len(game)) for game in games(book.log)]
            expect_rows(got, wanted, "episode", {**example, "environment": env_id, "shown": "(raw return, length)"})


def games(log: Sequence[Entry]) -> list[list[Entry]]:
    """A ledger's transitions, one list for each episode that ended."""
    found: list[list[Entry]] = [[]]
    for entry in log:
        found[-1].append(entry)
        if entry.terminated or entry.truncated:
            found.append([])
    return found[:-1]


@check(
    "loop",
    "make_collector",
    Cause("the actions are greedy, are drawn twice or belong to the previous observations"),
    Cause("the values are those of the previous observations"),
    Cause("the policy is called with explore=False, so that its exploring layers do not explore"),
)
def actions_are_the_ones_chosen(subject: Subject) -> None:
    """Each environment gets the action that the exploration chose from the values of its current observation."""
    for num_envs, mode in SETTINGS:
        with subject.probed("ledger", short(subject, num_envs, **{"probe.autoreset": mode})) as parts:
            read, seen = ledgers(subject, parts.stream)[0].painter.read, ActionSpy(parts)
            steps = run_with_spy(parts).steps
        if not seen.chosen:
            raise NotApplicable("the collector does not call the exploration")
        example = {"environments": num_envs, "autoreset": mode}
        before = [0, *(clock.env_steps for _, clock in steps)][:-1]
        together = seen.together(num_envs)
        clocks = [clock for _, clock, _ in together]
        expect(clocks, before, example={**example, "what": "environment steps, as the exploration sees them"})
        given = {row for obs, values, explore in seen.asked if explore for row in _rows(obs, values)}
        for number, ((obs, _, actions), (step, _)) in enumerate(zip(together, steps, strict=True), start=1):
            where = {**example, "step": number}
            expect(step.action, actions[step.env_id], example=where)
            shown = np.asarray([read(one) for one in obs])[step.env_id]
            expect(shown, [read(one) for one in step.obs], example={**where, "what": "frames that were acted on"})
        wanted = "values that the policy gave for these observations with explore=True"
        for number, (values, obs, *_) in enumerate(seen.chosen, start=1):
            where = {**example, "choice": number, "observations": [read(one) for one in obs]}
            require(given.issuperset(_rows(obs, values)), example=where, expected=wanted, got=values)


def _rows(obs: np.ndarray, values: np.ndarray) -> set[tuple[bytes, bytes]]:
    """Each observation with its values as bytes, for an exact comparison whatever their dtypes."""
    pairs = zip(np.asarray(obs, np.float64), np.asarray(values, np.float64), strict=True)
    return {(one.tobytes(), row.tobytes()) for one, row in pairs}


@check("loop", "make_collector", Cause("the end is tested a step too late"))
def a_run_ends_at_its_end(subject: Subject) -> None:
    """A run ends with the first step that reaches `run.steps`, `run.episodes` or `run.until`."""
    for num_envs, (unit, end) in product((1, 3), (("env_steps", 20), ("episodes", 5))):
        option = {"env_steps": "run.steps", "episodes": "run.episodes"}[unit]
        with subject.probed("ledger", short(subject, num_envs, **{"run.steps": None, option: end})) as parts:
            clocks = [getattr(clock, unit) for _, clock in run_with_spy(parts).steps]
        require(
            clocks[-1] >= end and all(clock < end for clock in clocks[:-1]),
            example={"environments": num_envs, option: end},
            expected=f"the first step that reaches {end} is the last",
            got=f"{clocks[-2:]} after the last two steps",
        )
    if not subject.plugins.implementing("env_wrapper"):
        with subject.probed("constant", short(subject, 1, **{"run.until": 1.0, "evaluation.every": 10})) as parts:
            run_with_spy(parts)
        expect(parts.counters.env_steps, 10, example={"run.until": 1, "evaluation.every": 10, "every return": 1})


@check("loop", "make_env", Cause("steps are counted for each environment, not in total", "astooke/rlpyt#150"))
def evaluations_come_when_they_are_due(subject: Subject) -> None:
    """An evaluation follows each step that reaches or passes a multiple of `evaluation.every`."""
    for num_envs in (1, 3):
        values = short(subject, num_envs, **{"evaluation.every": 10, "evaluation.episodes": 2})
        with subject.probed("ledger", values) as parts:
            spy = run_with_spy(parts)
        clocks = [clock.env_steps for _, clock in spy.steps]
        wanted = [after for before, after in pairwise([0, *clocks]) if after // 10 > before // 10]
        got = [clock.env_steps for _, clock in spy.evaluations]
        expect_rows(got, wanted, "evaluation", {"environments": num_envs, "every": 10})


@check(
    "loop",
    "make_policy",
    Cause("an evaluation uses training's random generators, or leaves the network in another mode"),
    Cause("an exploration that counts its calls"),
)
def an_evaluation_changes_no_training_state(subject: Subject) -> None:
    """An evaluation changes no part's state, and a run with evaluations ends in the same state as one without."""
    with subject.probed("ledger", short(subject, 2, **{"run.steps": 30, "evaluation.episodes": 4})) as parts:
        loop = Loop(parts)
        loop.run()
        before, shown = digests(snapshot(parts)), parts.stream.observations.copy()
        loop.evaluations.play()
        after = digests(snapshot(parts))
        for name, state in before.items():
            require(after[name] == state, example="one evaluation", expected=f"the same state of {name}", got="another")
        expect(parts.stream.observations, shown, example="the training environments, after one evaluation")
    without, having = (_outcome(subject, {"evaluation.every": every, "evaluation.episodes": 3}) for every in (0, 10))
    for name, state in without.items():
        wanted = f"at the end the same {name} as without evaluations"
        require(having[name] == state, example={"evaluation.every": 10}, expected=wanted, got="another")


def _outcome(subject: Subject, values: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of the results of a short run: the parts' states and the actions."""
    with subject.probed("ledger", short(subject, 2, **values)) as parts:
        actions = np.concatenate([step.action for step, _ in run_with_spy(parts).steps])
        left: Snapshot = {"actions": {"all": actions}, **snapshot(parts)}
        return digests(left)
