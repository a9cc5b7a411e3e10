"""Whole studies of real runs, each run in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import framework
from framework.errors import UsageError
from framework.recording import read_rows
from framework.study import Arm, read_study, run_study
from tests.framework.checkpoints.pieces import left_behind
from tests.waiting import children, wait_for

BUNDLE = """
from framework.hooks import Bundle, hookimpl
@hookimpl
def bundle(names):
    return Bundle(("tabular", "nstep"), {"nstep.n": 2})
"""

SLOW = """
'''Makes every step slow until there is a file 'go'; fails with seed 1 if there is a file 'fail'.'''
import pathlib, time
import gymnasium
from framework.hooks import hookimpl
from framework.options import RunOptions
class Slow(gymnasium.Wrapper):
    def __init__(self, env, seed):
        super().__init__(env)
        self.seed = seed
    def step(self, action):
        if pathlib.Path("fail").exists() and self.seed == 1:
            raise RuntimeError("seed one is unlucky")
        if not pathlib.Path("go").exists():
            time.sleep(0.1)
        return super().step(action)
@hookimpl
def env_wrapper(config, role):
    return lambda env: Slow(env, config[RunOptions].seed) if role == "train" else env
"""


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        [sys.executable, "-m", "framework", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_an_ablation_of_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "both.py").write_text(BUNDLE)
    words = ("ablate", "./both.py,chain", "--seeds", "2", "--seed", "4", "--steps", "60", "--study-dir", "s")
    done = command(*words, "--eval-every", "30", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folders = sorted(str(path.parent.relative_to(tmp_path)) for path in tmp_path.glob("s/*/*/result.json"))
    assert folders == ["s/full/seed-4", "s/full/seed-5", "s/no-nstep/seed-4", "s/no-nstep/seed-5"]
    slots = [json.loads((tmp_path / folder / "manifest.json").read_text())["slots"] for folder in folders]
    assert [slot["make_returns"] for slot in slots] == ["nstep", "nstep", "engine", "engine"]
    assert "without it, nothing provides make_env" in done.stdout
    assert "arms     full, no nstep | seeds 4 to 5" in done.stdout
    assert "4 of 4 | " in done.stdout
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in table] == ["arm", "---", "full", "no nstep"]
    assert "last evaluation" in table[0]
    assert "\n".join(table) in (tmp_path / "s" / "summary.md").read_text()
    for picture in ("study.png", "curves.png"):
        assert (tmp_path / "s" / picture).read_bytes()[:4] == b"\x89PNG"
    with (tmp_path / "s" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["arm"], row["seed"], row["steps"]) for row in rows] == [
        *[("full", seed, "60") for seed in "45"],
        *[("no nstep", seed, "60") for seed in "45"],
    ]
    for row in rows:
        entries = read_rows(tmp_path / row["folder"] / "metrics.jsonl")
        returns = [entry["return"] for entry in entries if entry["kind"] == "episode"]
        assert float(row["final"]) == pytest.approx(sum(returns) / len(returns))
    output = (tmp_path / "s" / "full" / "seed-4.output.txt").read_text()
    assert "episode 1 | return" in output, "what a run shows without a terminal"


def test_several_seeds_of_one_composition_and_an_ordinary_run_of_one(tmp_path: Path) -> None:
    words = ("run", "-p", "tabular,chain", "--episodes", "5")
    (tmp_path / "mine.toml").write_text('[run]\nplugins = ["tabular", "chain"]\nsteps = 9\n')
    seeds = ("--seeds", "3", "--jobs", "1", "--run-dir", "s")
    done = command("run", "--config", "mine.toml", "--set", "run.episodes=5", *seeds, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "runs     3 | 1 at once" in done.stdout
    assert [(run.arm, run.seed) for run in read_study(tmp_path / "s")] == [("tabular,chain", seed) for seed in range(3)]
    assert command(*words, "--seeds", "1", "--run-dir", "r", cwd=tmp_path).returncode == 0
    assert command(*words, "--seed", "2", "--run-dir", "again", cwd=tmp_path).returncode == 0
    assert (tmp_path / "r" / "config.toml").is_file()
    ours, alone = (
        [row["return"] for row in read_rows(tmp_path / folder / "metrics.jsonl") if row["kind"] == "episode"]
        for folder in ("s/tabular-chain/seed-2", "again")
    )
    assert ours == alone, "a run of a study is the ordinary run"


def test_a_study_goes_on_where_it_was_and_refuses_to_be_another(tmp_path: Path) -> None:
    arms = [Arm("short", "tabular,chain", {"run.episodes": 3}), Arm("long", "tabular,chain")]
    study = run_study(arms, [0], tmp_path / "s", values={"run.episodes": 6}, jobs=2)
    assert [(run.arm, run.episodes) for run in study.results] == [("short", 3), ("long", 6)]
    assert (study.planned, study.failures, study.interrupted) == (2, (), False)
    before = (tmp_path / "s" / "short" / "seed-0" / "metrics.jsonl").stat().st_mtime_ns
    broken = tmp_path / "s" / "long" / "seed-0"
    (broken / "result.json").unlink()
    third = Arm("third", "tabular,nstep,chain")
    study = run_study([*arms, third], [0, 1], tmp_path / "s", values={"run.episodes": 6})
    assert [(run.arm, run.seed) for run in study.results] == [
        (label, seed) for label in ("short", "long", "third") for seed in (0, 1)
    ]
    assert (tmp_path / "s" / "short" / "seed-0" / "metrics.jsonl").stat().st_mtime_ns == before, "not run again"
    aside = broken.with_name("seed-0.unfinished-1")
    assert (aside / "metrics.jsonl").is_file()
    assert (aside / "output.txt").is_file()
    assert [run.arm for run in read_study(tmp_path / "s")] == ["short"] * 2 + ["long"] * 2 + ["third"] * 2
    with pytest.raises(UsageError, match=r"its arm 'long' differs: run\.episodes 6 there, 7 here"):
        run_study(arms, [0], tmp_path / "s", values={"run.episodes": 7})
    with pytest.raises(UsageError, match="plugins tabular,chain there, tabular,grid here"):
        run_study([Arm("long", "tabular,grid")], [0], tmp_path / "s", values={"run.episodes": 6})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(UsageError, match="contains files, but no study"):
        run_study(arms, [0], tmp_path / "other")


def test_a_run_that_fails_stops_no_other_and_is_shown_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "go").touch()
    (tmp_path / "fail").touch()
    words = ("run", "-p", "tabular,chain,./slow.py", "--episodes", "4", "--seeds", "3", "--jobs", "1", "--run-dir", "s")
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert "1 of 3 runs failed" in done.stderr
    assert "s/tabular-chain-slow/seed-1: exit code 1" in done.stderr
    assert "RuntimeError: seed one is unlucky" in done.stderr
    assert [run.seed for run in read_study(tmp_path / "s")] == [0, 2]
    assert "tabular,chain,slow, seed 1" in (tmp_path / "s" / "summary.md").read_text()
    (tmp_path / "fail").unlink()
    repeated = command(*words, cwd=tmp_path)
    assert repeated.returncode == 0, repeated.stderr
    assert "runs     3, 2 there already | 1 at once" in repeated.stdout
    assert "it is now seed-1.unfinished-1" in repeated.stdout


def test_ctrl_c_ends_a_study_in_good_order_and_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ("run", "-p", "tabular,chain,./slow.py", "--steps", "600", "--seeds", "3", "--jobs", "2", "--run-dir", "s")
    process = subprocess.Popen(
        [sys.executable, "-m", "framework", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    runs = tmp_path / "s" / "tabular-chain-slow"

    def both_have_begun() -> bool:
        files = [runs / f"seed-{seed}" / "metrics.jsonl" for seed in (0, 1)]
        return process.poll() is not None or all(file.exists() and file.stat().st_size for file in files)

    wait_for(both_have_begun)
    busy = command(*words, cwd=tmp_path)
    assert (busy.returncode, "is running: wait for it" in busy.stderr) == (2, True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted: 0 of 3 runs are complete; the same command with --study-dir s continues" in out
    for seed in (0, 1):
        assert "interrupted after" in (runs / f"seed-{seed}.output.txt").read_text()
        assert (runs / f"seed-{seed}" / "last.safetensors").exists()
    assert not (runs / "seed-2").exists()
    (tmp_path / "go").touch()
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [run.steps for run in read_study(tmp_path / "s")] == [600] * 3


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "plugins", ["tabular,nstep,chain", pytest.param("dqn,nstep,per,chain", marks=pytest.mark.slow)]
)
def test_a_study_that_was_killed_has_the_results_of_one_that_was_not(plugins: str, tmp_path: Path) -> None:
    """First one of its runs is killed, then the study and its other run, all without a chance to save anything."""
    (tmp_path / "slow.py").write_text(SLOW.replace("time.sleep(0.1)", "time.sleep(0.02)"))
    words = ("run", "-p", f"{plugins},./slow.py", "--steps", "400", "--eval-every", "100", "--seeds", "2")
    words = (*words, "--set", "checkpoint.every=60", "--jobs", "2", "--run-dir")
    with (tmp_path / "out.txt").open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "framework", *words, "cut"], cwd=tmp_path, stdout=out)
    runs = [tmp_path / "cut" / f"{plugins.replace(',', '-')}-slow" / f"seed-{seed}" for seed in (0, 1)]
    wait_for(lambda: process.poll() is not None or all((run / "checkpoints" / "LATEST").exists() for run in runs))
    begun = {int(child.cmdline()[-2][-1]): child for child in children(process.pid, "framework.cli.child")}
    begun[0].kill()
    wait_for(lambda: "seed 0 | failed" in (tmp_path / "out.txt").read_text())
    study = psutil.Process(process.pid)
    study.suspend()  # the run must not see the end of its study
    begun[1].kill()
    study.kill()
    process.wait(60)
    assert [len(list((run / "checkpoints").glob("0*"))) > 0 for run in runs] == [True, True]
    (tmp_path / "go").touch()
    goes_on = command(*words, "cut", cwd=tmp_path)
    assert goes_on.returncode == 0, goes_on.stderr
    assert goes_on.stdout.count("the run goes on from its checkpoint") == 2
    assert not list(runs[0].parent.glob("*unfinished*"))
    assert "resumed  after" in runs[1].with_name("seed-1.output.txt").read_text()
    for seed, run in enumerate(runs):
        values = {"run.steps": 400, "evaluation.every": 100, "run.seed": seed}
        whole = framework.train(framework.assemble(plugins, values), tmp_path / f"whole-{seed}")
        assert whole.counters.env_steps == 400
        assert left_behind(run) == left_behind(tmp_path / f"whole-{seed}")


def test_a_run_whose_checkpoints_are_refused_begins_again_and_the_reason_is_said(tmp_path: Path) -> None:
    words = ("run", "-p", "tabular,chain", "--steps", "90", "--set", "checkpoint.every=40", "--seeds", "2")
    done = command(*words, "--run-dir", "s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "s" / "tabular-chain" / "seed-1"
    before = left_behind(run)
    (run / "result.json").unlink()
    for state in run.glob("checkpoints/*/state.safetensors"):
        state.write_bytes(state.read_bytes()[:-1])
    again = command(*words, "--run-dir", "s", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "cannot go on (" in again.stdout
    assert "state.safetensors" in again.stdout
    aside = run.with_name("seed-1.unfinished-1")
    assert "no checkpoint is intact" in (aside / "output.txt").read_text()
    assert left_behind(run) == before == left_behind(aside)
