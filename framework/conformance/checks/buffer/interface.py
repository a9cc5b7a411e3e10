"""Checks of how a buffer treats its sampler and the arrays that it shares with other parts."""

from __future__ import annotations

import gymnasium
import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A, frames_of
from framework.conformance.fixtures.memory import expect_arrays_of_their_own
from framework.conformance.fixtures.replay.cases import (
    FRAME,
    ReplayCase,
    buffer_of,
    replay_cases,
    samples_by_itself,
    shown_field,
    with_accepted_capacity,
    with_capacity,
)
from framework.conformance.fixtures.replay.own_parts import compare_while_learning, drawn_while_learning
from framework.conformance.fixtures.replay.plain_parts import PlainReturns, SamplerSpy, weight_of
from framework.conformance.subject import Subject
from framework.types import Batch, Buffer, Counters, Spaces, Step


@check(
    "buffer",
    "make_buffer",
    Cause("a slot's number is the id, so that a late priority reaches a newer transition", "ray-project/ray#6534"),
    Cause("ids are retired after their transitions were overwritten, or never"),
)
def ids_are_new_and_apart_modulo_the_capacity(subject: Subject) -> None:
    """`allocate` comes first, an id always means the same transition, and active ids differ modulo the capacity."""
    known: dict[int, int] = {}
    before: object = None
    for case in replay_cases(subject):
        known, before = (known if before is case else {}), case
        broken = case.sampler.broken
        require(not broken, example=case.example(), expected="calls as `Sampler` requires", got="; ".join(broken))
        batch = case.drawn()
        for id_, obs in zip(batch.ids.tolist(), batch.obs, strict=True):
            number = case.history.number(obs)
            start = known.setdefault(id_, number)
            expect(number, start, example=case.example(id=id_, compared="the first frame of the id's transition"))
        expect(len(set(known.values())), len(known), example=case.example(compared="the first frames of different ids"))


@check(
    "buffer",
    "make_buffer",
    Cause("drawing changes the ids in place", "thu-ml/tianshou#82"),
    Cause("rows are sorted but weights are not"),
)
def rows_stand_for_the_ids_that_were_drawn(subject: Subject) -> None:
    """A batch holds the transitions and weights of the drawn ids, and the sampler's arrays stay unchanged."""
    for number, case in enumerate(replay_cases(subject)):
        if number % 3:
            continue
        active = case.sampler.active
        case.sampler.wanted = [*active[::2], *active[:1], *active[1::2]]
        batch = case.buffer.sample(len(case.sampler.wanted), Counters())
        example = case.example(drawn=case.sampler.wanted)
        expect(np.sort(batch.ids), np.sort(case.sampler.wanted), example={**example, "compared": "ids"})
        expect(batch.weights, weight_of(batch.ids), example={**example, "compared": "weights"})
        ids, weights, ids_before, weights_before = case.sampler.given[-1]
        expect(ids, ids_before, example={**example, "compared": "the sampler's ids after the draw"})
        expect(weights, weights_before, example={**example, "compared": "the sampler's weights after the draw"})
        case.sampler.wanted = None
        whole = case.drawn()
        starts = dict(zip(whole.ids.tolist(), whole.obs, strict=True))
        for id_, obs in zip(batch.ids.tolist(), batch.obs, strict=True):
            wanted, got = (shown_field(case.history, "obs", array) for array in (starts[id_], obs))
            require(np.array_equal(obs, starts[id_]), example={**example, "id": id_}, expected=wanted, got=got)


def _roomy_case(subject: Subject, spaces: Spaces, n: int, capacity: int) -> ReplayCase:
    """A case with this capacity, or with a multiple of it that the buffer accepts."""
    return with_accepted_capacity(lambda capacity: ReplayCase(subject, spaces, n, capacity), capacity)


def _overwrite(record: Step | Batch) -> None:
    """Overwrite every writable array of a step or a batch with other values."""
    if isinstance(record, Step):
        arrays = [record.env_id, record.first, record.obs, record.action, record.reward, record.terminated]
        arrays += [record.truncated, record.next_obs, record.raw_reward]
    else:
        arrays = [record.obs, record.action, record.reward, record.discount, record.next_obs, record.next_action]
    for array in arrays:
        if array.flags.writeable:
            array[...] = ~array if array.dtype == np.bool_ else 0 if array is getattr(record, "env_id", None) else 77


@check("buffer", "make_buffer", Cause("the caller's array is kept, not a copy of it", "Itomigna2/Muesli-lunarlander#1"))
def what_was_added_is_copied(subject: Subject) -> None:
    """The buffer copies what is added, so that environments may reuse their arrays."""
    for stack in () if samples_by_itself(subject) else (1, 2):
        case = _roomy_case(subject, frames_of(FRAME, np.int64, stack, 2), 2, 40)
        for signs in ("..", ".t", "u.", "..", "t.", ".."):
            _overwrite(case.step(signs))
            case.verify()
    compare_while_learning(subject, after_add=_overwrite)


@check("buffer", "make_buffer", Cause("a batch is a view of the buffer's memory", "Itomigna2/Muesli-lunarlander#1"))
def what_was_drawn_is_a_copy(subject: Subject) -> None:
    """A batch is a copy: overwriting it does not change later batches."""
    for stack in () if samples_by_itself(subject) else (1, 2):
        case = _roomy_case(subject, frames_of(FRAME, np.int64, stack, 1), 1, 12)
        for signs in (".", ".", "t", ".", "."):
            case.step(signs)
            for rows in (1, 99):
                _overwrite(case.buffer.sample(rows, Counters()))
                case.verify()
    compare_while_learning(subject, after_draw=_overwrite)


@check(
    "buffer",
    "make_buffer",
    Cause("observations are stored with another dtype", "thu-ml/tianshou#65"),
    Cause("the environment's dtype is ignored", "google/dopamine#57"),
    Cause("rewards are stored as float32, or actions as bytes"),
)
def types_and_extremes_survive(subject: Subject) -> None:
    """The smallest and largest values of a dtype, large actions and float64 rewards come back unchanged."""
    for dtype in (np.uint8, np.int64, np.float32, np.int8, np.float64):
        spaces = frames_of(FRAME, dtype, 1, 1, actions=70_001)
        case = _roomy_case(subject, spaces, 1, 12)
        assert isinstance(spaces.frame, gymnasium.spaces.Box)
        least, most = spaces.frame.low.min(), spaces.frame.high.max()
        step = case.history.step(".")
        step.obs[0] = np.array([[least, most, 0], [1, most, least]], dtype)
        step.next_obs[0] = step.obs[0, ::-1]
        step.action[...], step.reward[...] = 70_000, 1 / 3
        case.buffer.add(step)
        batch = case.buffer.sample(1, Counters())
        for name in ("obs", "next_obs", "action", "reward"):
            got, wanted = getattr(batch, name), getattr(step, name)
            example = {"field": name, "frames": np.dtype(dtype).name}
            expect(got.dtype.name, wanted.dtype.name, example={**example, "compared": "dtype"})
            expect(got, wanted, example=example)


@check("buffer", "make_buffer", Cause("index 0 is returned when nothing can be drawn", "le2333/RTRRL#57"))
def nothing_is_drawn_before_a_window_is_whole(subject: Subject) -> None:
    """While nothing can be drawn, `len(buffer)` is 0 and `sample` returns no rows or raises an error."""
    case = _roomy_case(subject, frames_of(FRAME, np.int64, 1, 1), 3, 30)
    for made in range(3):
        expect(len(case.buffer), 0, example=case.example(steps=made, compared="len(buffer)"))
        try:
            rows = len(case.buffer.sample(4, Counters()))
        except Exception:
            rows = 0
        expect(rows, 0, example=case.example(steps=made, compared="rows of a batch"))
        case.step(".")


@check(
    "buffer",
    "make_buffer",
    Cause("priorities are never passed on", "anthonytorlucci/rlevo#188"),
    Cause("a late priority goes to the transition that is in the slot now", "ray-project/ray#6534"),
)
def priorities_reach_the_sampler(subject: Subject) -> None:
    """The priorities of ids reach the sampler unchanged, and never under the id of another transition."""
    case = _roomy_case(subject, frames_of(FRAME, np.int64, 1, 1), 1, 8)
    early: list[int] = []
    for _ in range(case.capacity * 5 // 2):
        case.step(".")
        early = early or list(case.sampler.active)
    case.sampler.priorities.clear()
    ids = np.array([*early, *case.sampler.active], np.int64)
    priorities = np.arange(len(ids)) + 0.25
    case.buffer.reprioritize(ids.copy(), priorities.copy())
    given = dict(zip(ids.tolist(), priorities.tolist(), strict=True))
    heard = dict(case.sampler.priorities)
    example = case.example(given=given, overwritten=early)
    for id_ in {*case.sampler.active, *heard}:
        wanted, got = given.get(id_, "nothing"), heard.get(id_, "nothing")
        require(got == wanted, example={**example, "id": id_}, expected=wanted, got=got)


@check(
    "buffer",
    "make_buffer",
    Cause("the write index stops when the buffer is full", "medipixel/rl_algorithms#94"),
    false_alarm=1e-5,
)
def new_transitions_take_the_place_of_old_ones(subject: Subject) -> None:
    """Long after the buffer has become full, it still gives new transitions.

    If a buffer keeps each transition with equal probability (a reservoir), 20 of them are all of the older half with
    probability 2^−20.
    """
    case = _roomy_case(subject, frames_of(FRAME, np.int64, 1, 1), 1, 24)
    transitions = 25 * case.capacity
    for _ in range(transitions):
        case.step(".")
    newest = max((case.history.number(obs) for obs in case.drawn().obs), default=0)
    half = transitions // 2
    example = {"capacity": case.capacity, "transitions": transitions, "compared": "the newest one that can be drawn"}
    require(newest > half, example=example, expected=f"above {half}", got=newest)


@check("buffer", "make_buffer", Cause("two fields of a batch, or of two batches, are views of one array"))
def arrays_of_a_batch_are_its_own(subject: Subject) -> None:
    """No two arrays of a batch share memory that can be written, nor do those of one batch and the next."""
    before: dict[str, Batch] = {}
    for drawn in drawn_while_learning(subject):
        expect_arrays_of_their_own(drawn.batch, "a batch", before)
        before = {"the batch before": drawn.batch}


@check(
    "buffer",
    "make_buffer",
    Cause("the steps of an episode are counted in 8 or 16 bits"),
    Cause("slots or ids in 8 or 16 bits"),
)
def a_long_episode_in_a_large_ring_is_kept(subject: Subject) -> None:
    """After 33,000 steps of one episode, its transitions come back with their actions, rewards and stacks."""
    steps = 33_000
    spaces = frames_of((), np.int64, stack=2, envs=1)
    sampler = SamplerSpy()

    def build(capacity: int) -> Buffer:
        return buffer_of(with_capacity(subject.builder(), capacity), spaces, sampler, PlainReturns(1))

    if samples_by_itself(subject):
        raise NotApplicable("the buffer does not take both a sampler and returns")
    buffer = with_accepted_capacity(build, steps + 10)
    env_id, never = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    for number in range(steps):
        reward = np.array([float(number)])
        buffer.add(
            Step(
                env_id=env_id.copy(),
                first=np.array([number == 0]),
                obs=np.array([number]),
                action=np.array([number % A]),
                reward=reward,
                raw_reward=reward.copy(),
                terminated=never.copy(),
                truncated=never.copy(),
                next_obs=np.array([number + 1]),
            )
        )
    ids = np.array(sampler.active, np.int64)
    require(len(ids) >= steps - 10, example={"steps": steps}, expected=f"{steps - 10} ids or more", got=len(ids))
    sampler.wanted = ids[[0, 1, 127, 128, 255, 256, 257, len(ids) // 2, 32_766, 32_767, 32_768, -2, -1]].tolist()
    batch = buffer.sample(len(sampler.wanted), Counters())
    newest = batch.obs[:, -1]
    example = {"steps of the episode": steps, "frames that are drawn": newest}
    wanted = {
        "obs": np.stack([np.maximum(newest - 1, 0), newest], axis=1),
        "next_obs": np.stack([newest, newest + 1], axis=1),
        "action": newest % A,
        "reward": newest.astype(np.float64),
    }
    require(len(np.unique(newest)) == len(newest), example=example, expected="different frames", got=newest)
    for name, value in wanted.items():
        expect(getattr(batch, name), value, example={**example, "compared": name})
