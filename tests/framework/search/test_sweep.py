"""Whole sweeps of real runs: searched, pruned, failing, killed, shared between processes, and confirmed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from framework.recording import read_rows
from tests.waiting import wait_for

pytest.importorskip("optuna")

SLOW = """
'''Makes every step slow unless there is a file 'go'.'''
import pathlib, time
import gymnasium
from framework.hooks import hookimpl
class Slow(gymnasium.Wrapper):
    def step(self, action):
        if not pathlib.Path("go").exists():
            time.sleep(0.2)
        return super().step(action)
@hookimpl
def env_wrapper(role):
    return lambda env: Slow(env) if role == "train" else env
"""

CHAIN = ("sweep", "-p", "tabular,chain")


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "framework", *words],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(*words: str, cwd: Path) -> tuple[int, str, str]:
    process = start(*words, cwd=cwd)
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def episodes_of(run: Path) -> list[dict[str, Any]]:
    return [row for row in read_rows(run / "metrics.jsonl") if row["kind"] == "episode"]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.timeout(300)
def test_a_sweep_from_its_space_to_confirmed_values(tmp_path: Path) -> None:
    words = (*CHAIN, "--over", "exploration.horizon=logint(5, 500)", "--over", "tabular.learning_rate")
    words = (*words, "--steps", "150", "--study-dir", "s")
    code, out, err = command(*words, "--trials", "2", cwd=tmp_path)
    assert code == 0, err
    assert "search   tabular.learning_rate in log(0.05, 1.0)" in out
    assert "final: the mean return of the last 100 training episodes; the mean over 2 seeds" in out
    assert "The best of 2 trials was also lucky" in out
    folder = tmp_path / "s"
    rows = rows_of(folder)
    assert [(row["trial"], row["state"]) for row in rows] == [("0", "complete"), ("1", "complete")]
    for row in rows:
        of_seeds = [float(row["seed 0"]), float(row["seed 1"])]
        assert float(row["final"]) == pytest.approx(sum(of_seeds) / 2)
        for seed, value in enumerate(of_seeds):
            run = folder / f"trial-{row['trial']}" / f"seed-{seed}"
            assert value == pytest.approx(episodes_of(run)[-1]["mean_100"])
            text = (run / "config.toml").read_text()
            assert f"\nhorizon = {row['exploration.horizon']}\n" in text
            assert f"\nlearning_rate = {row['tabular.learning_rate']}\n" in text
    best = max(rows, key=lambda row: float(row["final"]))
    assert f"Best: trial {best['trial']}" in out
    for picture in ("importances.png", "slices.png"):
        with Image.open(folder / picture) as image:
            image.load()
            assert min(image.size) > 150
    code, out, err = command("run", "--config", "s/best.toml", "--run-dir", "again", "--quiet", cwd=tmp_path)
    assert code == 0, err
    again, there = (
        [row["return"] for row in episodes_of(run)]
        for run in (tmp_path / "again", folder / f"trial-{best['trial']}" / "seed-0")
    )
    assert again == there, "best.toml is the best trial"

    before = (folder / "trial-0" / "seed-0" / "metrics.jsonl").stat().st_mtime_ns
    code, out, err = command(*words, "--trials", "3", "--confirm", "3", cwd=tmp_path)
    assert code == 0, err
    assert "trials   3, 2 there already" in out
    assert [row["trial"] for row in rows_of(folder)] == ["0", "1", "2"]
    assert (folder / "trial-0" / "seed-0" / "metrics.jsonl").stat().st_mtime_ns == before, "not run again"
    assert "final, seeds 2 to 4" in out
    table = [line for line in out.splitlines() if line.startswith(("| best", "| defaults"))]
    assert len(table) == 2
    assert all("[" in line or "all equal" in line for line in table), "with their intervals"
    assert "better than one with the defaults with probability" in out
    confirmed = sorted(path.parent.name for path in folder.glob("confirm/*/seed-*/result.json"))
    assert confirmed == ["seed-2", "seed-2", "seed-3", "seed-3", "seed-4", "seed-4"], "seeds of no trial"

    code, out, err = command(*words, "--sampler", "random", "--set", "returns.gamma=0.5", cwd=tmp_path)
    assert code == 2
    assert "contains another sweep" in err
    assert "sampler: tpe there, random here" in err
    assert "returns.gamma: not set there, 0.5 here" in err


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_job_and_one_seed_give_the_same_sweep(tmp_path: Path) -> None:
    words = (*CHAIN, "--over", "exploration.horizon=logint(5, 500)", "--over", "tabular.initial=uniform(-1, 1)")
    words = (*words, "--steps", "100", "--seeds", "1", "--seed", "5", "--trials", "3", "--jobs", "1")
    for folder in ("a", "b"):
        code, _, err = command(*words, "--study-dir", folder, cwd=tmp_path)
        assert code == 0, err
    assert rows_of(tmp_path / "a") == rows_of(tmp_path / "b")
    assert len({row["tabular.initial"] for row in rows_of(tmp_path / "a")}) == 3


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_sweep_goes_on(number: int, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "go").touch()
    words = ("sweep", "-p", "tabular,chain,./slow.py", "--over", "tabular.initial=uniform(-1, 1)", "--trials", "3")
    words = (*words, "--jobs", "1", "--seeds", "1", "--steps", "60", "--study-dir", "s")
    process = start(*words, cwd=tmp_path)
    wait_for(lambda: list(tmp_path.glob("s/trial-*/seed-0/result.json")))
    (tmp_path / "go").unlink()
    done = {path.parent: path.stat().st_mtime_ns for path in tmp_path.glob("s/trial-*/seed-0/result.json")}

    def at_work() -> list[Path]:
        runs = {path.parent for path in tmp_path.glob("s/trial-*/seed-0/metrics.jsonl") if path.stat().st_size}
        return [run for run in runs if not (run / "result.json").exists()]

    if len(done) < 3:
        wait_for(at_work)
    stopped = at_work()
    time.sleep(2)  # some steps, and a checkpoint
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130, err
        assert "goes on" in out
        assert not stopped or "interrupted after" in (stopped[0].parent / "seed-0.output.txt").read_text()
    (tmp_path / "go").touch()
    code, out, err = command(*words, cwd=tmp_path)
    assert code == 0, err
    rows = rows_of(tmp_path / "s")
    assert [(row["trial"], row["state"]) for row in rows] == [(str(trial), "complete") for trial in range(3)]
    assert len({row["tabular.initial"] for row in rows}) == 3
    for run, when in done.items():
        assert (run / "result.json").stat().st_mtime_ns == when, "a finished trial stays"
    for run in stopped:
        # the run of a killed sweep ends in good order, too, and writes a checkpoint
        assert "resumed  after" in (run.parent / "seed-0.output.txt").read_text()
        assert not run.with_name("seed-0.unfinished-1").exists()
        assert json.loads((run / "last.json").read_text())["env_steps"] == 60
    assert stopped, "a trial was under way"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_runs_on_ray_give_the_same_sweep(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    words = ("sweep", "-p", "tabular,chain", "--over", "tabular.initial=uniform(-1, 1)", "--trials", "3")
    words = (*words, "--jobs", "1", "--seeds", "1", "--steps", "60", "--confirm", "1")
    for on in ("local", "ray"):
        code, _, err = command(*words, "--on", on, "--study-dir", on, cwd=tmp_path)
        assert code == 0, err
    assert rows_of(tmp_path / "local") == rows_of(tmp_path / "ray")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_sweeps_on_one_folder_share_the_trials(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ("sweep", "-p", "tabular,chain,./slow.py", "--over", "tabular.initial=choice(-1.0, 0.0, 0.5, 1.0)")
    words = (*words, "--sampler", "grid", "--jobs", "1", "--seeds", "1", "--steps", "60", "--study-dir", "s")
    both = [start(*words, cwd=tmp_path) for _ in range(2)]
    wait_for(lambda: len(list(tmp_path.glob("s/trial-*/seed-0/metrics.jsonl"))) == 2)
    (tmp_path / "go").touch()
    for process in both:
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
        assert "4 of 4 |" in out, "each waits for all trials, and shows them"
    rows = rows_of(tmp_path / "s")
    assert sorted(float(row["tabular.initial"]) for row in rows) == [-1.0, 0.0, 0.5, 1.0]
    assert {row["state"] for row in rows} == {"complete"}
    assert not list(tmp_path.glob("s/trial-*/*.unfinished-*")), "no trial is made twice"
    journal = [json.loads(line) for line in (tmp_path / "s" / "journal.log").read_text().splitlines()]
    ends = [line["worker_id"] for line in journal if line["op_code"] == 6 and line["state"] == 1]
    assert len(ends) == 4
    assert len(set(ends)) == 2, "both worked"


@pytest.mark.timeout(300)
def test_a_pruned_trial_ends_early_and_normally(tmp_path: Path) -> None:
    words = (*CHAIN, "--over", "returns.gamma=choice(0.9, 0.0)", "--sampler", "grid", "--pruner", "halving")
    words = (*words, "--eval-every", "50", "--steps", "3000", "--jobs", "1", "--study-dir", "s")
    code, out, err = command(*words, cwd=tmp_path)
    assert code == 0, err
    good, bad = rows_of(tmp_path / "s")
    assert (good["state"], good["last"]) == ("complete", "2.0")
    assert (bad["state"], bad["last"]) == ("pruned", "")
    assert "2 of 2 | trial 1 | pruned: after evaluation 1" in out
    run = tmp_path / "s" / "trial-1" / "seed-0"
    assert json.loads((run / "pruned.json").read_text())["reason"] == bad["reason"]
    assert json.loads((run / "last.json").read_text())["env_steps"] < 3000, "its steps were saved"
    assert "interrupted after" in (tmp_path / "s" / "trial-1" / "seed-0.output.txt").read_text()
    assert not (run / "result.json").exists()
    assert not (tmp_path / "s" / "trial-1" / "seed-1").exists(), "the first seed decides"


@pytest.mark.timeout(300)
def test_a_trial_that_diverges_is_a_failed_trial_with_its_reason(tmp_path: Path) -> None:
    words = (*CHAIN, "--episodes", "10", "--seeds", "1", "--sampler", "grid", "--jobs", "1")
    code, out, err = command(*words, "--over", "tabular.initial=choice(1e308, 0.0)", "--study-dir", "s", cwd=tmp_path)
    assert code == 0, err
    diverged, good = rows_of(tmp_path / "s")
    assert (diverged["state"], good["state"]) == ("failed", "complete")
    assert "seed 0: the loss of 1 of 1 transitions is NaN or infinite" in diverged["reason"]
    assert "Failed (1): seed 0: the loss" in out
    assert "Best: trial 1" in out


@pytest.mark.timeout(300)
def test_a_sweep_whose_every_trial_fails_says_so(tmp_path: Path) -> None:
    words = (*CHAIN, "--episodes", "10", "--seeds", "1", "--sampler", "grid", "--jobs", "1")
    code, out, err = command(
        *words, "--over", "tabular.initial=choice(1e308, -1e308)", "--study-dir", "s", cwd=tmp_path
    )
    assert code == 1
    assert "error: no trial of the sweep is complete: s" in err
    assert "2 trials: 2 failed." in out
    assert not (tmp_path / "s" / "best.toml").exists()


BUSY = """
from pathlib import Path
from framework.errors import UsageError
from framework.processes.local import Local
class Busy(Local):
    def start(self, jobs):
        if not Path("free").exists():
            raise UsageError("the queue is full")
        return super().start(jobs)
"""


@pytest.mark.timeout(300)
def test_a_queue_that_is_busy_fails_no_trial(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    words = (*CHAIN, "--over", "tabular.initial=uniform(-1, 1)", "--trials", "2", "--jobs", "1", "--seeds", "1")
    words = (*words, "--steps", "60", "--study-dir", "s", "--on", "busy:Busy")
    code, _, err = command(*words, cwd=tmp_path)
    assert code == 1
    assert "the queue is full" in err
    assert [row["state"] for row in rows_of(tmp_path / "s")] == ["running"]
    (tmp_path / "free").touch()
    code, _, err = command(*words, cwd=tmp_path)
    assert code == 0, err
    assert [row["state"] for row in rows_of(tmp_path / "s")] == ["complete", "complete"]
