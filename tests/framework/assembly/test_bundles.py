"""Bundles that depend on what other bundles bring in, and that keep each other's parts out."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.assembly.configuration import configure
from framework.assembly.loading import expand, load_plugins
from framework.errors import UsageError


def bundle(folder: Path, name: str, body: str) -> str:
    file = folder / f"{name}.py"
    file.write_text(f"from framework.hooks import Bundle, hookimpl\n@hookimpl\n{body}\n")
    return str(file)


def test_a_bundle_sees_what_others_bring_in_whatever_the_order(tmp_path: Path) -> None:
    late = bundle(tmp_path, "late", "def bundle(plugins): return Bundle(['nstep'] if 'dqn' in plugins else [])")
    brings = bundle(tmp_path, "brings", "def bundle(): return Bundle(['dqn', 'double'])")
    for names in ([late, brings, "chain"], [brings, late, "chain"]):
        assert set(load_plugins(names).names) == {"late", "brings", "chain", "dqn", "double", "nstep"}
    assert set(load_plugins([late, "tabular", "chain"]).names) == {"late", "tabular", "chain"}
    assert "nstep" not in load_plugins([late, brings, "chain", "no:nstep"]).names


def test_a_bundle_keeps_out_what_another_adds_and_not_what_the_user_names(tmp_path: Path) -> None:
    adds = bundle(tmp_path, "adds", "def bundle(): return Bundle(['nstep'])")
    keeps = bundle(tmp_path, "keeps", "def bundle(): return Bundle(['no:nstep'])")
    for names in ([adds, keeps], [keeps, adds]):
        assert "nstep" not in load_plugins([*names, "dqn", "chain"]).names
        assert "nstep" in load_plugins([*names, "nstep", "dqn", "chain"]).names


def test_what_is_kept_out_takes_its_own_parts_and_values_with_it(tmp_path: Path) -> None:
    """As the user's no:NAME does."""
    inner = bundle(tmp_path, "inner", "def bundle(): return Bundle(['nstep'], {'nstep.n': 7})")
    adds = bundle(tmp_path, "adds", f"def bundle(): return Bundle([{inner!r}])")
    keeps = bundle(tmp_path, "keeps", "def bundle(): return Bundle(['no:inner'])")
    for names in ([adds, keeps], [keeps, adds]):
        loaded = load_plugins([*names, "dqn", "chain"])
        assert not {"inner", "nstep"} & set(loaded.names)
        assert loaded.values == []
    assert loaded.values == load_plugins([adds, "no:inner", "dqn", "chain"]).values


def test_values_and_refusals_may_depend_on_what_others_bring_in(tmp_path: Path) -> None:
    body = "return Bundle(['no:nstep'], {'dqn.hidden': 32}) if 'double' in plugins else Bundle(['nstep'])"
    late = bundle(tmp_path, "late", f"def bundle(plugins): {body}")
    brings = bundle(tmp_path, "brings", "def bundle(): return Bundle(['dqn', 'double'])")
    for names in ([late, brings, "chain"], [brings, late, "chain"]):
        loaded = load_plugins(names)
        assert "nstep" not in loaded.names
        assert loaded.values == [("late", {"dqn.hidden": 32})]


def test_an_optional_part_makes_way_for_a_plugin_that_claims_its_slot(tmp_path: Path) -> None:
    """Whoever brings the other plugin, and wherever it is named; a decorator or a family's default is no claim."""
    adds = bundle(tmp_path, "adds", "def bundle(): return Bundle(['dqn'], optional=['double', 'nstep'])")
    mine = tmp_path / "mine.py"
    mine.write_text((Path(__file__).parents[3] / "plugins" / "double.py").read_text())
    brings = bundle(tmp_path, "brings", f"def bundle(): return Bundle([{str(mine)!r}])")
    for rival in (str(mine), brings, "munchausen"):
        for names in ([adds, rival], [rival, adds]):
            found = set(load_plugins([*names, "chain"]).names)
            assert "double" not in found and "nstep" in found
    assert {"double", "nstep"} <= set(load_plugins([adds, "layer_norm", "chain"]).names)
    assert "double" not in load_plugins([adds, "no:double", "chain"]).names
    assert "double" in load_plugins([adds, "double", "chain"]).names
    two = bundle(tmp_path, "two", "def bundle(): return Bundle(optional=['munchausen'])")
    assert "munchausen" not in load_plugins([adds, two, "chain"]).names  # the first of two optional parts stays


FAMILY = """
from framework.hooks import hookimpl
@hookimpl{mark}
def {slot}(): ...
"""


def test_an_agent_comes_in_only_where_nothing_is_one(tmp_path: Path) -> None:
    """A family's default for a slot counts, and so does what a bundle brings in; a decorator does not."""
    game = tmp_path / "game.py"
    game.write_text(
        "from framework.hooks import Bundle, hookimpl\n"
        "@hookimpl\ndef bundle(plugins): return Bundle(['mirror'] if 'dqn' in plugins else [], agent='pqn')\n"
        "@hookimpl\ndef make_env(): ...\n"
    )
    brings = bundle(tmp_path, "brings", "def bundle(): return Bundle(['dqn'])")
    alone = expand([str(game)])
    assert set(alone.plugins) == {"engine", "game", "pqn", "mirror", "dqn", "layer_norm"}
    assert [name for name, origin in alone.origins.items() if origin.agent] == ["pqn"]
    assert "pqn" in expand([str(game), "averaging"]).plugins
    for other in ("dqn", "tabular", brings, "nstep", "iqn"):
        for names in ([str(game), other], [other, str(game)]):
            assert "pqn" not in expand(names).plugins
    for slot, mark in (("make_policy", ""), ("make_policy", "(trylast=True)"), ("mine_head", "")):
        mine = tmp_path / "mine.py"
        mine.write_text(FAMILY.format(slot=slot, mark=mark))
        assert set(expand([str(game), str(mine)]).plugins) == {"engine", "game", "mine"}
    assert set(expand([str(game), "no:pqn"]).plugins) == {"engine", "game"}
    with pytest.raises(UsageError, match="no:pqn has no effect"):
        expand([str(game), "dqn", "no:pqn"])


def test_of_two_agents_the_first_comes_in(tmp_path: Path) -> None:
    one = bundle(tmp_path, "one", "def bundle(): return Bundle(agent='pqn')")
    two = bundle(tmp_path, "two", "def bundle(): return Bundle(agent='tabular')")
    assert "tabular" not in expand([one, two]).plugins
    assert "pqn" not in expand([two, one]).plugins


def test_a_bundle_that_changes_without_end_is_refused(tmp_path: Path) -> None:
    odd = bundle(tmp_path, "odd", "def bundle(plugins): return Bundle([] if 'nstep' in plugins else ['nstep'])")
    with pytest.raises(UsageError, match="what odd adds depends on itself"):
        load_plugins([odd, "dqn", "chain"])


def test_files_that_a_bundle_brings_in_are_brought_in_once(tmp_path: Path) -> None:
    part = tmp_path / "part.py"
    part.write_text((Path(__file__).parents[3] / "plugins" / "double.py").read_text())
    brings = bundle(tmp_path, "brings", f"def bundle(plugins): return Bundle(['dqn', {str(part)!r}])")
    assert set(load_plugins([brings, "chain"]).names) == {"brings", "chain", "dqn", "part"}


@pytest.mark.parametrize(
    ("names", "there", "not_there"),
    [
        ("dqn,pong", {"nstep", "per", "mirror", "averaging"}, set()),
        ("dqn,double,pong", {"nstep", "per", "mirror", "averaging"}, set()),
        ("pqn,pong", {"averaging", "mirror"}, {"nstep", "per"}),
        ("pong", {"pqn", "dqn", "layer_norm", "averaging", "mirror"}, {"nstep", "per"}),
        ("pong,no:layer_norm,mirror", {"pqn", "dqn", "averaging", "mirror"}, {"layer_norm", "nstep", "per"}),
        ("iqn,dqn,pong", {"nstep", "per", "mirror", "averaging"}, {"pqn"}),
        ("rainbow,pong", {"nstep", "per"}, {"mirror", "averaging"}),
        ("rainbow,dqn,pong", {"nstep", "per"}, {"mirror", "averaging"}),
        ("data_efficient,pong", {"nstep", "per"}, {"mirror", "averaging"}),
        ("chapter,pong", {"dqn"}, {"mirror", "averaging", "nstep", "per"}),
        ("dqn,pong,no:mirror", {"averaging"}, {"mirror"}),
    ],
)
def test_what_pong_adds(names: str, there: set[str], not_there: set[str]) -> None:
    loaded = set(load_plugins(names.split(",")).names)
    assert there <= loaded and not not_there & loaded


def test_an_agent_that_a_bundle_brings_gets_what_pong_adds_to_dqn(tmp_path: Path) -> None:
    brings = bundle(tmp_path, "brings", "def bundle(): return Bundle(['dqn', 'double'])")
    loaded = set(load_plugins([brings, "pong"]).names)
    assert {"mirror", "averaging"} <= loaded and not {"nstep", "per"} & loaded


def test_values_for_a_family_reach_its_environment_or_are_noted(tmp_path: Path) -> None:
    sets = bundle(tmp_path, "sets", "def bundle(): return Bundle(['dqn'], {'atari.stack': 3, 'atari.stak': 4})")
    _, config, notes = configure([sets, "pong"])
    assert config.flat()["pong.stack"] == 3
    assert any("atari.stak" in note for note in notes)
    with pytest.raises(UsageError, match="families must return a sequence of names"):
        load_plugins([bundle(tmp_path, "odd", "def families(): return 'atari'"), "dqn", "chain"])
