"""Checks of the stream: its transitions, their rewards and ends, and how they are counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from framework.conformance.check import Cause, Violation, check, expect
from framework.conformance.fixtures.environments.autoreset import (
    MODES,
    Case,
    cases,
    plain_loop,
    seed_of,
    steps_of,
    transitions,
)
from framework.conformance.fixtures.environments.extremes import AsyncLedgers, Int8Rewards, Lives
from framework.conformance.fixtures.environments.probes import Entry
from framework.conformance.fixtures.memory import expect_arrays_of_their_own
from framework.conformance.fixtures.spies import run_with_spy, short
from framework.conformance.subject import Subject
from framework.environments.edge import Edge
from framework.environments.stream import TransitionStream
from framework.types import Counters


def _compare(case: Case, *names: str) -> None:
    """Compare these fields of the stream's transitions with those of a plain loop with the same actions."""
    for env_id, found in enumerate(transitions(case)):
        wanted = plain_loop(case.options(env_id), seed_of(env_id), [entry.action for entry in found])
        for number, (got, right) in enumerate(zip(found, wanted, strict=True)):
            values = [{name: getattr(entry, name) for name in names} for entry in (right, got)]
            if values[0] != values[1]:
                raise Violation(case.example(env_id, number), *values)


@check(
    "stream",
    "make_env",
    Cause("a row on which an environment only resets itself is given as a transition", "vwxyzjn/cleanrl#499"),
)
def each_row_is_a_transition_that_was_made(subject: Subject) -> None:
    """Every action that reaches an environment gives one row, in the order of `env_id`, and there are no other rows.

    n steps of an environment give n rows; under NEXT_STEP there is one row less for each reset.
    """
    for case in cases():
        stream = case.open()
        envs: Any = stream.env
        done = [0] * case.envs
        for number, step in enumerate(steps_of(stream)):
            logs = [env.log for env in envs.envs]
            wanted = [env_id for env_id, log in enumerate(logs) if len(log) > done[env_id]]
            example = {"mode": case.mode or "none named", "lengths": case.lengths, "step": number}
            expect(step.env_id, wanted, example={**example, "field": "env_id"})
            for row, env_id in enumerate(wanted):
                made = logs[env_id][-1]
                expect(step.action[row], made.action, example={**example, "environment": env_id, "field": "action"})
            done = [len(log) for log in logs]


@check(
    "stream",
    "make_env",
    Cause("the next episode's first observation instead of the last successor", "DLR-RM/stable-baselines3#934"),
    Cause("`final_obs` is not read", "vwxyzjn/cleanrl#460"),
)
def successors_are_never_reset_observations(subject: Subject) -> None:
    """`next_obs` is the observation that the step led to, even at the end of an episode."""
    for case in cases():
        _compare(case, "obs", "action", "next_obs")


@check(
    "stream",
    "make_env",
    Cause("a termination that the environment did not report", "google/dopamine#228"),
    Cause("truncation is treated as termination", "keras-rl/keras-rl#298"),
)
def ends_are_those_of_the_environment(subject: Subject) -> None:
    """`terminated` and `truncated` are the environment's flags, and `first` marks the first step after a reset."""
    for case in cases():
        _compare(case, "first", "terminated", "truncated")


@check(
    "stream",
    "make_env",
    Cause("the step of a reset is counted, or a real step is not", "Farama-Foundation/Gymnasium#1017"),
    Cause("the first reward after a reset is lost", "Farama-Foundation/Gymnasium#1624"),
)
def episodes_have_their_lengths_and_returns(subject: Subject) -> None:
    """The rows of each episode add up to its true length and raw return."""
    for case in cases():
        for env_id, found in enumerate(transitions(case)):
            wanted = plain_loop(case.options(env_id), seed_of(env_id), [entry.action for entry in found])
            right, got = _episodes(wanted), _episodes(found)
            if right != got:
                example = case.example(env_id, 0)
                del example["its transition"]
                raise Violation(example, f"(length, return) {right}", f"{got}")


def _episodes(entries: Sequence[Entry]) -> list[tuple[int, float]]:
    found, length, total = [], 0, 0.0
    for entry in entries:
        length, total = length + 1, total + entry.reward
        if entry.terminated or entry.truncated:
            found.append((length, round(total, 9)))
            length, total = 0, 0.0
    return found


@check(
    "stream",
    "make_env",
    Cause("an array is kept without a copy, and the environment overwrites it", "kengz/SLM-Lab#313"),
    Cause("the reset changes the last observation", "Farama-Foundation/Gymnasium#1132"),
)
def environments_may_reuse_their_array(subject: Subject) -> None:
    """Environments that always return the same array give true transitions, too (except under SAME_STEP)."""
    for case in cases(("disabled", "next_step"), reuse=True):
        _compare(case, "obs", "next_obs")


@check("stream", "make_env", Cause("a view of an array that is overwritten later", "Farama-Foundation/SuperSuit#116"))
def what_was_given_never_changes(subject: Subject) -> None:
    """Later steps change neither the earlier observations nor the arrays of earlier steps."""
    for mode, stack in product(MODES, (1, 2)):
        # vector and single environments reuse their arrays; under SAME_STEP gymnasium does not support the latter
        case = Case(mode, 2, (3, 1, 2), ("terminated", "truncated"), reuse=mode != "same_step")
        stream = case.open(copy=False, stack=stack)
        given: list[tuple[str, Any, Any]] = []
        for number, step in enumerate(steps_of(stream)):
            arrays = {"observations": stream.observations, **vars(step)}
            for name, array in arrays.items():
                if isinstance(array, np.ndarray):
                    given.append((f"{name} after step {number}", array, array.copy()))
        for name, array, before in given:
            expect(
                array,
                before,
                example={"mode": mode or "none named", "stack": stack, "array": name, "read": "at the end"},
            )


@check(
    "stream", "make_env", Cause("clipped rewards reported as the score"), Cause("the reward is clipped twice, or never")
)
def rewards_are_clipped_for_the_learner_alone(subject: Subject) -> None:
    """`reward` is clipped as the metadata says, and `raw_reward` is the reward of the environment."""
    for mode, clip in product(MODES, (None, (-0.2, 0.1))):
        stream = Case(mode, 2, (3, 1), ("terminated",)).open({"reward_clip": clip})
        envs: Any = stream.env
        for step in steps_of(stream):
            raw = np.array([envs.envs[env_id].log[-1].reward for env_id in step.env_id.tolist()])
            example = {"mode": mode or "none named", "reward_clip": clip, "rewards": raw}
            expect(step.raw_reward, raw, example={**example, "field": "raw_reward"})
            expect(step.reward, np.clip(raw, *clip) if clip else raw, example={**example, "field": "reward"})


@check("stream", "make_env", Cause("sums in the rewards' own small dtype", "sotetsuk/pgx#1034"))
def small_types_do_not_overflow(subject: Subject) -> None:
    """The stream converts rewards of any integer dtype to float64 before it does anything else with them."""
    for dtype in (np.int8, np.uint8, np.int64):
        stream = TransitionStream(Int8Rewards(dtype), lambda env_id, episode: 0)
        stream.begin(np.zeros(2, np.int64))
        step = stream.finish()
        most = np.full(2, np.iinfo(np.int8).max)
        example = {"rewards": most, "dtype": np.dtype(dtype).name, "compared": "twice the reward"}
        for rewards in (step.raw_reward, step.reward):
            expect(rewards + rewards, 2.0 * most, example=example)
            if rewards.dtype != np.float64:
                raise Violation(example, "float64", rewards.dtype.name)


@check(
    "stream",
    "make_env",
    Cause("a lost life resets the game", "Farama-Foundation/Gymnasium#166"),
    Cause("a lost life is reported as the end of an episode", "google/dopamine#228"),
    Cause("the frame stack goes on over the end of the learner's episode"),
)
def a_lost_life_ends_only_the_learners_episode(subject: Subject) -> None:
    """Where `info` has `life_lost`, the learner's episode terminates. The environment's goes on, as in reports."""
    starts = (0, *Lives.LOST)
    for mode in AutoresetMode:
        env = SyncVectorEnv([lambda: Edge(Lives())] * 2, autoreset_mode=mode)
        stream, counters, ends = TransitionStream(env, lambda env_id, episode: 0), Counters(), 0
        seen = stream.observations
        for step in steps_of(stream, 20):
            counters.advance(step)
            for row, env_id in enumerate(step.env_id.tolist()):
                time = int(step.next_obs[row][1])
                wanted = {
                    "terminated": time in Lives.LOST,
                    "over": time == Lives.LOST[-1],
                    "first": time - 1 in starts,
                    "older frame seen": time - 1 if time - 1 in starts else time - 2,
                }
                got: dict[str, int] = {name: bool(getattr(step, name)[row]) for name in ("terminated", "over", "first")}
                got["older frame seen"] = int(seen[env_id][0][1])
                example = {"mode": mode.value, "lives lost at": Lives.LOST, "step": time}
                if got != wanted:
                    raise Violation(example, wanted, got)
                ends += wanted["over"]
            expect(counters.episodes, ends, example={**example, "counted": "episodes"})
            seen = stream.observations


@check(
    "stream",
    "make_env",
    Cause("steps are counted instead of frames, or the other way round", "astooke/rlpyt#150"),
    Cause("one frame skip on top of another", "Farama-Foundation/Arcade-Learning-Environment#443"),
)
def frames_are_counted_once(subject: Subject) -> None:
    """Each row counts as one step and `frame_skip` frames, each end counts as one episode, and resets do not count."""
    for mode, skip in product(MODES, (1, 4)):
        stream = Case(mode, 2, (3, 1), ("terminated",)).open({"frame_skip": skip})
        envs: Any = stream.env
        counters = Counters()
        for number, step in enumerate(steps_of(stream), 1):
            counters.advance(step)
            made = [entry for env in envs.envs for entry in env.log]
            ends = sum(entry.terminated or entry.truncated for entry in made)
            got = [counters.env_steps, counters.frames, counters.episodes]
            example = {
                "mode": mode or "none named",
                "frame_skip": skip,
                "steps": number,
                "counted": "steps, frames, episodes",
            }
            expect(got, [len(made), skip * len(made), ends], example=example)


@check("stream", "make_env", Cause("`step` is used instead of `step_async` and `step_wait`, so that nothing overlaps"))
def environments_work_between_begin_and_finish(subject: Subject) -> None:
    """If the environments have `step_async` and `step_wait`, `begin` calls the first and `finish` calls the second."""
    env = AsyncLedgers()
    stream = TransitionStream(env, lambda env_id, episode: 0)
    for actions in ([0, 1], [1, 0]):
        env.calls.clear()
        stream.begin(np.array(actions))
        expect(env.calls, [f"step_async({actions})"], example="calls after begin")
        stream.finish()
        expect(env.calls[1:], ["step_wait()"], example="calls in finish")


@check(
    "stream",
    "make_env",
    Cause("the learner's reward and the raw one are one array, so that scaling one scales the other"),
    Cause("a step shows arrays that the stream goes on to use"),
)
def arrays_of_a_step_are_its_own(subject: Subject) -> None:
    """No two arrays of a step share memory that can be written, nor do those of one step and the next."""
    with subject.probed("ledger", short(subject, 2)) as parts:
        steps = [step for step, _ in run_with_spy(parts).steps]
    for before, step in pairwise(steps):
        expect_arrays_of_their_own(step, "a step", {"the step before": before})
