"""The options of the plugin `atari`: its games and its protocols."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import ale_py
import gymnasium
import pytest
from ale_py import roms
from ale_py.registration import rom_id_to_name
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.configuration import configure
from framework.config import Source, build_config
from framework.errors import UsageError
from plugins.atari.games import GAMES, ROWS, screen_of
from plugins.atari.options import PROTOCOLS, AtariOptions

OF_THE_PROTOCOLS = sorted({path for values in PROTOCOLS.values() for path in values if path.startswith("atari.")})


def values_of(options: AtariOptions) -> dict[str, Any]:
    return {f"atari.{key}": value for key, value in options.model_dump().items()}


def configured(*values: dict[str, Any], names: str = "dqn,atari") -> dict[str, Any]:
    """The options in force; of several groups of values, the last is the strongest."""
    return configure(names, [Source(f"source {number}", given) for number, given in enumerate(values)])[1].flat()


def test_the_games_are_all_that_ale_py_ships_for_one_player() -> None:
    gymnasium.register_envs(ale_py)
    shipped = {name for name in roms.get_all_rom_ids() if f"ALE/{rom_id_to_name(name)}-v5" in gymnasium.registry}
    assert set(GAMES) == shipped
    assert set(roms.get_all_rom_ids()) - shipped == {"combat", "joust", "maze_craze", "warlords"}
    assert list(GAMES) == sorted(GAMES)


@pytest.mark.parametrize("game", ["breakout", "carnival", *sorted(ROWS)[:2]])
def test_the_screens_have_the_heights_of_the_table(game: str) -> None:
    console = ale_py.ALEInterface()
    console.loadROM(roms.get_rom_path(game))
    assert console.getScreenDims() == screen_of(game)


@pytest.mark.slow
def test_all_screens_have_the_heights_of_the_table() -> None:
    for game in GAMES:
        console = ale_py.ALEInterface()
        console.loadROM(roms.get_rom_path(game))
        assert console.getScreenDims() == screen_of(game), game


def test_an_unknown_game_is_refused_by_name_with_the_nearest_one() -> None:
    words = [sys.executable, "-m", "framework", "config", "--plugins", "dqn,atari", "--set", "atari.game=brekout"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "atari.game = 'brekout'" in done.stderr
    assert re.search(r"Did you mean\s+'breakout'\?", done.stderr)


def test_the_defaults_are_those_of_the_default_protocol() -> None:
    defaults = values_of(AtariOptions())
    assert {path: defaults[path] for path in PROTOCOLS[defaults["atari.protocol"]]} == PROTOCOLS["2015"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocol_sets_its_values_and_no_others(protocol: str) -> None:
    before, found = configured(), configured({"atari.protocol": protocol})
    assert found == {**before, **PROTOCOLS[protocol], "atari.protocol": protocol}


@given(
    protocol=st.sampled_from(sorted(PROTOCOLS)),
    earlier=st.sampled_from([None, *PROTOCOLS]),
    weaker=st.sampled_from([{}, {"atari.sticky": 0.5}, {"atari.size": 42, "atari.stack": 2}]),
    own=st.sampled_from([{}, {"atari.sticky": 0.125}, {"atari.actions": "full", "run.steps": 7}]),
)
def test_its_values_are_stronger_than_earlier_sources_and_weaker_than_its_own(
    protocol: str, earlier: str | None, weaker: dict[str, Any], own: dict[str, Any]
) -> None:
    first = {**weaker, "atari.protocol": earlier} if earlier else weaker
    found = configured(first, {"atari.protocol": protocol, **own})
    wanted = {**PROTOCOLS[protocol], **own, "atari.protocol": protocol}
    assert {path: found[path] for path in wanted} == wanted


def test_the_protocols_decide_the_same_options_of_the_environment() -> None:
    """Otherwise a protocol would leave values of the one before in force."""
    for values in PROTOCOLS.values():
        assert sorted(path for path in values if path.startswith("atari.")) == OF_THE_PROTOCOLS


def test_a_protocol_is_stronger_than_a_bundle_and_says_where_its_values_come_from() -> None:
    config = configure("rainbow,atari", [Source("--set", {"atari.protocol": 2018}, unread="refused")])[1]
    assert (config[AtariOptions].actions, config[AtariOptions].protocol) == ("full", "2018")
    assert config.sources["atari.actions"] == "atari.protocol = 2018, --set"
    assert config.sources["run.steps"] == "bundle rainbow"


def test_the_options_of_a_command_are_stronger_than_a_protocol_from_set() -> None:
    given = {"atari.protocol": "100k"}
    sources = [Source("--set", given, unread="refused"), Source("command line", {"run.steps": 9}, unread="refused")]
    assert configure("dqn,atari", sources)[1].flat()["run.steps"] == 9
    ends = [Source("--set", given, unread="refused"), Source("command line", {"run.episodes": 3}, unread="refused")]
    assert configure("dqn,atari", ends)[1].flat()["run.steps"] is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("size", 35), ("size", 211), ("frame_skip", 0), ("sticky", 1.1), ("noop_max", -1), ("stack", 0)),
        *(("max_frames", 0), ("padding", "mirror"), ("backend", "gym"), ("actions", "moves"), ("protocol", "2016")),
        *(("protocol", 2016), ("protocol", True), ("view", "field"), ("life_loss", "perhaps"), ("colour", True)),
    ],
)
def test_values_out_of_bounds_are_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"atari.{key}|'{key}'"):
        build_config([AtariOptions], [Source("test", {f"atari.{key}": value})])
