"""What the environment declares: its protocol, the picture that it shows, and its mirror."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from plugins.atari.description import picture
from plugins.pong.native import NativePong
from plugins.pong.options import ACTION_SETS, PongOptions
from plugins.pong.protocol import describe
from plugins.pong.single import pong_env

EXPLICIT = {
    *("game", "ale_py", "backend", "action_set", "actions", "repeat_action_probability", "frame_skip", "max_pooling"),
    *(
        "size",
        "view",
        "colour",
        "resize",
        "stack",
        "stack_padding",
        "noop_max",
        "noop_range",
        "fire_on_reset",
        "reward_clip",
    ),
    *("max_frames", "episode_ends_on_life_loss", "episodes_per_seed"),
}


def test_both_back_ends_put_the_same_description_into_metadata_of_their_own() -> None:
    options = PongOptions(size=36)
    native, single = NativePong(options, 1, "train"), pong_env(options, "train")
    for env in (native, single):
        for key, value in describe(options, "train").items():
            if key != "protocol":
                assert env.metadata[key] == value
        assert env.metadata is not type(env).metadata
        assert set(env.metadata["protocol"]) == EXPLICIT
    assert "frame_stack" not in single.unwrapped.metadata
    native.close()


@pytest.mark.parametrize("role", ["train", "evaluate", "watch"])
@pytest.mark.parametrize("backend", ["native", "wrappers"])
def test_the_protocol_is_complete_and_can_be_written_as_json(backend: Any, role: Any) -> None:
    protocol = describe(PongOptions(backend=backend, noop_max=30), role)["protocol"]
    assert set(protocol) == EXPLICIT
    assert json.loads(json.dumps(protocol)) == protocol
    assert protocol["noop_range"] == ([0, 29] if protocol["backend"] == "native" else [1, 30])


def test_evaluation_is_training_without_the_clipping() -> None:
    train, evaluate = (describe(PongOptions(), role) for role in ("train", "evaluate"))
    assert train.pop("reward_clip") == (-1.0, 1.0)
    assert train["protocol"].pop("reward_clip") == [-1.0, 1.0]
    assert evaluate["protocol"].pop("reward_clip") is None
    assert train == evaluate
    assert "reward_clip" not in describe(PongOptions(clip_rewards=False), "train")


def test_the_metadata_that_the_engine_reads() -> None:
    found = describe(PongOptions(stack=3, padding="zero", frame_skip=2), "train")
    assert (found["frame_stack"], found["stack_padding"], found["frame_skip"]) == (3, "zero", 2)


@pytest.mark.parametrize("size", [36, 42, 84, 210])
def test_the_court_is_the_same_pixels_as_the_middle_of_the_screen_at_its_scale(size: int) -> None:
    height, rows = picture(PongOptions(size=size, view="court"))
    assert rows.stop - rows.start == size
    assert abs(height / 210 - size / 160) < 0.5 / 210, "pixels are squares, nearly"
    scale = height / 210
    assert abs(rows.start / scale - 34) <= 0.5 / scale
    assert abs(rows.stop / scale - 194) <= 1 / scale


def test_the_score_is_on_the_screen_and_not_in_the_court() -> None:
    """With a point the upper rows of the screen change; the court has no such rows."""
    for view, changes in (("screen", True), ("court", False)):
        env = pong_env(PongOptions(size=84, view=view, noop_max=0))  # type: ignore[arg-type]
        env.reset(seed=0)
        reward, frames = 0.0, []
        while not reward:
            frame, reward, *_ = env.step(0)
            frames.append(frame[:8])
        frames.append(env.step(0)[0][:8])
        assert (frames[-1] != frames[-3]).any() == changes


def test_the_court_declares_its_mirror_and_the_screen_has_none() -> None:
    """In the mirror up is down: where an action has RIGHT, its mirror image has LEFT."""
    assert "mirror" not in describe(PongOptions(view="screen"), "train")
    for name, actions in ACTION_SETS.items():
        mirror = describe(PongOptions(actions=name, view="court"), "train")["mirror"]  # type: ignore[arg-type]
        assert mirror["axis"] == -2
        for action, image in zip(actions, mirror["actions"], strict=True):
            assert actions[image] == action.replace("RIGHT", "?").replace("LEFT", "RIGHT").replace("?", "LEFT")


def test_the_paddle_goes_down_as_it_goes_up() -> None:
    """Measured on the emulator: the paddle goes as far up as down, up to two pixels of the screen."""
    where: list[float] = []
    for action in (0, 1, 2):
        env = pong_env(PongOptions(size=160, view="court", noop_max=0))
        env.reset(seed=0)
        for step in range(22):
            frame = env.step(0 if step < 20 else action)[0]
        rows = np.flatnonzero((frame[:, 140:144] != np.bincount(frame.ravel()).argmax()).any(axis=1))
        where.append(float(rows.mean()))
    stays, up, down = where
    assert up < stays - 5
    assert (stays - up) == pytest.approx(down - stays, abs=3)
