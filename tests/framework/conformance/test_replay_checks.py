"""The plain history and the scripted parts that the checks of the replay are held against."""

from __future__ import annotations

import numpy as np
import pytest

from framework.conformance.check import Violation
from framework.conformance.fixtures.batches import frames_of
from framework.conformance.fixtures.replay.cases import Scene
from framework.conformance.fixtures.replay.plain_history import History, folded, should
from framework.conformance.fixtures.replay.plain_parts import PlainReturns, RecordingSampler
from framework.conformance.subject import Subject
from framework.testing import enforce
from framework.types import Counters, Returns, Sampler
from plugins.pqn.checks import mixture


def history_of(*steps: str, stack: int = 2, padding: str = "repeat") -> History:
    history = History(frames_of((2, 3), np.int64, stack, len(steps[0]), padding=padding))
    for signs in steps:
        history.step(signs)
    return history


def test_frames_count_on_and_an_episode_takes_one_more_than_it_has_steps() -> None:
    history = history_of("..", "t-", ".u")
    assert history.shown() == "0: 1→2→5t 6→7; 1: 3→4→8u"
    assert history.frames == [5, 3]
    assert [step.place for step in history.made[0]] == [0, 1, 3]


def test_a_step_has_a_row_for_each_environment_that_made_one() -> None:
    history = history_of("...")
    step = history.step("t-b")
    assert step.env_id.tolist() == [0, 2]
    assert step.first.tolist() == [False, False]
    assert step.terminated.tolist() == [True, True]
    assert step.truncated.tolist() == [False, True]
    assert [history.number(stack) for stack in np.stack([step.obs, step.obs], axis=1)] == [2, 6]
    assert history.step("..-").first.tolist() == [True, False]


@pytest.mark.parametrize(("padding", "before"), [("repeat", 1), ("zero", 0)])
def test_stacks_are_padded_as_declared(padding: str, before: int) -> None:
    history = history_of(".", stack=3, padding=padding)
    frames = [history.paint([number])[0] if number else np.zeros((2, 3)) for number in (before, 1, 2)]
    assert np.array_equal(history.stack((1, 2)), frames)


def test_windows_are_whole_or_reach_their_end() -> None:
    history = history_of(".", "t", ".", ".", ".")
    assert {start: len(window) for start, window in history.windows(2).items()} == {1: 2, 2: 1, 4: 2, 5: 2}
    assert history.kept(2, 4) == {4, 5}
    assert history.kept(2, 6) == {4, 5}, "of the stack of frame 2, frame 1 is lost"
    assert history.kept(2, 7) == {1, 2, 4, 5}


def test_the_next_action_is_unknown_at_an_end_and_at_the_head() -> None:
    history = history_of(".", "u", ".", ".")
    first, last, third, newest = history.made[0]
    assert history.action_after(first) == last.action
    assert history.action_after(third) == newest.action
    assert history.action_after(last) == history.action_after(newest) == -1
    window = history.windows(2)[first.seen[-1]]
    assert should(history, PlainReturns(2), window, "next_action") == -1
    assert np.array_equal(should(history, PlainReturns(2), window, "next_obs"), history.stack((2, 3)))


def test_plain_returns_are_worked_out_by_hand() -> None:
    history = history_of(".", ".", "t", ".", "u")
    returns = enforce(PlainReturns(3), Returns)
    windows = history.windows(3)
    assert folded(returns, windows[1]) == (2 + 3 / 2 + 4 / 4, 0.0, 3)
    assert folded(returns, windows[5]) == (6 + 7 / 2, 0.25, 2)


def test_the_recording_sampler_says_what_a_buffer_may_not_do() -> None:
    sampler = enforce(RecordingSampler(), Sampler)
    sampler.activate(np.array([1]))
    sampler.allocate(4)
    sampler.allocate(4)
    sampler.activate(np.array([5]))
    sampler.retire(np.array([5]))
    sampler.activate(np.array([5]))
    assert [text.split(" ")[0] for text in sampler.broken] == ["activate", "allocate", "ids", "id", "ids"]
    assert sampler.sample(9, Counters())[0].tolist() == [5, 1]


def test_the_mixture_is_worked_out_by_hand() -> None:
    steps = history_of(".", "u", stack=1).made[0]
    one, two = 2 + 0.5 * 2**2, 2 + 0.5 * 3 + 0.25 * 3**2
    assert mixture(steps, 0.25) == 0.75 * one + 0.25 * two
    assert mixture(steps, 0.0) == one
    assert mixture(steps, 1.0) == two


def test_a_difference_is_told_by_the_frames_numbers() -> None:
    scene = Scene(Subject(("tabular", "chain")), frames_of((2, 3), np.int64, 2, 1, padding="zero"), 1, 8)
    scene.step(".")
    scene.step(".")
    batch = scene.drawn()
    scene.compare(batch, "obs", "next_obs")
    batch.obs[0] = batch.obs[1]
    batch.obs[0, -1] = scene.history.paint([2])[0]
    with pytest.raises(Violation, match=r"compared = obs: expected frames 1 2, got frames blank 2"):
        scene.compare(batch, "obs")
