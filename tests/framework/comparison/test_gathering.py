"""Which runs make an arm, what differs between arms, and what is warned of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from framework.comparison.differences import differences, warnings
from framework.comparison.gathering import gather
from framework.comparison.recorded import option_sources, read_recorded
from framework.errors import UsageError
from tests.framework.comparison.folders import write_run, write_study


def seeds(arms: Any) -> dict[str, list[int | None]]:
    return {arm.label: [run.seed for run in arm.runs] for arm in arms}


def test_single_runs_of_one_composition_make_an_arm(tmp_path: Path) -> None:
    """Seeds and options without a result may differ; every other option makes an arm of its own, and names it."""
    same = [write_run(tmp_path / f"s{seed}", seed=seed, options={"checkpoint.every": seed}) for seed in (2, 0)]
    other = write_run(tmp_path / "other", options={"tabular.learning_rate": 0.5})
    assert seeds(gather([same[0], other, same[1]]).arms) == {
        "tabular,chain (tabular.learning_rate=not set)": [0, 2],
        "tabular,chain (tabular.learning_rate=0.5)": [0],
    }


def test_another_content_of_a_plugin_file_is_another_arm(tmp_path: Path) -> None:
    runs = []
    for number, text in enumerate(["a = 1\n", "a = 1\n", "a = 2\n"]):
        # the file may lie elsewhere: its content decides
        run = write_run(tmp_path / f"r{number}", plugins=(f"/somewhere/{number}/mine.py", "chain"), seed=number)
        (run / "plugins").mkdir()
        (run / "plugins" / "mine.py").write_text(text)
        runs.append(run)
    assert seeds(gather(runs).arms) == {"mine,chain": [0, 1], "mine,chain #2": [2]}


def test_a_study_keeps_its_arms_and_the_arms_keep_the_order_of_the_command(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s", {"full": {1: [1.0], 0: [2.0]}, "no <x>": {0: [1.0]}})
    single = write_run(tmp_path / "single", plugins=("dqn", "chain"))
    found = gather([single, study])
    assert seeds(found.arms) == {"dqn,chain": [0], "full": [0, 1], "no <x>": [0]}
    assert list(seeds(gather([study, single]).arms)) == ["full", "no <x>", "dqn,chain"]
    assert seeds(gather([study / "no--x-"]).arms) == {"no <x>": [0]}
    assert seeds(gather([study / "full" / "seed-1"]).arms) == {"tabular,chain": [1]}


def test_a_run_counts_once_however_often_it_is_named(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s", {"full": {0: [1.0], 1: [1.0]}})
    found = gather([study / "full" / "seed-0", study, study / "full", study / "full" / ".." / "full" / "seed-0", study])
    assert seeds(found.arms) == {"full": [0, 1]}
    assert any("counts once" in note for note in found.notes)


def test_arms_of_two_studies_are_told_apart(tmp_path: Path) -> None:
    studies = [write_study(tmp_path / name, {"full": {0: [1.0]}}) for name in ("one", "two")]
    found = gather(studies)
    assert list(seeds(found.arms)) == ["one: full", "two: full"]
    assert "have the same plugins and options" in found.notes[-1]


def test_runs_that_are_not_complete_are_named_and_not_counted(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s", {"full": {0: [1.0], 1: None}, "broken": {0: None}})
    found = gather([study])
    assert seeds(found.arms) == {"full": [0], "broken": []}
    assert [path.name for path in found.arms[0].unfinished] == ["seed-1"]
    assert "not complete, so not in arm 'full': seed-1" in found.notes
    with pytest.raises(UsageError, match="no run is complete in"):
        gather([study / "broken"])


def test_what_a_reader_must_know_of_single_runs_is_noted(tmp_path: Path) -> None:
    twins = [write_run(tmp_path / name, seed=3) for name in ("a", "b")]
    assert "2 runs with seed 3, which are no independent samples" in " ".join(gather(twins).notes)
    killed = write_run(tmp_path / "killed", ended=False)
    assert "not ended: it is running, or it was killed; its last row is of step 30" in gather([killed]).notes[0]
    early = write_run(tmp_path / "early", options={"run.steps": 99})
    assert "before the end that its options set" in gather([early]).notes[0]
    whole = write_run(tmp_path / "whole", options={"run.steps": 99, "run.until": 2.0}, evaluations=[2.0])
    assert gather([whole]).notes == ()


def test_a_confirmation_stands_in_the_place_of_its_evaluation(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", options={"run.steps": 99, "run.until": 5.0}, evaluations=[6.0, 1.0])
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    played = [row for row in rows if row["kind"] == "evaluation"]
    for row in played:
        row["env_steps"] = played[0]["env_steps"]  # the second one refutes the first
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (arm,) = gather([run]).arms
    assert [row["mean"] for row in arm.runs[0].of_kind("evaluation")] == [1.0]
    assert arm.runs[0].missed_its_end()


def test_a_run_that_goes_on_has_not_ended_although_it_once_had(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    with (run / "metrics.jsonl").open("a") as file:
        row = {"kind": "episode", "env_steps": 500, "frames": 500, "seconds": 9.0, "mean_100": 1.0, "return": 1.0}
        file.write(json.dumps(row) + "\n")
    (arm,) = gather([run]).arms
    assert not arm.runs[0].ended
    assert arm.runs[0].steps == 500


def test_a_run_that_its_hours_ended_did_not_miss_its_end(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", options={"run.steps": 99, "run.hours": 0.1})
    assert not gather([run]).arms[0].runs[0].missed_its_end()


def test_only_what_differs_is_a_difference(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", options={"tabular.power": 0.5})
    other = write_run(
        tmp_path / "other",
        options={"tabular.power": 0.7, "run.seed": 9},
        plugins=("sarsa", "chain"),
        manifest={"versions": {"python": "3.11.7", "numpy": "2.1"}, "machine": {"processors": 4}},
    )
    found = {(each.kind, each.name): each.values for each in differences(gather([one, other]).arms)}
    assert found == {
        ("slot", "make_policy"): ("tabular", "sarsa"),
        ("option", "run.plugins"): ("tabular, chain", "sarsa, chain"),
        ("option", "tabular.power"): ("0.5", "0.7"),
        ("version", "numpy"): ("2.0", "2.1"),
        ("machine", "processors"): ("(absent)", "4"),
    }
    assert differences(gather([one]).arms) == []


def test_versions_that_differ_within_an_arm_are_shown_too(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / numpy, seed=seed, manifest={"versions": {"numpy": numpy}})
        for seed, numpy in enumerate(["1.9", "2.0"])
    ]
    (found,) = differences(gather(runs).arms)
    assert (found.kind, found.name, found.values) == ("version", "numpy", ("1.9 and 2.0",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"plugins": ("tabular", "grid")}, "the environment is chain (tabular,chain) and grid (tabular,grid)"),
        ({"manifest": {"environment": {"sticky": 0.25}}}, "the protocol sticky is"),
        ({"manifest": {"observations": "Discrete(7)"}}, "the environment observations is"),
        ({"options": {"chain.length": 7}}, "the option chain.length is"),
        ({"options": {"evaluation.epsilon": 0.1}}, "the option evaluation.epsilon is"),
        ({"options": {"tabular.power": 0.1}}, None),
        ({"manifest": {"versions": {"numpy": "9"}}}, None),
    ],
)
def test_other_rules_are_warned_of(change: dict[str, Any], said: str | None, tmp_path: Path) -> None:
    arms = gather([write_run(tmp_path / "one"), write_run(tmp_path / "other", **change)]).arms
    found = warnings(arms, "evaluation")
    assert [said is not None and said in warning for warning in found] == ([True] if said else [])
    if said and "evaluation" in said:
        assert warnings(arms, "return") == []


def test_the_source_of_every_option_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        "[run]\n# the seed [command line]\nseed = 0\n# a = b, [not this] one [bundle rainbow]\n# until = (not set)\n"
        '# a table [--set]\n[run.numbers]\nx = 1\n\n[dqn]\n# a list [default]\nmlp = ["# no [x]", "y"]\n# left\n'
    )
    assert option_sources(tmp_path) == {
        "run.seed": "command line",
        "run.until": "bundle rainbow",
        "run.numbers": "--set",
        "dqn.mlp": "default",
    }


def test_the_sources_are_those_that_the_engine_writes(tmp_path: Path) -> None:
    import framework

    parts = framework.assemble("tabular,chain", {"run.steps": 30, "record.info": ["sum:x"]})
    framework.train(parts, tmp_path / "r")
    wanted = {path: parts.config.sources.get(path, "default") for path in parts.read}
    assert option_sources(tmp_path / "r") == wanted
    assert read_recorded(tmp_path / "r").state() == "ended after 30 environment steps"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"kind": "episode", "env_steps": "many"}, "env_steps is 'many'"),
        ({"kind": "episode", "env_steps": 1, "frames": 1, "seconds": None}, "seconds is None"),
        ({"kind": "evaluation", "env_steps": 1, "frames": 1, "seconds": 1}, "mean is 'nothing'"),
        ({"kind": "evaluation", "env_steps": 1e300, "frames": 1, "seconds": 1}, "env_steps is 1e\\+300"),
        ({"kind": "learning", "env_steps": 1, "frames": 1, "seconds": 1, "loss": 10**400}, "loss is 1000"),
    ],
)
def test_a_damaged_row_is_named(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "r")
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(UsageError, match=rf"metrics\.jsonl, line 4: damaged: {message}"):
        read_recorded(run)


def test_a_folder_of_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, message in (
        (tmp_path / "gone", "does not exist"),
        (tmp_path / "empty", "has neither a config.toml nor a study.json"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ):
        with pytest.raises(UsageError, match=message):
            gather([place])
    with pytest.raises(UsageError, match="name at least one folder"):
        gather([])
    run = write_run(tmp_path / "r")
    (run / "last.json").write_text("[]")
    with pytest.raises(UsageError, match=r"last\.json: damaged"):
        gather([run])


def test_a_run_without_metrics_or_manifest_is_still_a_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", ended=False)
    (run / "metrics.jsonl").unlink()
    (run / "manifest.json").unlink()
    (arm,) = gather([run]).arms
    assert arm.runs[0].steps == 0 and arm.runs[0].told("slots") == {}
    other = write_run(tmp_path / "odd", manifest={"slots": ["no", "object"], "versions": 3})
    assert read_recorded(other).told("slots") == {}
