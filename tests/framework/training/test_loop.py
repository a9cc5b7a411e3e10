"""The loop against a loop written by hand, and what it reports to its callbacks."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.errors import NonFiniteLoss
from framework.events import Callback, Episode, EvaluationResult
from framework.training.loop import Loop
from framework.training.run import train
from framework.types import Batch, Counters, Step, TDErrors

CHECKED = "framework.testing"


def hash_of(parts: Parts) -> bytes:
    """The bytes of all learnt weights."""
    state = parts.policy.state_dict()
    tables = state.get("online", state)
    return b"".join(np.ascontiguousarray(tables[name]).tobytes() for name in sorted(tables))


def by_hand(parts: Parts, steps: int) -> None:
    """Training, written out by hand."""
    counters, cadence = parts.counters, parts.cadence

    def learn() -> None:
        while counters.updates < cadence.due(counters) and len(parts.buffer):
            batch = parts.buffer.sample(cadence.batch_size, counters)
            errors = parts.loss(batch, counters)
            parts.optimizer.apply(batch, errors)
            parts.buffer.reprioritize(batch.ids, errors.priority)
            counters.updates += 1
            parts.target_sync.tick(counters)

    while counters.env_steps < steps:
        if not cadence.overlap:
            learn()
        obs = parts.stream.observations
        parts.stream.begin(parts.exploration.choose(parts.policy.action_values(obs, True), obs, counters))
        if cadence.overlap:
            learn()
        step = parts.stream.finish()
        parts.buffer.add(step)
        counters.env_steps += len(step)
        counters.frames += len(step)
        counters.episodes += int(step.ended.sum())
        parts.target_sync.tick(counters)
    if not cadence.overlap:
        learn()


@pytest.mark.parametrize("names", ["tabular,grid", "tabular,nstep,grid", "dqn,grid", "dqn,double,nstep,chain"])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_the_loop_is_the_one_that_one_would_write_by_hand(names: str, num_envs: int) -> None:
    values = {"run.steps": 240, "run.num_envs": num_envs, "learning.starts": 30}
    ours, theirs = assemble(f"{names},{CHECKED}", values), assemble(names, values)
    Loop(ours).run()
    by_hand(theirs, 240)
    assert ours.counters == theirs.counters
    assert ours.counters.updates > 40
    assert hash_of(ours) == hash_of(theirs)


@pytest.mark.parametrize("names", ["tabular,grid", "dqn,chain"])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(names: str) -> None:
    def trained(seed: int) -> bytes:
        parts = assemble(names, {"run.steps": 200, "run.seed": seed, "learning.starts": 20, "run.num_envs": 2})
        Loop(parts).run()
        return hash_of(parts)

    assert trained(0) == trained(0)
    assert trained(0) != trained(1)


class LoopSpy(Callback):
    """Records what the loop reports."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.batches: list[Batch] = []
        self.episodes: list[Episode] = []
        self.announced: list[int] = []
        self.evaluations: list[tuple[int, EvaluationResult]] = []
        self.order: list[str] = []

    def on_start(self, counters: Counters) -> None:
        self.order.append("start")

    def on_step(self, step: Step, counters: Counters) -> None:
        self.steps.append(step)

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        self.batches.append(batch)

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        self.episodes.append(episode)

    def on_evaluation_start(self, counters: Counters) -> None:
        self.announced.append(counters.env_steps)

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        self.evaluations.append((counters.env_steps, result))

    def on_end(self, counters: Counters) -> None:
        self.order.append("end")


@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("names", ["tabular,grid", "tabular,nstep,grid"])
def test_a_tabular_agent_learns_every_transition_exactly_once_and_in_order(names: str, num_envs: int) -> None:
    parts = assemble(f"{names},{CHECKED}", {"run.episodes": 12, "run.num_envs": num_envs, "grid.max_steps": 9})
    spy = LoopSpy()
    Loop(parts, [spy]).run()
    learnt = [batch for batch in spy.batches if len(batch)]
    assert all(len(batch) == 1 for batch in learnt)
    for env_id in range(num_envs):
        made = [
            (int(step.obs[row]), int(step.action[row]))
            for step in spy.steps
            for row in np.flatnonzero(step.env_id == env_id)
        ]
        seen = [(int(batch.obs[0]), int(batch.action[0])) for batch in learnt if batch.ids[0] % num_envs == env_id]
        assert seen == made[: len(seen)]
        assert len(made) - len(seen) <= 2, "only windows that were still open may be unlearnt"


def test_episodes_are_reported_with_their_raw_returns() -> None:
    parts = assemble("tabular,chain", {"run.episodes": 20, "run.num_envs": 3})
    spy = LoopSpy()
    Loop(parts, [spy]).run()
    assert [episode.number for episode in spy.episodes] == list(range(1, len(spy.episodes) + 1))
    assert len(spy.episodes) == parts.counters.episodes >= 20
    assert {episode.raw_return for episode in spy.episodes} <= {-1.0, 2.0}
    assert sum(episode.length for episode in spy.episodes) <= parts.counters.env_steps
    assert spy.order == ["start", "end"]


def test_each_end_ends_the_run() -> None:
    parts = assemble("tabular,chain", {"run.steps": 7})
    Loop(parts).run()
    assert parts.counters.env_steps == 7
    parts = assemble("tabular,chain", {"run.episodes": 3})
    Loop(parts).run()
    assert parts.counters.episodes == 3
    parts = assemble("tabular,chain", {"run.until": 1.9, "evaluation.every": 50, "run.steps": 100_000})
    loop = Loop(parts)
    loop.run()
    assert loop.last_evaluation is not None
    assert loop.last_evaluation.mean >= 1.9
    assert parts.counters.env_steps < 100_000


def test_a_lucky_evaluation_ends_nothing_where_more_episodes_must_confirm_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends when an evaluation and its confirmation are both good enough."""
    asked: list[tuple[str | None, int | None]] = []
    means = {"periodic/1": 1.0, "periodic/2": 1.9, "confirmation/2": 1.8, "periodic/3": 2.0, "confirmation/3": 1.9}

    def scripted(agent: Any, *, name: str = "", episodes: int = 0, **others: Any) -> EvaluationResult:
        asked.append((name, episodes))
        assert spy.announced[-1] == agent.counters.env_steps
        return EvaluationResult((means[name],), (1,), 1, 0.0, 0.0)

    monkeypatch.setattr("framework.training.evaluations.evaluate", scripted)
    values = {"run.until": 1.9, "run.steps": 1_000, "evaluation.every": 50, "evaluation.episodes": 3}
    parts, spy = assemble("tabular,chain", {**values, "evaluation.confirm": 8}), LoopSpy()
    loop = Loop(parts, [spy])
    loop.run()
    assert asked == [(name, 8 if name.startswith("confirmation") else 3) for name in means]
    assert parts.counters.env_steps == 150
    assert loop.last_evaluation is not None
    assert loop.last_evaluation.mean == 1.9
    assert [at for at, _ in spy.evaluations] == [50, 100, 100, 150, 150]
    assert spy.announced == [50, 100, 150]


def test_evaluations_come_on_schedule_and_change_nothing() -> None:
    values = {"run.steps": 200, "learning.starts": 20, "run.num_envs": 3}
    plain, evaluated = assemble("dqn,chain", values), assemble("dqn,chain", {**values, "evaluation.every": 40})
    spy = LoopSpy()
    Loop(plain).run()
    Loop(evaluated, [spy]).run()
    assert [at for at, _ in spy.evaluations] == [42, 81, 120, 162, 201]
    assert hash_of(plain) == hash_of(evaluated)


def test_a_callback_that_raises_still_lets_the_others_finish() -> None:
    class Breaks(Callback):
        def on_step(self, step: Step, counters: Counters) -> None:
            raise RuntimeError("broken")

    spy = LoopSpy()
    with pytest.raises(RuntimeError, match="broken"):
        Loop(assemble("tabular,chain"), [Breaks(), spy]).run()
    assert spy.order == ["start", "end"]


def test_every_callback_ends_whatever_another_raises() -> None:
    class BreaksAtTheStart(Callback):
        def on_start(self, counters: Counters) -> None:
            raise RuntimeError("no start")

    class BreaksAtTheEnd(Callback):
        def on_end(self, counters: Counters) -> None:
            raise RuntimeError("no end")

    for breaks, message in ((BreaksAtTheStart(), "no start"), (BreaksAtTheEnd(), "no end")):
        before, after = LoopSpy(), LoopSpy()
        with pytest.raises(RuntimeError, match=message):
            Loop(assemble("tabular,chain"), [before, breaks, after]).run()
        assert before.order[-1] == after.order[-1] == "end"


@pytest.mark.parametrize("names", ["tabular,chain", "dqn,chain"])
def test_a_non_finite_loss_halts_before_the_weights_are_spoilt(names: str) -> None:
    parts = assemble(names, {"run.steps": 200, "learning.starts": 0, "learning.updates_per_step": 1.0})
    sample, taken = parts.buffer.sample, []

    def poisoned(n: int, counters: Counters) -> Batch:
        batch = sample(n, counters)
        taken.append(hash_of(parts))
        if len(taken) == 20:
            batch.reward[0] = np.nan
        return batch

    parts.buffer.sample = poisoned
    with pytest.raises(NonFiniteLoss, match="of the last good update") as caught:
        Loop(parts).run()
    assert len(caught.value.ids) == 1
    assert parts.counters.updates == 19
    assert hash_of(parts) == taken[-1]


def test_stopping_ends_an_evaluation_too() -> None:
    parts = assemble("tabular,chain", {"run.steps": 1_000, "evaluation.every": 100, "evaluation.epsilon": 1.0})

    class Stops(LoopSpy):
        def on_step(self, step: Step, counters: Counters) -> None:
            if counters.env_steps == 100:
                loop.stop()

    spy = Stops()
    loop = Loop(parts, [spy])
    loop.run()
    assert parts.counters.env_steps == 100
    assert spy.evaluations == []


def test_an_end_by_the_clock_lets_an_evaluation_finish() -> None:
    """A run that continues would begin the evaluation again, and with the same time might never get beyond it."""
    parts = assemble("tabular,chain", {"run.steps": 1_000, "evaluation.every": 100, "evaluation.epsilon": 1.0})

    class Stops(LoopSpy):
        def on_evaluation_start(self, counters: Counters) -> None:
            loop.stop(abandon=False)

    spy = Stops()
    loop = Loop(parts, [spy])
    loop.run()
    assert parts.counters.env_steps == 100
    assert len(spy.evaluations) == 1


def test_time_that_ends_after_the_run_did_not_end_it() -> None:
    class Slow(Callback):
        def on_end(self, counters: Counters) -> None:
            time.sleep(0.3)

    parts = assemble("tabular,chain", {"run.steps": 10, "run.episodes": None, "run.hours": 0.2 / 3600})
    assert not train(parts, callbacks=[Slow()]).out_of_time
    parts = assemble("tabular,chain", {"run.steps": 10**9, "run.episodes": None, "run.hours": 0.1 / 3600})
    assert train(parts).out_of_time


def test_only_overridden_events_are_listened_to() -> None:
    loop: Any = Loop(assemble("tabular,chain"), [Callback()])
    assert loop._on_step == loop._on_update == loop._on_episode == []
