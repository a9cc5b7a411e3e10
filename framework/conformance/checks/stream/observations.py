"""Checks of the stream: dtypes, frame stacks, and numbers that count from 0."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from framework.conformance.check import Cause, Violation, check, expect
from framework.conformance.fixtures.environments.autoreset import (
    MODES,
    Case,
    seed_of,
    steps_of,
)
from framework.conformance.fixtures.environments.extremes import Choices, Numbers
from framework.conformance.fixtures.environments.probes import TAGS, Painter
from framework.conformance.subject import Subject
from framework.environments.edge import Edge
from framework.environments.stream import TransitionStream
from framework.types import Step


@check(
    "stream",
    "make_env",
    Cause("a conversion to an unsigned or a smaller dtype", "google/dopamine#57"),
    Cause("observations of another dtype than the space's", "thu-ml/tianshou#65"),
)
def frames_keep_their_dtype(subject: Subject) -> None:
    """Frames keep their dtype and values, even at the extremes of the dtype."""
    for dtype in (np.uint8, np.int8, np.int64, np.float32, np.float64):
        for mode in AutoresetMode:
            env = SyncVectorEnv([partial(Numbers, dtype)], autoreset_mode=mode)
            stream = TransitionStream(env, lambda env_id, episode: 0)
            example = {"dtype": np.dtype(dtype).name, "mode": mode.value}
            for _ in range(2):
                seen = stream.observations
                stream.begin(np.zeros(1, np.int64))
                step = stream.finish()
                for name, frames in (("observations", seen), ("obs", step.obs), ("next_obs", step.next_obs)):
                    if len(frames) and frames.dtype != dtype:
                        raise Violation({**example, "field": name}, np.dtype(dtype).name, frames.dtype.name)
                    if len(frames):
                        expect(frames[0], Numbers(dtype).frame, example={**example, "field": name})
            stream.close()


@check(
    "stream",
    "make_env",
    Cause("zeros instead of the repeated first frame, or the other way round", "Farama-Foundation/Gymnasium#829"),
    Cause("frames of the previous episode are still in the stack"),
)
def stacks_show_the_last_frames_of_this_episode(subject: Subject) -> None:
    """A frame stack holds the last k frames of its own episode, oldest first, padded at the start as declared."""
    for k, padding, mode, envs in product((1, 2, 4), ("repeat", "zero"), MODES, (1, 2)):
        case = Case(mode, envs, (3, 1, 2), ("terminated", "truncated"))
        stream = case.open(stack=k, padding=padding)
        read = Painter(case.options(0), TAGS).read
        shown = [[seed_of(env_id)] for env_id in range(envs)]
        steps = steps_of(stream, 12)
        for number in range(12):
            for env_id, frames in enumerate(shown):
                wanted = [0 if padding == "zero" else frames[0]] * (k - len(frames)) + frames[-k:]
                stack = stream.observations[env_id]
                got = [read(frame) for frame in (stack if k > 1 else [stack])]
                example = {"mode": mode or "none named", "padding": padding, "episode so far": list(frames)}
                expect(got, wanted, example={**example, "environment": env_id, "after step": number})
            _follow(shown, next(steps), waits=mode in ("next_step", ""))


def _follow(shown: list[list[int]], step: Step, waits: bool) -> None:
    """Add the frames that the stream should show after a step; a reset's frame has the next number.

    waits: whether an environment whose episode has ended shows its last frame until the next step.
    """
    made = set(step.env_id.tolist())
    for env_id, frames in enumerate(shown):
        if env_id not in made:
            # the environment has just reset itself; until now it showed the last frame of an episode
            shown[env_id] = [frames[-1] + 1]
            continue
        frames.append(frames[-1] + 1)
        ended = bool(step.ended[step.env_id.tolist().index(env_id)])
        if ended and not waits:
            shown[env_id] = [frames[-1] + 1]


@check(
    "stream",
    "make_env",
    Cause("a Discrete or MultiDiscrete space that does not count from 0 is taken for one that does"),
    Cause("the first part of an action changes fastest, or parts of an observation are exchanged"),
)
def observations_and_actions_count_from_zero(subject: Subject) -> None:
    """Parts of an observation count from 0, and action i is the i-th combination, the last part changing fastest."""
    for mode in AutoresetMode:
        env: Any = SyncVectorEnv([lambda: Edge(Choices(masks=False))], autoreset_mode=mode)
        stream = TransitionStream(env, lambda env_id, episode: 0)
        for number in range(9):
            single, seen = env.envs[0].unwrapped, stream.observations[0]
            example = {"mode": mode.value, "step": number, "steps of the episode": single.step_number}
            shown = [int(seen["place"]), *seen["height"].tolist()]
            expect(shown, [single.step_number, *[single.step_number / 8] * 2], example={**example, "compared": "parts"})
            action = number % 6
            done = len(single.log)
            stream.begin(np.array([action]))
            stream.finish()
            for made in single.log[done:]:
                parts = [1 + action // 3, action % 3]
                expect(list(made), parts, example={**example, "action": action, "compared": "its parts"})
        stream.close()
