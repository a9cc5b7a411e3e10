"""What `gym:ID` recommends and adds: which values win, what `config` says of them, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.assemble import assemble
from framework.assembly.configuration import configure
from framework.assembly.loading import load_plugins
from framework.config import Source
from framework.environments import presets
from framework.environments.presets import (
    ADDED,
    NETWORK,
    PRESETS,
    RUN,
    TABLE,
    Preset,
    added_plugins,
    recommended,
)

ids = st.sampled_from(["CartPole-v1", "Elsewhere-v0", *PRESETS])
plugins = st.lists(st.sampled_from(["dqn", "tabular", "pqn", "online", "munchausen", "ucb"]), unique=True)


@given(ids, plugins)
def test_a_preset_replaces_a_general_value_and_nothing_is_named_twice(env_id: str, names: list[str]) -> None:
    sources = recommended(env_id, names)
    paths = [path for source in sources for path in source.values]
    assert len(paths) == len(set(paths))
    values = {path: value for source in sources for path, value in source.values.items()}
    preset = PRESETS.get(env_id, Preset())
    general, own = dict(RUN), dict(preset.any)
    if "dqn" in names:
        general |= NETWORK
        own |= preset.network
    elif "tabular" in names:
        general |= TABLE
        own |= preset.table
    assert values == {**general, **own}
    for source in sources:
        for path in source.values:
            assert source.label.startswith(f"preset {env_id}" if path in own else "every environment")


@given(ids, plugins, plugins)
def test_only_a_named_dqn_gets_plugins(env_id: str, named: list[str], brought: list[str]) -> None:
    composition = list(dict.fromkeys([*named, *brought]))
    added = added_plugins(env_id, named, composition)
    if "dqn" not in named or "pqn" in composition:
        assert not added
        return
    wanted = [*ADDED, *PRESETS.get(env_id, Preset()).added]
    assert added == [part for part in wanted if part != "nstep" or "munchausen" not in composition]


@pytest.mark.parametrize(
    ("names", "without"),
    [
        ("dqn,gym:CartPole-v1", set()),
        ("dqn,munchausen,gym:CartPole-v1", {"double", "nstep"}),
        ("dqn,online,gym:CartPole-v1", {"polyak"}),
        ("dqn,boltzmann,gym:MountainCar-v0", {"ez_greedy"}),
        ("dqn,noisy,gym:MountainCar-v0", {"ez_greedy"}),
        ("dqn,no:double,gym:CartPole-v1", {"double"}),
    ],
)
def test_an_added_plugin_makes_way_for_one_that_claims_its_slot(names: str, without: set[str]) -> None:
    loaded = set(load_plugins(names.split(",")).names)
    wanted = {*ADDED, *(["ez_greedy"] if "MountainCar" in names else [])}
    assert wanted - loaded == without


@pytest.mark.parametrize("env_id", sorted(PRESETS))
def test_a_preset_is_of_a_known_id_and_differs_from_the_general_values(env_id: str) -> None:
    assert gymnasium.spec(env_id)
    preset = PRESETS[env_id]
    for own, general in ((preset.any, RUN), (preset.network, NETWORK), (preset.table, TABLE)):
        assert all({**RUN, **general}.get(path) != value for path, value in own.items())


@pytest.mark.parametrize("names", ["dqn,gym:CartPole-v1", "tabular,gym:FrozenLake-v1"])
def test_every_general_value_is_an_option_that_is_in_force_and_names_its_source(names: str) -> None:
    family, environment = names.split(",")
    kind = {"dqn": "network", "tabular": "table"}[family]
    _, config, _ = configure(names)
    env_id = environment.removeprefix("gym:")
    for source in recommended(env_id, [family]):
        for path, value in source.values.items():
            shown = config.flat()[path]
            assert (tuple(shown) if isinstance(shown, list) else shown) == value
            assert config.sources[path] == f"recommended by {environment} ({source.label})"
    assert f"every environment, {kind}" in {source.label for source in recommended(env_id, [family])}


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        ("dqn,gym:CartPole-v1", []),
        ("dqn,no:nstep,gym:CartPole-v1", ["nstep"]),
        ("dqn,online,gym:CartPole-v1", ["polyak"]),
        ("dqn,munchausen,gym:CartPole-v1", ["double", "nstep"]),
        ("pqn,gym:CartPole-v1", list(ADDED)),
        ("rainbow,gym:CartPole-v1", ["polyak", "averaging"]),
        ("tabular,gym:FrozenLake-v1", list(ADDED)),
        ("dqn,ucb,gym:FrozenLake-v1", []),
    ],
)
def test_compositions_assemble_with_what_fits_them(names: str, absent: list[str]) -> None:
    parts = assemble(names, {"run.steps": 1})
    parts.close()
    assert sorted(set(ADDED) - set(parts.plugins.names)) == sorted(absent)


VARIANTS = (
    "averaging,boltzmann,c51,double,dueling,ez_greedy,iqn,layer_norm,munchausen,noisy,nstep,online,packed,per,polyak,qr"
)


@pytest.mark.parametrize("variant", VARIANTS.split(","))
@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0"])
def test_every_variant_fits_beside_what_is_added(variant: str, env_id: str) -> None:
    plugins = load_plugins(["dqn", variant, f"gym:{env_id}"])
    assert {"dqn", variant} <= set(plugins.names)


@pytest.mark.parametrize("steps", [1_000, 777_777])
def test_another_length_of_the_run_stretches_the_schedules(steps: int) -> None:
    parts = assemble("dqn,gym:CartPole-v1", {"run.steps": steps, "replay.capacity": 100})
    counters, share = parts.counters, NETWORK["exploration.share"]
    epsilons = []
    for part in (0, share / 2, share, 1):
        counters.env_steps = round(part * steps)
        epsilons.append(parts.exploration.metrics(counters)["epsilon"])
    parts.close()
    final = NETWORK["exploration.final"]
    assert epsilons == pytest.approx([1.0, (1 + final) / 2, final, final], abs=2e-3)


PICTURE = gymnasium.spaces.Box(0, 255, (40, 48, 3), np.uint8)
NUMBERS = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)


class Picture(gymnasium.Env[Any, np.int64]):
    def __init__(self, space: gymnasium.Space[Any]) -> None:
        self.observation_space = space
        self.action_space = gymnasium.spaces.Discrete(2)


@pytest.fixture(
    params=[
        PICTURE,
        gymnasium.spaces.Dict(image=PICTURE, direction=gymnasium.spaces.Discrete(4)),
        gymnasium.spaces.Tuple([NUMBERS, gymnasium.spaces.Dict(a=NUMBERS, b=PICTURE)]),
    ],
    ids=["image", "Dict", "nested"],
)
def picture(request: pytest.FixtureRequest) -> Iterator[str]:
    gymnasium.register("Picture-v0", Picture, kwargs={"space": request.param})
    yield "Picture-v0"
    del gymnasium.registry["Picture-v0"]


def test_an_agent_that_sees_images_keeps_the_values_of_its_plugins(picture: str) -> None:
    loaded, config, _ = configure(f"dqn,gym:{picture}")
    assert set(ADDED).isdisjoint(loaded.names)
    recommended_here = {path for path, source in config.sources.items() if source.startswith("recommended")}
    assert recommended_here == set(RUN)


def test_labels_are_shown_behind_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = {"CartPole-v1": Preset(any={"run.steps": 123}, network={"dqn.hidden": 77})}
    monkeypatch.setattr(presets, "PRESETS", preset)
    _, config, _ = configure("dqn,gym:CartPole-v1", [Source("mine", {"dqn.hidden": 5})])
    assert config.sources["run.steps"] == "recommended by gym:CartPole-v1 (preset CartPole-v1)"
    assert (config.sources["dqn.hidden"], config.flat()["dqn.hidden"]) == ("mine", 5)
