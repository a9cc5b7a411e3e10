"""Checks of what a buffer holds: what is drawn is what happened, all of it that may be drawn, and nothing else.

A plain list of all that happened stands beside the buffer (`histories`); its sampler is scripted and its returns are
walked step by step (`scripted`), so that every place of the write head can be looked at (`scenes`). What a buffer that
draws by itself gives is looked at in the company of the composition's other parts (`drawing`).
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
    Cause("the stack of an old start has lost a frame to the write head", "berkeleydeeprlcourse/homework#52"),
    Cause("the newest transition is left out, or has no successor", "tensorforce/tensorforce#138"),
    Cause("the last n − 1 starts of an episode are never given", "CleanRL rainbow_atari.py"),
    Cause("the write index stops when the buffer is full", "medipixel/rl_algorithms#94"),
    Cause("`full` is set too early, and zeros are drawn", "assume-framework/assume#855"),
)
def exactly_the_whole_windows_can_be_drawn(subject: Subject) -> None:
    """A transition can be drawn once its window is whole, or its episode over, and until a frame of it is overwritten.

    Which old ones another buffer than the engine's keeps is its own business; until it is full, all of them.
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
    Cause("a stack reaches over the write head, or into the episode before", "berkeleydeeprlcourse/homework#52"),
    Cause("what stands before an episode's first frame is not what `stack_padding` declares", "Gymnasium#829"),
)
def observation_is_the_stack_that_was_acted_on(subject: Subject) -> None:
    """`obs` holds the last frames of its own episode, oldest first, padded as declared."""
    _compare(subject, "obs")


@check("buffer", "make_buffer", Cause("actions lie one step away from their observations"))
def action_is_the_one_that_was_taken(subject: Subject) -> None:
    """`action` is what was done on `obs`."""
    _compare(subject, "action")


@check(
    "buffer",
    "make_buffer",
    Cause("a reset frame stands where a truncated episode's last one belongs", "DLR-RM/stable-baselines3#934"),
    Cause("the successor one step later, where n steps were folded", "Huixxi/TensorFlow2.0-for-Deep-RL#1"),
    Cause("the newest transition's successor was not written yet", "huggingface/lerobot#918"),
)
def next_observation_is_the_true_successor(subject: Subject) -> None:
    """`next_obs` is what was seen after the last step of the window; after an end the last frame, never a reset's."""
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
    Cause("a terminal that never was stands at an episode's end", "google/dopamine#228"),
    Cause("`truncated` is stored as `terminated`", "openai/baselines#436"),
)
def discount_is_folded_from_the_own_window(subject: Subject) -> None:
    """`discount` is γ^k of the steps that were folded, and 0 where one of them terminated."""
    _compare(subject, "discount")


@check("buffer", "make_buffer", Cause("the next episode's first action"), Cause("a slot that was not written yet"))
def next_action_is_the_one_that_followed(subject: Subject) -> None:
    """`next_action` was taken on `next_obs`; it is −1 where the episode was over, or none has been taken yet."""
    _compare(subject, "next_action")


SIGNS = st.sampled_from(["...", ".-.", "t..", "u.-", "bt.", "-u.", "..t", "-.-", "tuu"])
"""A step of three environments, of which some make no transition."""


@check(
    "buffer",
    "make_buffer",
    Cause("environments share what belongs to one of them"),
    Cause("rows are taken for environments where some of them make no transition", "vwxyzjn/cleanrl#499"),
)
def any_history_is_given_back(subject: Subject) -> None:
    """Whatever happens in several environments, what can be drawn is what happened."""

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
    Cause("a power of two is taken for granted", "vwxyzjn/cleanrl#546"),
)
def any_capacity_that_is_accepted_works(subject: Subject) -> None:
    """From the smallest capacity that is not refused on, multiples of the number of environments or not."""
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
    """Buffer, sampler and returns together, drawn from as the cadence says, give transitions that were made."""

    compare_while_learning(subject)
