"""Checks of the loop's updates: the loop makes each due update once, from one batch, and stops at a non-finite loss."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from framework.assembly.parts import Parts
from framework.conformance.check import Cause, NotApplicable, Violation, check, expect, require
from framework.conformance.fixtures.snapshots import digests, snapshot
from framework.conformance.fixtures.spies import Call, LoopSpy, expect_rows, ledgers, short, spied
from framework.conformance.subject import Subject
from framework.errors import NonFiniteLoss
from framework.training.loop import Loop
from framework.types import Batch, Counters, TDErrors


@check(
    "loop",
    "make_cadence",
    Cause("due updates are forgotten or made twice"),
    Cause("the warm-up or the ratio counts the steps of one environment, not of all", "pfnet/pfrl#200"),
)
def updates_are_those_that_are_due(subject: Subject) -> None:
    """Before each step, or during it if `overlap` is true, the loop makes exactly the updates that are due."""
    for num_envs in (1, 3):
        with subject.probed("ledger", short(subject, num_envs)) as parts:
            journal = LoopSpy(parts)
            Loop(parts).run()
            cadence, left = parts.cadence, len(parts.buffer)
        overlap = cadence.overlap
        example = {"environments": num_envs, "overlap": overlap}
        for call in journal.of("finish" if overlap else "begin"):
            _expect_due_updates_made(call.clock, cadence.due(call.clock), call.available, example)
        if not overlap:
            _expect_due_updates_made(parts.counters, cadence.due(parts.counters), left, example)
        expect(
            parts.counters.updates, len(journal.of("apply")), example={**example, "what": "updates counted and made"}
        )
        for one, other in pairwise(journal.of("begin", "finish")):
            acting = one.what == "begin"
            if acting is not overlap:
                during = "while the environments step" if acting else "between two steps"
                expect(other.clock.updates - one.clock.updates, 0, example={**example, "updates": during})


def _expect_due_updates_made(clock: Counters, due: int, available: int, example: Mapping[str, Any]) -> None:
    enough = clock.updates == due or (clock.updates < due and available == 0)
    where = {**example, "environment steps": clock.env_steps}
    require(enough, example=where, expected=f"{due} updates", got=f"{clock.updates} updates")


@check(
    "loop",
    "make_loss",
    Cause("priorities are never updated", "anthonytorlucci/rlevo#188"),
    Cause("the loss is written back instead of the priority"),
)
def an_update_is_of_one_batch(subject: Subject) -> None:
    """Each update draws one batch of the cadence's size, applies its loss and gives its ids their new priorities."""
    with subject.probed("ledger", short(subject, 2)) as parts:
        journal = LoopSpy(parts)
        Loop(parts).run()
        size = parts.cadence.batch_size
    order = ["sample", "loss", "apply", "reprioritize"]
    calls = journal.of(*order)
    if not calls:
        raise NotApplicable("the short run makes no updates")
    for number, start in enumerate(range(0, len(calls), 4), start=1):
        group = calls[start : start + 4]
        example = {"update": number}
        expect([call.what for call in group], order, example=example)
        drawn, lost, applied, back = group
        expect(drawn.given[0], size, example={**example, "what": "transitions asked for"})
        batch, errors = drawn.result, lost.result
        for call in (lost, applied):
            require(call.given[0] is batch, example=example, expected="the batch that was drawn", got="another batch")
        require(applied.given[1] is errors, example=example, expected="the errors of the batch", got="other errors")
        expect(back.given[0], batch.ids, example={**example, "what": "ids that get priorities"})
        expect(back.given[1], errors.priority, example={**example, "ids": batch.ids, "what": "priorities"})


@check(
    "loop",
    "make_target_sync",
    Cause("the sync is called inside another condition, and so less often", "vwxyzjn/cleanrl#322"),
    Cause("the target is copied only at the start", "higgsfield-ai/higgsfield#14"),
    Cause("frames are counted instead of steps", "pfnet/pfrl#200"),
)
def the_target_hears_of_every_update_and_step(subject: Subject) -> None:
    """The loop calls `tick` once after each update and once after each step, with counters that include it."""
    for num_envs in (1, 3):
        with subject.probed("ledger", short(subject, num_envs)) as parts:
            journal = LoopSpy(parts)
            Loop(parts).run()
        wanted = [_after(call) for call in journal.of("apply", "finish")]
        got = [(call.clock.env_steps, call.clock.updates) for call in journal.of("tick")]
        expect_rows(got, wanted, "tick", {"environments": num_envs, "shown": "(environment steps, updates)"})


def _after(call: Call) -> tuple[int, int]:
    """The counters once this call has been counted."""
    made = len(call.result) if call.what == "finish" else 0
    return call.clock.env_steps + made, call.clock.updates + (call.what == "apply")


@check(
    "loop",
    "make_loss",
    Cause("training continues silently after a NaN loss", "anthonytorlucci/rlevo#318"),
    Cause("a NaN error gets into the priorities", "MorvanZhou/Reinforcement-learning-with-tensorflow#54"),
)
def a_loss_that_is_not_finite_halts_the_run(subject: Subject) -> None:
    """A NaN reward stops the run at the first batch with it: the error names the ids, and nothing learns from it."""
    # batches of 16 from the start: a uniform sampler misses the NaN in all of them with probability below 1e-40
    values = {"learning.starts": 0, "learning.updates_per_step": 1.0, "learning.batch_size": 16}
    with subject.probed("ledger", short(subject, 2, **values, **{"probe.nan_after": 2})) as parts:
        ledgers(subject, parts.stream)
        kept: list[tuple[list[int], Mapping[str, str]]] = []

        def note(args: tuple[Any, ...], kwargs: Mapping[str, Any], errors: TDErrors) -> None:
            batch: Batch = [*args, *kwargs.values()][0]
            bad = ~np.isfinite(np.asarray(errors.loss))
            if bad.any() or np.isnan(batch.reward).any():
                kept.append((batch.ids[bad].tolist(), _learnt(parts)))

        parts.loss = spied(parts.loss, note)
        journal = LoopSpy(parts)
        example = {"reward": "NaN in the second transition of each environment"}
        try:
            Loop(parts).run()
        except NonFiniteLoss as halt:
            require(len(kept) == 1, example=example, expected="a stop at the first NaN batch", got=f"batch {len(kept)}")
            ids, learnt = kept[0]
            expect(list(halt.ids), ids, example={**example, "what": "ids of the rows whose loss is not finite"})
            for name, state in _learnt(parts).items():
                require(state == learnt[name], example=example, expected=f"an unchanged {name}", got="a changed one")
            expect(len(journal.of("apply")), parts.counters.updates, example={**example, "what": "updates made"})
            return
    raise Violation(example, "NonFiniteLoss", f"{parts.counters.updates} updates without an error")


def _learnt(parts: Parts) -> Mapping[str, str]:
    return digests({name: state for name, state in snapshot(parts).items() if name in ("policy", "optimizer")})
