"""An option that the user set and that no part reads is refused; an option that a part may read is never refused."""

from __future__ import annotations

import copy
import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest

from framework.assembly.assemble import assemble, assemble_tolerantly
from framework.assembly.readings import Readings
from framework.cli.main import app
from framework.config import Source, build_config
from framework.errors import UsageError
from framework.options import ReplayOptions, TargetOptions
from framework.study import Arm, ablation, run_study

COMPOSITIONS = (
    "tabular,chain",
    "tabular,double_q,ucb,grid",
    "tabular,sarsa,nstep,chain",
    "dqn,chain",
    "dqn,polyak,boltzmann,chain",
    "dqn,noisy,c51,per,nstep,chain",
    "dqn,iqn,online,packed,cartpole",
    "dqn,munchausen,qr,dueling,grid",
    "dqn,averaging,impala,minatar",
    "pqn,averaging,chain",
)
READS_ALL = {"tabular,double_q,ucb,grid", "dqn,chain"}
"""Of these, the compositions in which every option with a value has a reader."""

ENDS = {"run.plugins", "run.steps", "run.episodes", "run.until", "evaluation.every"}


@pytest.mark.parametrize(
    ("names", "option", "value", "why"),
    [
        ("dqn,polyak,chain", "target.every", 7, "polyak fills make_target_sync"),
        ("dqn,online,chain", "target.unit", "updates", "online fills make_target_sync"),
        ("dqn,noisy,chain", "exploration.final", 0.1, "noisy fills make_exploration"),
        ("dqn,boltzmann,chain", "exploration.horizon", 9, "boltzmann fills make_exploration"),
        ("pqn,chain", "replay.capacity", 500, "pqn fills make_buffer"),
        ("pqn,chain", "learning.starts", 5, "pqn fills make_cadence"),
        ("dqn,c51,chain", "dqn.loss", "squared", "c51 fills dqn_head"),
        ("tabular,chain", "target.every", 7, "tabular fills make_target_sync"),
        ("tabular,chain", "run.device", "cuda", "no part of this composition reads it"),
    ],
)
def test_an_option_without_a_reader_is_refused_with_the_name_of_who_took_its_place(
    names: str, option: str, value: Any, why: str
) -> None:
    with pytest.raises(UsageError) as caught:
        assemble(names, {option: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{option} = {value!r} (from values)") and why in problem


@pytest.mark.parametrize("names", COMPOSITIONS)
def test_what_is_read_may_be_set_and_what_is_not_read_may_not(names: str) -> None:
    parts = assemble(names)
    parts.close()
    values = parts.config.flat()
    assemble(names, {path: values[path] for path in parts.read if values.get(path) is not None and path not in ENDS})
    ignored = [path for path in values if path not in parts.read and values[path] is not None and path != "run.device"]
    if not ignored:
        assert names in READS_ALL
        return
    with pytest.raises(UsageError) as caught:
        assemble(names, {path: values[path] for path in ignored})
    assert sorted(problem.split(" = ")[0] for problem in caught.value.problems) == sorted(ignored)


def test_values_of_bundles_recommendations_and_recorded_runs_need_no_reader() -> None:
    assemble("rainbow,no:noisy,chain").close()
    assemble_tolerantly("dqn,polyak,chain", [Source("run", {"target.every": 3})]).close()


def test_in_a_file_a_default_needs_no_reader() -> None:
    default, other = ({"target.every": every} for every in (250, 251))
    assemble("dqn,polyak,chain", sources=[Source("file", default, unread="defaults")]).close()
    with pytest.raises(UsageError, match=r"target\.every = 251"):
        assemble("dqn,polyak,chain", sources=[Source("file", other, unread="defaults")])
    # what is overridden is not what was set
    assemble("dqn,polyak,chain", sources=[Source("file", other, unread="defaults"), Source("run", default)]).close()


LATE = """
from framework.config import Field, Section
from framework.events import Callback
from framework.hooks import hookimpl
from framework.replay.returns import NStepReturns
from framework.options import ReturnsOptions


class LateOptions(Section, name="late"):
    \"\"\"Options that are read when the parts have been built.\"\"\"

    power: float = Field(1.0, description="read later")


class Late(NStepReturns):
    def __init__(self, options, gamma):
        super().__init__(gamma)
        self.options = options

    def fold(self, reward, terminated, truncated):
        returns, *rest = super().fold(reward, terminated, truncated)
        return returns * self.options.power, *rest


@hookimpl
def config_sections():
    return [LateOptions]


@hookimpl
def HOOK
"""


KEEPS = """
from framework.hooks import hookimpl
from framework.options import TargetOptions
from framework.types import Targeted


class Late:
    def __init__(self, policy, config):
        self.policy, self.config = policy, config

    def tick(self, counters):
        if counters.updates % self.config[TargetOptions].every == 0:
            self.policy.update_target(1.0)


@hookimpl
def make_target_sync(policy, config):
    return Late(policy, config)
"""


def test_a_part_that_keeps_the_configuration_may_read_any_option(tmp_path: Path) -> None:
    file = tmp_path / "keeps.py"
    file.write_text(KEEPS)
    parts = assemble(f"dqn,chain,{file}", {"target.every": 3})
    parts.close()
    assert "target.every" in parts.read


@pytest.mark.parametrize(
    "hook",
    [
        "make_returns(config): return Late(config[LateOptions], config[ReturnsOptions].gamma)",
        "make_callbacks(config): return [Callback()][config[LateOptions].power > 9 :]",
        "env_wrapper(config, role): return (lambda env: env)",
    ],
)
def test_a_part_that_may_read_an_option_later_is_not_accused(hook: str, tmp_path: Path) -> None:
    file = tmp_path / "late.py"
    file.write_text(LATE.replace("HOOK", hook))
    parts = assemble(f"tabular,chain,{file}", {"late.power": 2.0})
    assert "late.power" in parts.read
    parts.close()


def test_a_section_behaves_like_the_original() -> None:
    config = build_config([ReplayOptions, TargetOptions], [Source("test", {"target.every": 3})])
    readings = Readings(config)
    section = readings.config[TargetOptions]
    assert isinstance(section, TargetOptions)
    assert section.every == 3
    assert section == config[TargetOptions] and hash(section) == hash(config[TargetOptions])
    assert repr(section) == repr(config[TargetOptions])
    for same in (copy.copy(section), copy.deepcopy(section), pickle.loads(pickle.dumps(section))):
        assert same == config[TargetOptions]
    assert dict(section) == dict(config[TargetOptions])
    assert section.model_dump() == config[TargetOptions].model_dump()


def test_only_what_is_asked_for_is_read() -> None:
    config = build_config([ReplayOptions, TargetOptions], [])
    readings = Readings(config)
    assert readings.config[TargetOptions].every == 250
    assert readings.read() == {"target.every"}
    readings = Readings(config)
    kept = readings.config[ReplayOptions]
    assert readings.read() == {"replay.capacity"}
    del kept
    readings = Readings(config)
    whole = readings.config
    assert readings.read() == {"replay.capacity", "target.every", "target.unit"}
    del whole


def test_a_study_refuses_what_no_arm_reads(tmp_path: Path) -> None:
    arms = [Arm("copy", "dqn,chain"), Arm("soft", "dqn,polyak,chain")]
    values = {"run.steps": 300, "target.every": 30}
    study = run_study(arms, [0], tmp_path / "study", values=values)
    assert not study.failures and len(study.results) == 2
    with pytest.raises(UsageError, match="polyak fills make_target_sync"):
        run_study(arms[1:], [0], tmp_path / "other", values=values)
    assert not (tmp_path / "other").exists()
    given = [Source("--set", {"run.steps": 300, "exploration.final": 0.2}, unread="refused")]
    found, _ = ablation("dqn,noisy,nstep,chain", given)
    assert {arm.label: "exploration.final" in arm.values for arm in found} == {
        "full": False,
        "no noisy": True,
        "no nstep": False,
    }


def test_the_command_config_prints_what_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    app(["config", "--plugins", "dqn,polyak,chain"], standalone_mode=False)
    printed = tomllib.loads(capsys.readouterr().out)
    assert "target" not in printed and printed["polyak"] == {"tau": 0.005}
