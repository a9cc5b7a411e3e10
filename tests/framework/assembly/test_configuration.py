"""Where the values of options come from, which source wins, and what is said of a wrong value."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.configuration import configure, without_void_values
from framework.config import Source, parse_assignment
from framework.errors import UsageError
from framework.options import ReturnsOptions


def settle(values: dict[str, object], label: str = "--set", names: str = "tabular,chain") -> dict[str, object]:
    return configure(names, [Source(label, values)])[1].flat()


def test_each_source_beats_the_weaker_ones() -> None:
    named = "tabular,chain"
    default = configure(named)[1]
    assert default.sources["returns.gamma"] == "recommended by chain"
    assert default.flat()["evaluation.every"] == 0
    layered = configure(
        named, [Source("file a.toml", {"returns.gamma": 0.5, "run.seed": 3}), Source("--set", {"returns.gamma": 0.7})]
    )[1]
    assert layered[ReturnsOptions].gamma == 0.7
    assert layered.sources["returns.gamma"] == "--set"
    assert layered.sources["run.seed"] == "file a.toml"


def test_an_end_that_the_user_names_replaces_the_recommended_ones() -> None:
    assert settle({})["run.episodes"] == 100
    assert settle({"run.steps": 5})["run.episodes"] is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"returns.gama": 1}, "returns.gama (from --set): 'returns' has no option 'gama'. Did you mean 'gamma'?"),
        ({"retruns.gamma": 1}, "no loaded plugin has a section 'retruns'. Did you mean 'returns'?"),
        ({"dqn.hidden": 1}, "no loaded plugin has a section 'dqn'."),
        ({"gamma": 1}, "write it as section.key=value"),
        ({"returns.gamma": "high"}, "returns.gamma = 'high' (from --set): must be a valid number"),
        ({"returns.gamma": 1.5}, "returns.gamma = 1.5 (from --set): must be less than or equal to 1"),
        ({"returns.gamma": float("nan")}, "returns.gamma = nan (from --set): must be a finite number"),
        ({"exploration.unit": "days"}, "exploration.unit = 'days' (from --set): must be 'env_steps'"),
        ({"chain.length": 2}, "chain.length = 2 (from --set)"),
        (
            {"chain.length": 10**12},
            "chain.length = 1000000000000 (from --set): must be less than or equal to 1000000",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_source(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        settle(values)
    assert any(message in problem for problem in caught.value.problems), caught.value.problems


def test_all_wrong_values_are_reported_together() -> None:
    with pytest.raises(UsageError) as caught:
        settle({"returns.gamma": 2, "run.seed": -1, "run.sede": 1})
    assert len(caught.value.problems) == 3


def test_none_unsets_and_a_stronger_end_replaces_a_weaker_one_whatever_its_source() -> None:
    assert settle({"run.episodes": None})["run.episodes"] is None
    assert parse_assignment("run.until=none") == ("run.until", None)
    file, flag = Source("file", {"run.episodes": 100}), Source("command line", {"run.steps": 5})
    flat = configure("tabular,chain", [file, flag])[1].flat()
    assert (flat["run.episodes"], flat["run.steps"]) == (None, 5)


def test_the_ends_that_one_person_sets_in_two_ways_all_count() -> None:
    file = Source("file", {"run.until": 3})
    assigned = Source("--set", {"run.episodes": 500}, unread="refused")
    flag = Source("command line", {"run.steps": 5}, unread="refused")
    flat = configure("tabular,chain", [file, assigned, flag])[1].flat()
    assert (flat["run.until"], flat["run.episodes"], flat["run.steps"]) == (None, 500, 5)


@given(
    unread=st.lists(st.sampled_from(["allowed", "defaults", "refused"]), max_size=5),
    paths=st.lists(st.sampled_from(["run.steps", "run.seed"]), min_size=5, max_size=5),
)
def test_every_source_stays_in_its_place(unread: list[Any], paths: list[str]) -> None:
    """Void ends go, and nothing else."""
    sources = [Source(str(n), {path: n}, unread=how) for n, (how, path) in enumerate(zip(unread, paths, strict=False))]
    settled = without_void_values(sources)
    assert [source.label for source in settled] == [source.label for source in sources]
    for source, before in zip(settled, sources, strict=True):
        assert source.values in (before.values, {} if "run.steps" in before.values else before.values)


def test_without_evaluations_no_recommended_evaluation_ends_the_run() -> None:
    assert settle({}, names="dqn,pong")["run.until"] == 18
    assert settle({"evaluation.every": 0}, names="dqn,pong")["run.until"] is None


@given(gamma=st.floats(0, 1), seed=st.integers(0, 2**63 - 1), horizon=st.integers(1, 10**9), start=st.floats(0, 1))
def test_a_configuration_survives_its_own_toml(gamma: float, seed: int, horizon: int, start: float) -> None:
    values = {"returns.gamma": gamma, "run.seed": seed, "exploration.horizon": horizon, "exploration.start": start}
    config = configure("tabular,chain", [Source("x", values)])[1]
    document = tomllib.loads(config.to_toml(config.flat()))
    flat = {f"{name}.{key}": value for name, table in document.items() for key, value in table.items()}
    again = configure("tabular,chain", [Source("y", flat)])[1]
    assert again.flat() == config.flat()


def plugin_with_presets(folder: Path) -> str:
    """A plugin whose option `pace` stands for a value of its own section and one of another."""
    path = folder / "paced.py"
    path.write_text(
        """
from typing import ClassVar
from framework.config import Field, Section
from framework.hooks import hookimpl

class Options(Section, name="paced"):
    pace: str = Field("usual", description="how fast")
    rate: float = Field(1.0, description="a value of its own")
    presets: ClassVar = {"pace": {"slow": {"paced.rate": 0.1, "run.steps": 10}, "3": {"paced.rate": 3.0}}}

@hookimpl
def config_sections():
    return [Options]
"""
    )
    return f"tabular,chain,{path}"


def refused(label: str, values: dict[str, Any]) -> Source:
    return Source(label, values, unread="refused")


def test_a_preset_counts_as_set_by_its_source_which_may_set_single_values(tmp_path: Path) -> None:
    names = plugin_with_presets(tmp_path)
    _, config, _ = configure(names, [refused("--set", {"paced.pace": "slow"})])
    assert (config.flat()["paced.rate"], config.flat()["run.steps"]) == (0.1, 10)
    assert config.sources["paced.rate"] == "paced.pace = slow, --set"
    assert config.flat()["run.episodes"] is None, "the steps of the preset replace the recommended end"
    own = configure(names, [refused("--set", {"paced.rate": 0.5, "paced.pace": "slow"})])[1]
    assert own.flat()["paced.rate"] == 0.5
    flags = [refused("--set", {"paced.pace": "slow"}), refused("command line", {"run.steps": 7})]
    assert configure(names, flags)[1].flat()["run.steps"] == 7


def test_a_preset_replaces_the_single_values_of_weaker_sources(tmp_path: Path) -> None:
    names = plugin_with_presets(tmp_path)
    weaker = Source("file", {"paced.rate": 0.7, "paced.pace": "slow"}, unread="defaults")
    assert configure(names, [weaker])[1].flat()["paced.rate"] == 0.7
    assert configure(names, [weaker, refused("--set", {"paced.pace": "3"})])[1].flat()["paced.rate"] == 3.0
    again = configure(names, [weaker, Source("values", {"paced.pace": "slow"})])[1]
    assert again.flat()["paced.rate"] == 0.1


def test_a_value_without_a_preset_sets_nothing_else(tmp_path: Path) -> None:
    names = plugin_with_presets(tmp_path)
    assert configure(names, [refused("--set", {"paced.pace": "fast"})])[1].flat()["paced.rate"] == 1.0
