"""Which parts an ablation takes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.config import Source
from framework.errors import UsageError
from framework.study import Arm, ablation, check_arm, run_study

BUNDLE = """
from framework.hooks import Bundle, hookimpl
@hookimpl
def bundle(names):
    return Bundle({plugins}, {values})
"""


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bundle file in the current folder that brings in a family and a part."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "both.py").write_text(BUNDLE.format(plugins=("tabular", "nstep"), values={"nstep.n": 2}))
    return "./both.py"


def compositions(names: str, *sources: Source) -> dict[str, list[str]]:
    """label → plugins, files by their short names."""
    arms, _ = ablation(names, sources)
    return {arm.label: [Path(name).name for name in arm.plugins] for arm in arms}


def test_what_a_bundle_brought_in_is_taken_out_part_by_part(bundle: str) -> None:
    assert compositions(f"{bundle},chain") == {
        "full": ["both.py", "chain"],
        "no nstep": ["both.py", "chain", "no:nstep"],
    }


def test_the_environment_and_the_family_stay_and_a_note_says_why(bundle: str) -> None:
    _, notes = ablation(f"{bundle},chain")
    chain, tabular = sorted(notes)
    assert chain.startswith("chain stays in every arm; without it, nothing provides make_env")
    assert tabular.startswith("tabular stays in every arm; without it, nothing provides make_policy")


def test_what_was_named_is_taken_out_too(bundle: str) -> None:
    assert compositions("tabular,nstep,chain") == {
        "full": ["tabular", "nstep", "chain"],
        "no nstep": ["tabular", "chain"],
    }
    named_and_brought = compositions(f"{bundle},nstep,chain")
    assert named_and_brought["no nstep"] == ["both.py", "chain", "no:nstep"]


def test_a_bundle_of_values_alone_is_a_part(bundle: str) -> None:
    Path("slow.py").write_text(BUNDLE.format(plugins=(), values={"tabular.learning_rate": 0.1}))
    assert compositions("tabular,chain,./slow.py")["no slow"] == ["tabular", "chain"]


def test_an_arm_is_not_given_the_options_of_what_it_lacks(bundle: str) -> None:
    said = Source("--set", {"nstep.n": 4, "run.steps": 9, "run.seed": 3})
    arms, _ = ablation(f"{bundle},chain", [said])
    assert [(arm.label, arm.values, arm.seed) for arm in arms] == [
        ("full", {"nstep.n": 4, "run.steps": 9}, 3),
        ("no nstep", {"run.steps": 9}, 3),
    ]


def test_what_was_taken_out_by_hand_is_no_arm(bundle: str) -> None:
    with pytest.raises(UsageError, match="nothing can be left out of this composition"):
        ablation(f"{bundle},no:nstep,chain")


def test_a_composition_that_is_wrong_is_refused_as_ever(bundle: str) -> None:
    with pytest.raises(UsageError, match="Did you mean 'chain'"):
        ablation(f"{bundle},chian")
    with pytest.raises(UsageError, match="needs evaluations"):
        ablation(f"{bundle},chain", [Source("--set", {"run.until": 1.0})])


def test_a_stronger_end_replaces_a_weaker_one() -> None:
    said = [Source("file", {"run.steps": 50}), Source("command line", {"run.episodes": 5})]
    assert check_arm(Arm("mine", "tabular,chain"), said).values == {"run.episodes": 5}


def test_threads_are_the_largest_that_an_option_asks_for(tmp_path: Path) -> None:
    assert check_arm(Arm("one", "tabular,chain")).threads == 1
    (tmp_path / "threaded.py").write_text(
        "from framework.config import Field, Section\nfrom framework.hookspecs import hookimpl\n"
        "class Options(Section, name='threaded'):\n"
        "    threads: int = Field(3, description='of the stand-in')\n"
        "@hookimpl\ndef config_sections(): return [Options]\n"
    )
    assert check_arm(Arm("three", f"tabular,chain,{tmp_path / 'threaded.py'}")).threads == 3


def test_every_wrong_arm_is_reported_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    arms = [Arm("one", "tabular,chian"), Arm("two", "tabular,chain", {"run.seed": 1}), Arm("three", "chain")]
    with pytest.raises(UsageError) as raised:
        run_study(arms, [0], folder)
    labels = [problem.partition(":")[0] for problem in raised.value.problems]
    assert list(dict.fromkeys(labels)) == ["arm 'one'", "arm 'two'", "arm 'three'"]
    good = [Arm("a b", "tabular,chain"), Arm("a-b", "tabular,chain")]
    for wrong, seeds, jobs, message in (
        (good, [0], None, "'a b' and 'a-b' would share a folder"),
        ([], [0], None, "a study needs at least one arm"),
        ([Arm("", "tabular,chain")], [0], None, "gives no name for a folder"),
        (good[:1], [], None, "seeds must be different whole numbers"),
        (good[:1], [1, 1], None, "seeds must be different whole numbers"),
        (good[:1], [-1], None, "seeds must be different whole numbers"),
        (good[:1], [0], 0, "jobs = 0"),
    ):
        with pytest.raises(UsageError, match=message):
            run_study(wrong, seeds, folder, jobs=jobs)
    assert not folder.exists()


def test_no_arm_has_another_agent_in_the_place_of_the_one_left_out(tmp_path: Path) -> None:
    """An environment may bring an agent for a composition without one."""
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from envs.chain import config_sections, make_env\nfrom framework.hooks import Bundle, hookimpl\n"
        "@hookimpl\ndef bundle(): return Bundle(agent='pqn')\n"
    )
    arms, notes = ablation(["dqn", "layer_norm", str(mine)], [Source("test", {"run.steps": 10})])
    assert [arm.label for arm in arms] == ["full", "no layer_norm"]
    assert "dqn stays in every arm; without it, mine brings in another agent, pqn" in notes
