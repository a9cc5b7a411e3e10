"""Assembly: the order of the hooks, which plugin wins a slot, and names in any order."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from framework import hookspecs
from framework.assembly.assemble import assemble
from framework.assembly.loading import load_plugins
from framework.assembly.manager import PluginError
from framework.defaults import plugin as defaults
from framework.errors import UsageError
from framework.hooks import PROJECT
from framework.replay.returns import NStepReturns
from framework.training.loop import Loop

REPOSITORY = Path(__file__).parents[3]


def test_hooks_are_called_in_the_order_of_their_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hook of `dqn,chain`, in the order in which the engine calls them."""
    from framework.assembly import manager, slots

    calls: list[str] = []
    gather, fill = manager.Plugins.gather, slots.Slots.fill
    monkeypatch.setattr(
        manager.Plugins, "gather", lambda self, hook, *a, **kw: (calls.append(hook), gather(self, hook, *a, **kw))[1]
    )
    monkeypatch.setattr(
        slots.Slots, "fill", lambda self, slot, *a, **kw: (calls.append(slot), fill(self, slot, *a, **kw))[1]
    )
    assemble("dqn,chain", {"run.steps": 1}).close()
    assert calls == [
        "config_sections",
        "recommended_values",
        "make_env",
        "env_wrapper",
        "make_policy",
        "dqn_torso",
        "dqn_linear",
        "dqn_stream",
        "dqn_head",
        "make_exploration",
        "make_returns",
        "make_sampler",
        "make_buffer",
        "make_loss",
        "dqn_bootstrap",
        "dqn_bonus",
        "make_optimizer",
        "make_target_sync",
        "make_cadence",
        "make_collector",
        "config_sections",
    ]


def test_the_assembly_is_the_same_for_every_order_of_names() -> None:
    names = ["dqn", "double", "nstep", "chain"]
    weights = []
    for order in itertools.islice(itertools.permutations(names), 0, None, 5):
        parts = assemble(order, {"run.steps": 150, "learning.starts": 50})
        Loop(parts).run()
        filled = parts.filled
        weights.append((filled, parts.policy.state_dict()["online"]))
    for filled, online in weights[1:]:
        assert filled == weights[0][0]
        for name, array in online.items():
            assert np.array_equal(array, weights[0][1][name])


def test_a_claim_beats_a_family_beats_the_engine() -> None:
    assert assemble("tabular,chain").filled["make_returns"] == "engine"
    assert assemble("tabular,chain").filled["make_sampler"] == "tabular"
    assert assemble("tabular,nstep,chain").filled["make_returns"] == "nstep"


def test_a_decorator_sees_what_the_winner_made(tmp_path: Path) -> None:
    path = tmp_path / "shorter.py"
    path.write_text(
        "from framework.hookspecs import hookimpl\n"
        "@hookimpl(wrapper=True)\n"
        "def make_returns():\n"
        "    made = yield\n"
        "    made.gamma = 0.125\n"
        "    return made\n"
    )
    parts = assemble(["tabular", "chain", str(path)])
    assert isinstance(parts.returns, NStepReturns)
    assert parts.returns.gamma == 0.125
    assert parts.filled["make_returns"] == "engine"


@pytest.mark.parametrize("winner_raises", [False, True])
def test_the_plugin_that_raised_is_named(winner_raises: bool, tmp_path: Path) -> None:
    path, winner = tmp_path / "around.py", tmp_path / "winner.py"
    path.write_text(
        "from framework.hooks import hookimpl\n@hookimpl(wrapper=True)\ndef make_returns():\n    made = yield\n"
        f"    return made if {winner_raises} else 1 // 0\n"
    )
    winner.write_text(
        "from framework.hooks import hookimpl\nfrom framework.replay.returns import NStepReturns\n"
        f"@hookimpl\ndef make_returns(): return 1 // 0 if {winner_raises} else NStepReturns(0.5)\n"
    )
    with pytest.raises(PluginError, match=f"plugin '{'winner' if winner_raises else 'around'}' raised in make_returns"):
        assemble(["tabular", "chain", str(path), str(winner)])


def test_each_run_has_a_plugin_manager_of_its_own() -> None:
    assert load_plugins(["tabular", "chain"]).manager is not load_plugins(["tabular", "chain"]).manager


def test_env_wrappers_are_applied_in_the_order_of_the_names(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(
            "import gymnasium\n"
            "from framework.hookspecs import hookimpl\n"
            f"class {name.title()}(gymnasium.Wrapper): ...\n"
            "@hookimpl\n"
            f"def env_wrapper(): return {name.title()}\n"
        )
    paths = [str(tmp_path / "second.py"), str(tmp_path / "first.py")]
    parts = assemble(["tabular", "chain", *paths])
    inner = parts.stream.env.envs[0].env
    assert [type(inner).__name__, type(inner.env).__name__] == ["First", "Second"]


def test_env_wrappers_cannot_wrap_a_vector_environment(tmp_path: Path) -> None:
    path = tmp_path / "wrap.py"
    path.write_text("from framework.hookspecs import hookimpl\n@hookimpl\ndef env_wrapper(): return lambda env: env\n")
    with pytest.raises(UsageError, match="pong makes a vector environment"):
        assemble(["dqn", "pong", str(path)])


def test_names_are_resolved_from_an_entry_point_a_dotted_module_and_a_file() -> None:
    for name in ("double", "plugins.double", str(REPOSITORY / "plugins" / "double.py")):
        assert assemble(["dqn", "chain", name], {"run.steps": 1}).filled["dqn_bootstrap"] == "double"


def test_every_hook_is_documented_and_has_an_implementation() -> None:
    from framework.assembly.discovery import providers
    from plugins.dqn import hookspecs as dqn_hooks

    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    engine = {name for name in vars(defaults) if hasattr(getattr(defaults, name), f"{PROJECT}_impl")}
    for module in (hookspecs, dqn_hooks):
        for name, hook in vars(module).items():
            if hasattr(hook, f"{PROJECT}_spec"):
                assert hook.__doc__, name
                assert f"`{name}" in page, f"docs/architecture.md does not mention {name}"
                if name != "env_wrapper":  # no shipped plugin implements it; tests above do
                    assert name in engine or name in providers(), name
