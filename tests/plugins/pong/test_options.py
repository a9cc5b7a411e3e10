"""The options of the plugin `pong`."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest

from framework.config import Source, build_config
from framework.errors import UsageError
from plugins import pong
from plugins.pong.options import ACTION_SETS, PongOptions
from plugins.pong.single import pong_env


def test_action_sets_have_their_sizes_and_ale_knows_them_all() -> None:
    sizes = {"moves": 3, "fast": 3, "minimal": 6, "full": 18}
    assert {name: len(actions) for name, actions in ACTION_SETS.items()} == sizes
    for name in ACTION_SETS:
        env = pong_env(PongOptions(actions=name))  # type: ignore[arg-type]
        assert env.action_space == gymnasium.spaces.Discrete(len(ACTION_SETS[name]))
        if name in ("minimal", "full"):
            assert env.unwrapped.get_action_meanings() == list(ACTION_SETS[name])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("size", 35), ("size", 211), ("frame_skip", 0), ("sticky", -0.1), ("sticky", 1.1), ("noop_max", -1)),
        *(("stack", 0), ("max_frames", 0), ("threads", -1), ("padding", "mirror"), ("backend", "gym")),
        *(("actions", "distinct"), ("fire_on_reset", "perhaps"), ("colour", True)),
    ],
)
def test_values_out_of_bounds_are_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"pong.{key}|'{key}'"):
        build_config(pong.config_sections(), [Source("test", {f"pong.{key}": value})])
