"""A plugin that is checked alone gets the plugins that it needs, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.conformance.runner.completion import complete
from framework.errors import UsageError
from framework.spaces import FINITE


def completed(names: str, beside: str | None = None) -> list[set[str]]:
    fitting, _ = complete(names, beside)
    return [set(subject.names) for subject in fitting]


@pytest.mark.parametrize(
    ("names", "compositions"),
    [
        ("dqn,double,chain", ["dqn,double,chain"]),
        ("double", ["dqn,double,chain"]),
        ("c51,dueling", ["dqn,c51,dueling,chain"]),
        ("nstep", ["dqn,nstep,chain", "tabular,nstep,chain"]),
        ("tabular", ["tabular,chain"]),
        ("sarsa", ["tabular,sarsa,chain"]),
        ("grid", ["dqn,grid", "tabular,grid"]),
        ("cartpole", ["dqn,cartpole"]),
        ("rainbow", ["rainbow,chain"]),
        ("rainbow,no:per", ["rainbow,no:per,chain"]),
        ("impala", ["dqn,impala,minatar"]),
        ("polyak", ["dqn,polyak,chain"]),
    ],
)
def test_what_is_missing_is_added(names: str, compositions: list[str]) -> None:
    assert sorted(map(sorted, completed(names))) == sorted(sorted(text.split(",")) for text in compositions)


def test_only_the_plugins_of_beside_are_added() -> None:
    assert completed("nstep", "tabular,grid") == [{"nstep", "tabular", "grid"}]
    with pytest.raises(UsageError, match="nothing provides make_env"):
        complete("nstep", "tabular")


VARIANT = """
{wish}
from framework.hooks import hookimpl
from plugins.dqn.maths import greedy

@hookimpl
def dqn_bootstrap():
    return lambda target, online: greedy(target.values)
"""


def test_compositions_that_do_not_fit_are_returned_with_the_reason() -> None:
    fitting, refused = complete("cartpole")
    assert [subject.names for subject in fitting] == [("dqn", "cartpole")]
    (left,) = refused
    assert left.names == ("tabular", "cartpole")
    assert left.problems == (f"tabular needs {FINITE}; cartpole gives (4,) float32 observations",)


RECOMMENDED = """
from framework.hooks import hookimpl

@hookimpl
def recommended_values():
    return {{"run.num_envs": {count}}}
"""


def test_options_decide_what_fits(tmp_path: Path) -> None:
    for count in (2, 3):
        (tmp_path / f"wants_{count}.py").write_text(RECOMMENDED.format(count=count))
    names = f"tabular,chain,{tmp_path / 'wants_2.py'},{tmp_path / 'wants_3.py'}"
    with pytest.raises(UsageError, match=r"choose with --set run\.num_envs"):
        complete(names)
    (subject,), _ = complete(names, values={"run.num_envs": 4})
    with subject.assembled() as parts:
        assert parts.spaces.num_envs == 4


def test_an_option_that_a_composition_lacks_refuses_it() -> None:
    fitting, refused = complete("nstep", values={"tabular.learning_rate": 0.3})
    assert [subject.names for subject in fitting] == [("tabular", "nstep", "chain")]
    assert refused[0].names == ("dqn", "nstep", "chain")
    assert "no loaded plugin has a section 'tabular'" in refused[0].problems[0]


def test_a_file_is_completed_like_an_installed_plugin(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(VARIANT.format(wish=""))
    assert completed(str(path)) == [{str(path), "dqn", "chain"}]


def test_a_plugin_says_with_what_it_is_to_be_checked(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(VARIANT.format(wish='CHECK_WITH = "dqn,nstep,grid"'))
    assert completed(str(path)) == [{str(path), "dqn", "nstep", "grid"}]
    assert completed(str(path), "dqn,chain") == [{str(path), "dqn", "chain"}]
    assert completed(f"{path},dqn,chain") == [{str(path), "dqn", "chain"}]
    path.write_text(VARIANT.format(wish="CHECK_WITH = 3"))
    with pytest.raises(UsageError, match="CHECK_WITH must be names"):
        complete(str(path))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("c51,qr", "c51 and qr both provide dqn_head: keep one"),
        ("dqn,tabular", "both provide"),
        ("nowhere", "unknown plugin 'nowhere'"),
        ("./absent.py", "does not exist"),
        ("", "no plugins were named"),
        ("tabular,pong", "tabular needs finite observations"),
    ],
)
def test_plugins_that_fit_nowhere_are_refused_with_the_reason(names: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        complete(names)
