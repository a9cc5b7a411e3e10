"""The messages for a wrong composition: one for each problem, and all of them at once."""

from __future__ import annotations

import sys
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from framework.assembly import discovery
from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.spaces import FINITE


def problems(names: str, values: dict[str, object] | None = None) -> list[str]:
    """The problems of a composition."""
    with pytest.raises(UsageError) as caught:
        assemble(names, {"run.steps": 1, **(values or {})}).close()
    return list(caught.value.problems)


def plugin(folder: Path, name: str, body: str) -> str:
    """A plugin file; returns its path for the command line."""
    path = folder / f"{name}.py"
    imports = "from framework.hookspecs import Bundle, hookimpl\nfrom framework.config import Field, Section\n"
    path.write_text(imports + textwrap.dedent(body))
    return str(path)


def test_two_claims_of_one_slot() -> None:
    assert problems("dqn,c51,qr,pong") == ["c51 and qr both provide dqn_head: keep one"]


def test_everything_that_is_missing_is_named_with_what_could_help() -> None:
    assert problems("c51,qr") == [
        "c51 and qr both provide dqn_head: keep one",
        "c51 and qr both extend 'dqn': add dqn",
        "nothing provides make_env: add atari, cartpole, chain, grid, minatar, pong or gym:ID",
    ]


def test_two_families() -> None:
    (problem,) = problems("dqn,tabular,chain")
    assert problem == "dqn and tabular both provide make_policy, make_loss and make_optimizer: keep one"


def test_what_a_bundle_adds_is_taken_out_by_no() -> None:
    assert problems("rainbow,qr,chain") == [
        "c51 and qr both provide dqn_head: keep one (no:c51 takes out what a bundle adds)"
    ]
    with pytest.raises(UsageError, match=r"Drop target\.every or add no:polyak"):
        assemble("dqn,gym:CartPole-v1", {"target.every": 7})


def test_a_claim_that_nothing_consumes() -> None:
    assert problems("pqn,nstep,pong") == ["nstep fills make_returns, which pqn provides itself: keep one"]


def test_spaces_that_a_policy_cannot_serve() -> None:
    assert problems("tabular,pong", {"pong.size": 84}) == [
        f"tabular needs {FINITE}, and fewer than 2^63 of them; pong gives 2 stacked (84, 84) uint8 frames"
    ]


def test_an_unknown_name() -> None:
    assert problems("dqn,pon") == ["unknown plugin 'pon'. Did you mean 'pong'?"]


def test_a_variant_without_its_family() -> None:
    assert problems("double,chain") == ["double extends 'dqn': add dqn"]


def test_an_environment_alone() -> None:
    for names in ("chain", "pong,no:pqn"):
        assert problems(names) == ["nothing provides make_policy, make_loss or make_optimizer: add dqn or tabular"]


def test_no_names_at_all() -> None:
    assert problems("") == ["no plugins were named; for example: --plugins tabular,chain"]


def test_all_unknown_names_are_reported_together() -> None:
    assert len(problems("dqn,pon,chian")) == 2


def test_a_misspelt_hook(tmp_path: Path) -> None:
    path = plugin(tmp_path, "mine", "@hookimpl\ndef make_polcy(): ...")
    assert problems(f"tabular,chain,{path}") == [
        "mine implements 'make_polcy', which is not a hook. Did you mean 'make_policy'?"
    ]


def test_a_misspelt_hook_of_a_loaded_family(tmp_path: Path) -> None:
    path = plugin(tmp_path, "mine", "@hookimpl\ndef dqn_haed(): ...")
    assert problems(f"dqn,chain,{path}") == [
        "mine implements 'dqn_haed', which is not a hook. Did you mean 'dqn_head'?"
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("@hookimpl\ndef make_returns(spaces): ...", "takes spaces, which the hook does not have"),
        ("@hookimpl\ndef make_returns(config=None): ...", "drop the defaults of config"),
        ("@hookimpl(tryfirst=True)\ndef make_returns(config): ...", "tryfirst has no effect on a slot"),
        ("@hookimpl(wrapper=True)\ndef config_sections(): yield", "only slots can be decorated"),
        ("@hookimpl\ndef make_returns(config): ...", "make_returns returned None instead of a Returns"),
        (
            "@hookimpl\ndef make_returns(config): return 3",
            "returned a int, which is not a Returns: it lacks fold and horizon",
        ),
        ("@hookimpl\ndef make_env(config): return lambda: None", "mine and chain both provide make_env"),
    ],
)
def test_a_hook_that_does_not_fit(tmp_path: Path, body: str, message: str) -> None:
    (problem,) = problems(f"tabular,chain,{plugin(tmp_path, 'mine', body)}")
    assert message in problem.replace("chain and mine", "mine and chain")
    assert "mine" in problem


RETURNS = [
    ("def config_sections(): return 3", "mine.config_sections must return a sequence of Section classes, not 3"),
    ("def recommended_values(): return [1]", "mine.recommended_values must return a mapping"),
    ("def env_wrapper(): return 5", "mine.env_wrapper must return a function"),
    ("def bundle(): return Bundle('nstep')", "mine.bundle must return Bundle([names]"),
    ("def bundle(nams): return Bundle()", "mine.bundle takes nams; the hook's arguments: names, families and plugins"),
    ("def make_env(): return 3", "make_env"),
]


@pytest.mark.parametrize(("body", "message"), RETURNS)
def test_a_hook_that_returns_something_else(tmp_path: Path, body: str, message: str) -> None:
    (problem,) = problems(f"tabular,chain,{plugin(tmp_path, 'mine', '@hookimpl' + chr(10) + body)}")
    assert message in problem


def test_a_decorator_must_be_a_generator_and_return_the_part(tmp_path: Path) -> None:
    bare = plugin(tmp_path, "bare", "@hookimpl(wrapper=True)\ndef make_returns(): return 3")
    assert "a decorator must be a generator function" in problems(f"tabular,chain,{bare}")[0]
    loses = plugin(tmp_path, "loses", "@hookimpl(wrapper=True)\ndef make_returns():\n    yield")
    (problem,) = problems(f"tabular,chain,{loses}")
    assert problem == "loses, decorating make_returns, returned None instead of a Returns: is a 'return' missing?"


def test_a_plugin_that_does_nothing_is_not_ignored(tmp_path: Path) -> None:
    bare = plugin(tmp_path, "bare", "def make_returns(config): ...")
    assert problems(f"tabular,chain,{bare}") == ["bare marks no hook: put @hookimpl on make_returns"]
    assert problems("tabular,chain,numpy") == ["numpy is not a plugin: it implements no hook"]


def test_recommendations_that_disagree_until_something_stronger_settles_it(tmp_path: Path) -> None:
    path = plugin(tmp_path, "mine", "@hookimpl\ndef recommended_values(): return {'learning.batch_size': 8}")
    assert problems(f"tabular,chain,{path}") == [
        "tabular and mine recommend 1 and 8 for learning.batch_size: choose with --set learning.batch_size=…"
    ]
    assemble(f"tabular,chain,{path}", {"learning.batch_size": 2}).close()


def test_two_plugins_with_one_section(tmp_path: Path) -> None:
    body = "class O(Section, name='tabular'): ...\n@hookimpl\ndef config_sections(): return [O]"
    (problem,) = problems(f"tabular,chain,{plugin(tmp_path, 'mine', body)}")
    assert problem == "tabular and mine both have a section 'tabular': rename one"


def test_a_plugin_file_never_hides_a_module(tmp_path: Path) -> None:
    path = plugin(tmp_path, "colorsys", "@hookimpl\ndef recommended_values(): return {}")
    assemble(f"tabular,chain,{path}").close()
    import colorsys

    assert hasattr(colorsys, "rgb_to_hls")


def test_an_environment_that_cannot_be_made_names_its_plugin(tmp_path: Path) -> None:
    from framework.assembly.manager import PluginError

    broken = "import gymnasium\n@hookimpl\ndef make_env(): return lambda: gymnasium.make('CartPoel-v1')"
    with pytest.raises(PluginError, match="the environment of 'broken' cannot be made"):
        assemble(f"dqn,{plugin(tmp_path, 'broken', broken)}")
    few = """
    from gymnasium.vector import SyncVectorEnv
    from envs.chain import ChainEnv

    @hookimpl
    def make_env(): return SyncVectorEnv([ChainEnv] * 2)
    """
    assert problems(f"tabular,{plugin(tmp_path, 'few', few)}", {"run.num_envs": 5}) == [
        "few: make_env made 2 environments instead of 5"
    ]


def test_cartpole_and_its_own_vector_environment(tmp_path: Path) -> None:
    body = """
    import gymnasium

    @hookimpl
    def make_env(num_envs): return {made}
    """
    single = plugin(tmp_path, "single", body.format(made="lambda: gymnasium.make('CartPole-v1')"))
    vector = plugin(tmp_path, "vector", body.format(made="gymnasium.make_vec('CartPole-v1', num_envs)"))
    from framework.training.loop import Loop

    for path in (single, vector, "gym:CartPole-v1"):
        parts = assemble(f"dqn,{path},framework.testing", {"run.steps": 120, "run.num_envs": 2, "learning.starts": 40})
        Loop(parts).run()
        assert parts.counters.updates > 0
        parts.close()


def test_an_id_that_gymnasium_does_not_know() -> None:
    (problem,) = problems("dqn,gym:CartPoel-v1")
    assert problem.startswith("gym:CartPoel-v1: Environment `CartPoel` doesn't exist")


def test_a_hook_that_raises_is_named_with_its_plugin(tmp_path: Path) -> None:
    from framework.assembly.manager import PluginError

    path = plugin(tmp_path, "mine", "@hookimpl\ndef make_returns(): return 1 / 0")
    with pytest.raises(PluginError, match="plugin 'mine' raised in make_returns: ZeroDivisionError") as caught:
        assemble(f"tabular,chain,{path}")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_file_that_is_missing_or_broken(tmp_path: Path) -> None:
    assert "does not exist" in problems(f"tabular,chain,{tmp_path}/nothing.py")[0]
    assert "SyntaxError" in problems(f"tabular,chain,{plugin(tmp_path, 'broken', 'def f(:')}")[0]
    assert "is not a Python name" in problems(f"tabular,chain,{plugin(tmp_path, 'my-variant', '')}")[0]


def test_a_name_that_two_distributions_provide(monkeypatch: pytest.MonkeyPatch) -> None:
    clash = [EntryPoint("tabular", value, discovery.GROUP) for value in ("plugins.tabular", "other.tabular")]
    monkeypatch.setattr(discovery, "entry_points", lambda group: clash)
    monkeypatch.setattr(discovery, "installed", discovery.installed.__wrapped__)  # do not use what was read before
    assert "plugin 'tabular' is provided by" in problems("tabular,chain")[0]


def test_a_local_folder_that_hides_the_shipped_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    # an editable install finds the shipped modules through an import hook; a wheel has no such hook
    monkeypatch.setattr(
        sys, "meta_path", [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
    )
    for name in [name for name in sys.modules if name == "plugins" or name.startswith("plugins.")]:
        monkeypatch.delitem(sys.modules, name)
    found = problems("tabular,chain")
    assert found[0] == (
        f"plugin 'tabular': its package 'plugins' is hidden by {tmp_path / 'plugins'}: "
        "rename that folder or start from another one"
    )


class TestBundles:
    def test_a_bundle_stands_for_its_plugins_and_values(self, tmp_path: Path) -> None:
        path = plugin(
            tmp_path, "pair", "@hookimpl\ndef bundle(): return Bundle(('tabular', 'chain'), {'returns.gamma': 0.5})"
        )
        parts = assemble(path)
        assert set(parts.plugins.names) == {"pair", "tabular", "chain"}
        assert parts.config.sources["returns.gamma"] == "bundle pair"
        assert parts.returns is not None
        assert parts.config.flat()["returns.gamma"] == 0.5

    def test_no_takes_a_part_out_and_reports_its_values(self, tmp_path: Path) -> None:
        body = "@hookimpl\ndef bundle(): return Bundle(('tabular', 'chain', 'nstep'), {'nstep.n': 5})"
        parts = assemble([plugin(tmp_path, "trio", body), "no:nstep"])
        assert parts.filled["make_returns"] == "engine"
        assert parts.notes == ["trio sets nstep.n, whose plugins are not loaded: ignored"]

    def test_no_without_a_matching_part_is_refused(self) -> None:
        assert problems("tabular,chain,no:nstep") == ["no:nstep has no effect: no named bundle brings in 'nstep'"]

    def test_no_cannot_take_out_a_plugin_that_is_named(self) -> None:
        assert "drop one of the two" in problems("tabular,chain,nstep,no:nstep")[0]

    def test_two_bundles_that_disagree(self, tmp_path: Path) -> None:
        paths = [
            plugin(tmp_path, name, f"@hookimpl\ndef bundle(): return Bundle((), {{'returns.gamma': {gamma}}})")
            for name, gamma in (("one", 0.1), ("two", 0.2))
        ]
        assert problems(f"tabular,chain,{','.join(paths)}") == [
            "one and two give returns.gamma different values (0.1 and 0.2): drop one of them"
        ]

    def test_chapter_without_an_environment(self) -> None:
        assert problems("chapter") == ["chapter has values for the chain and for Atari only: add chain, pong or atari"]


def test_continuous_actions_and_texts_are_refused_by_name(tmp_path: Path) -> None:
    body = """
    import gymnasium

    class Toy(gymnasium.Env):
        observation_space = gymnasium.spaces.{observation}
        action_space = gymnasium.spaces.{action}

    @hookimpl
    def make_env():
        return Toy
    """
    box = "Box(-1.0, 1.0, (1,))"
    continuous = plugin(tmp_path, "continuous", body.format(observation=box, action=box))
    (problem,) = problems(f"dqn,{continuous}")
    assert problem.startswith("continuous: action space Box(-1.0, 1.0, (1,), float32) is not supported")
    nested = plugin(
        tmp_path, "nested", body.format(observation="Dict(a=gymnasium.spaces.Text(5))", action="Discrete(2)")
    )
    (problem,) = problems(f"dqn,{nested}")
    assert problem.startswith("nested: observation space Text(") and "(its part 'a') is not supported" in problem


def test_a_replay_that_cannot_fit_is_refused_with_the_numbers() -> None:
    (problem,) = problems("dqn,pong", {"replay.capacity": 10**11})
    assert "replay.capacity = 100000000000 with 2 stacked (42, 42) uint8 frames needs 178," in problem
    assert "GB of memory are free" in problem


@pytest.mark.parametrize("names", ["tabular", "tabular,double_q", "tabular,ucb", "dqn"])
def test_states_that_cannot_fit_are_refused_with_the_numbers(names: str, tmp_path: Path) -> None:
    body = """
        import gymnasium
        from framework.hooks import hookimpl

        class Boards(gymnasium.Env):
            observation_space, action_space = gymnasium.spaces.Discrete(3**23), gymnasium.spaces.Discrete(2)
            def reset(self, *, seed=None, options=None): return 0, {}

        @hookimpl
        def make_env(): return Boards
    """
    (problem,) = problems(f"{names},{plugin(tmp_path, 'boards', body)}")
    assert "94,143,178,827" in problem and "GB of memory are free" in problem
