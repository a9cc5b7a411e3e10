"""Checks of a buffer's contents: it gives all transitions that happened and may be drawn, and nothing else.

The checks compare the buffer with a plain list of all transitions (`plain_history`). A scripted sampler and plain
returns (`plain_parts`) let them look at every place of the write head (`cases`). They check a buffer that draws by
itself together with the composition's other parts (`own_parts`).
"""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from framework.conformance.check import Cause, check, expect
from framework.conformance.fixtures.batches import frames_of
from framework.conformance.fixtures.replay.cases import FRAME, CapacityRefused, ReplayCase, replay_cases
from framework.conformance.fixtures.replay.own_parts import compare_while_learning
from framework.conformance.subject import Subject


@check(
    "buffer",
    "make_buffer",
    Cause("the next observation is read from a slot that was not written yet", "huggingface/lerobot#918"),
    Cause("a window runs from the newest transition into the oldest", "iwhwang/Fine-Grained-Causal-RL#1"),
    Cause("the write head has overwritten a frame of an old stack", "berkeleydeeprlcourse/homework#52"),
    Cause("the newest transition is left out, or has no successor", "tensorforce/tensorforce#138"),
    Cause("the last n − 1 transitions of an episode are never drawn", "CleanRL rainbow_atari.py"),
    Cause("the write index stops when the buffer is full", "medipixel/rl_algorithms#94"),
    Cause("`full` is set too early, so that zeros are drawn", "assume-framework/assume#855"),
)
def exactly_the_whole_windows_can_be_drawn(subject: Subject) -> None:
    """A transition can be drawn once its window is whole or its episode over, until one of its frames is overwritten.

    Until it is full, a buffer must keep all transitions; after that, one that is not the engine's may choose.
    """
    for case in replay_cases(subject):
        batch = case.drawn()
        case.compare_starts(batch)
        expect(len(case.buffer), len(batch), example=case.example(compared="len(buffer)"))


def _compare(subject: Subject, name: str) -> None:
    for case in replay_cases(subject):
        case.compare(case.drawn(), name)


@check(
    "buffer",
    "make_buffer",
    Cause("a stack reaches across the write head or into the previous episode", "berkeleydeeprlcourse/homework#52"),
    Cause("the padding before an episode is not what `stack_padding` declares", "Farama-Foundation/Gymnasium#829"),
)
def observation_is_the_stack_that_was_acted_on(subject: Subject) -> None:
    """`obs` holds the last frames of its own episode, oldest first, padded as declared."""
    _compare(subject, "obs")


@check("buffer", "make_buffer", Cause("actions are shifted by one step against their observations"))
def action_is_the_one_that_was_taken(subject: Subject) -> None:
    """`action` is the action that was taken on `obs`."""
    _compare(subject, "action")


@check(
    "buffer",
    "make_buffer",
    Cause("a reset's frame replaces the last one of a truncated episode", "DLR-RM/stable-baselines3#934"),
    Cause("the successor of one step although n steps were folded", "Huixxi/TensorFlow2.0-for-Deep-RL#1"),
    Cause("the newest transition's successor was not written yet", "huggingface/lerobot#918"),
)
def next_observation_is_the_true_successor(subject: Subject) -> None:
    """`next_obs` is the observation after the last step of the window, and never one of a reset."""
    _compare(subject, "next_obs")


@check(
    "buffer",
    "make_buffer",
    Cause("windows cross episodes once the buffer is full", "younggyoseo/FastTD3#7"),
    Cause("the wrong field is rescaled", "LAMDA-RL/PRDC#1"),
)
def reward_is_folded_from_the_own_window(subject: Subject) -> None:
    """`reward` is the return of the steps that followed `obs` in its own episode."""
    _compare(subject, "reward")


@check(
    "buffer",
    "make_buffer",
    Cause("the oldest or the newest slots lose their terminal flag", "keras-rl/keras-rl#138"),
    Cause("an episode's end is marked as terminated although it was not", "google/dopamine#228"),
    Cause("`truncated` is stored as `terminated`", "openai/baselines#436"),
)
def discount_is_folded_from_the_own_window(subject: Subject) -> None:
    """`discount` is γ^k for k folded steps, and 0 if one of them terminated."""
    _compare(subject, "discount")


@check("buffer", "make_buffer", Cause("the next episode's first action"), Cause("the action of an unwritten slot"))
def next_action_is_the_one_that_followed(subject: Subject) -> None:
    """`next_action` is the action taken on `next_obs`, or −1 if the episode is over or no action has been taken yet."""
    _compare(subject, "next_action")


SIGNS = st.sampled_from(["...", ".-.", "t..", "u.-", "bt.", "-u.", "..t", "-.-", "tuu"])
"""Steps of three environments, some of which make no transition."""


@check(
    "buffer",
    "make_buffer",
    Cause("environments share state that belongs to one of them"),
    Cause("row numbers are used as environment numbers although some rows are missing", "vwxyzjn/cleanrl#499"),
)
def any_history_is_given_back(subject: Subject) -> None:
    """For any history of several environments, the buffer gives exactly the transitions that may be drawn."""

    def body(envs: int, stack: int, n: int, spare: int, padding: str, steps: list[str]) -> None:
        capacity = envs * (stack + n + 1) + spare
        try:
            case = ReplayCase(subject, frames_of(FRAME, np.int64, stack, envs, padding=padding), n, capacity)
        except CapacityRefused:
            assume(False)
        for signs in steps:
            if set(signs[:envs]) != {"-"}:
                case.step(signs[:envs])
                case.verify()

    subject.for_all(
        body, examples=25, envs=st.integers(1, 3), stack=st.integers(1, 4), n=st.integers(1, 4),
        spare=st.integers(0, 9), padding=st.sampled_from(["repeat", "zero"]),
        steps=st.integers(0, 30).flatmap(lambda count: st.lists(SIGNS, min_size=count, max_size=count)),
    )  # fmt: skip


@check(
    "buffer",
    "make_buffer",
    Cause("a ring of capacity // N slots is indexed modulo the capacity"),
    Cause("the code assumes a power of two", "vwxyzjn/cleanrl#546"),
)
def any_capacity_that_is_accepted_works(subject: Subject) -> None:
    """Every capacity that the buffer accepts works, whether or not it is a multiple of the number of environments."""
    envs, accepted = 3, 0
    refused: list[CapacityRefused] = []
    for capacity in range(2, 80):
        try:
            case = ReplayCase(subject, frames_of(FRAME, np.int64, 2, envs), 2, capacity)
        except CapacityRefused as reason:
            refused.append(reason)
            continue
        for moment in range(3 * capacity // envs):
            case.step("..t" if moment % 4 else "u..")
            case.verify()
        accepted += 1
        if accepted > 2 * envs:
            return
    if not accepted:
        raise refused[-1]


@check(
    "buffer",
    "make_buffer",
    Cause("rows of several environments are mixed up"),
    Cause("the step of a reset is stored as a transition", "vwxyzjn/cleanrl#499"),
)
def what_is_learnt_has_happened(subject: Subject) -> None:
    """Buffer, sampler, returns and cadence together give only transitions that happened."""

    compare_while_learning(subject)
