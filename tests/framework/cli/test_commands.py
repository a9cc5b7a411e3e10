"""The command line, in processes of its own, started in a folder outside of the checkout."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import imageio
import numpy as np
import pytest
from safetensors.numpy import load_file

import framework
from framework.cli.app import app
from tests.waiting import wait_for


def command(*words: str, cwd: Path, timeout: float = 90, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", **variables}
    return subprocess.run(
        [sys.executable, "-m", "framework", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_a_run_leaves_its_folder_and_can_be_evaluated_watched_and_loaded(tmp_path: Path) -> None:
    done = command("run", "--plugins", "tabular,chain", "--run-dir", "r", "--eval-every", "100", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("episode ")]
    assert len(lines) == 100
    figures = r"episode \d+ \| return -?\d+\.\d \| best -?\d+\.\d \| mean of last 100 -?\d+\.\d\d \| epsilon \d\.\d{3}"
    assert all(re.fullmatch(figures, line) for line in lines), lines[0]
    assert lines[-1].endswith("epsilon 0.000")
    assert "GB when full" in done.stdout

    folder = tmp_path / "r"
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["run"]["plugins"] == ["tabular", "chain"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["slots"]["make_policy"] == "tabular"
    assert manifest["versions"]["numpy"] == np.__version__
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert sum(row["kind"] == "episode" for row in rows) == 100
    assert any(row["kind"] == "evaluation" for row in rows)
    for picture in ("curves.png", "epsilon.png"):
        assert (folder / picture).read_bytes()[:4] == b"\x89PNG"
    config_text = (folder / "config.toml").read_text()
    trained = load_file(folder / "last.safetensors")
    weights = {"best/evaluation", "best/mean_100", "last"}
    assert all(load_file(folder / f"{name}.safetensors") for name in weights)
    assert list(folder.glob("events*"))
    assert not [path for path in folder.rglob("*") if path.suffix in {".pkl", ".pt", ".pickle"}]

    played = command("evaluate", "r", "--episodes", "20", "--epsilon", "0", "--weights", "last", cwd=tmp_path)
    assert played.stdout.startswith("mean 2.00 ± 0.00 over 20 episodes"), played.stderr
    played = command("evaluate", "r", "--episodes", "20", "--set", "evaluation.epsilon=1", cwd=tmp_path)
    assert "| epsilon 1 |" in played.stdout, played.stderr
    played = command("evaluate", "r", "--episodes", "3", "--epsilon", "0", "--weights", "last", "--json", cwd=tmp_path)
    figures = json.loads(played.stdout)
    assert (figures["mean"], figures["returns"], figures["lengths"]) == (2, [2, 2, 2], [2, 2, 2])
    longer = command("evaluate", "r", "--set", "chain.length=7", cwd=tmp_path)
    assert (longer.returncode, "the weights are not a table of 7 states" in longer.stderr) == (2, True)
    seen = command("watch", "r", "--video", "walk.gif", "--weights", "last", cwd=tmp_path)
    assert "episode 1 | return 2.0" in seen.stdout, seen.stderr
    assert (tmp_path / "walk.gif").read_bytes()[:3] == b"GIF"
    assert len(imageio.mimread(tmp_path / "walk.gif")) >= 3, "the end of the walk is shown, too"
    screen = {"DISPLAY": ":0", "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}
    seen = command("watch", "r", "--weights", "last", cwd=tmp_path, **screen)
    assert "episode 1 | return 2.0" in seen.stdout, seen.stderr
    assert "cannot be written" in command("watch", "r", "--video", "r.gif/x.gif", cwd=tmp_path).stderr
    assert "must end in .mp4 or .gif" in command("watch", "r", "--video", "walk.avi", cwd=tmp_path).stderr

    agent = framework.load(folder, "last")
    assert [agent.act(state) for state in (1, 2, 3)] == [1, 1, 1]
    assert agent.act(np.array([1, 2])).tolist() == [1, 1]
    with pytest.raises(ValueError, match="observations have shape"):
        agent.act(np.zeros((2, 2)))

    (folder / "last.safetensors").write_bytes((folder / "last.safetensors").read_bytes()[:-8])
    damaged = command("evaluate", "r", cwd=tmp_path, timeout=60)
    assert (damaged.returncode, "Traceback" in damaged.stderr) == (0, False), "evaluation's weights come first"
    damaged = command("evaluate", "r", "--weights", "last", cwd=tmp_path)
    assert damaged.returncode == 2
    assert "last.safetensors" in damaged.stderr

    again = command("run", "--config", "r/config.toml", "--run-dir", "again", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    table = load_file(tmp_path / "again" / "last.safetensors")
    assert all(np.array_equal(table[name], array) for name, array in trained.items())
    (tmp_path / "again" / "config.toml").write_text(config_text.replace("length = 5", "length = 7"))
    edited = command("evaluate", "again", cwd=tmp_path)
    assert edited.returncode == 2
    assert "again/config.toml: damaged or edited" in edited.stderr
    manifest = json.loads((tmp_path / "again" / "manifest.json").read_text())
    del manifest["config_sha256"]  # as the message says
    (tmp_path / "again" / "manifest.json").write_text(json.dumps(manifest))
    foreign = command("evaluate", "again", cwd=tmp_path)
    assert foreign.returncode == 2
    assert "does not fit again/config.toml: the weights are not a table of 7 states" in foreign.stderr


WRONG = [
    (["run"], "name the plugins"),
    (["run", "-p", "tabular,chian"], "unknown plugin 'chian'. Did you mean 'chain'?"),
    (["run", "-p", "tabular,chain", "--set", "tabular.learning_rate=2"], "tabular.learning_rate = 2 (from --set)"),
    (["run", "-p", "tabular,chain", "--set", "tabular.alpha=1"], "'tabular' has no option 'alpha'"),
    (["run", "-p", "tabular,chain", "--set", "nonsense"], "write it as --set section.key=value"),
    (["run", "-p", "tabular,chain", "--seed", "many"], "Invalid value for '--seed'"),
    (["run", "-p", "tabular,chain", "--steps", "0"], "run.steps = 0 (from command line)"),
    (["run", "-p", "tabular,chain", "--steps", "1.5"], "'1.5' is not a whole number: write 1000000 or 1e6"),
    (["run", "-p", "tabular,chain", "--steps", "1e99999999"], "is not a whole number"),
    (["run", "-p", "tabular,chain", "--episodes", "nan"], "is not a whole number"),
    (["run", "-p", "tabular,chain", "--device", "tpu"], "run.device = 'tpu'"),
    (["run", "-p", "tabular,chain", "--hours", "0"], "run.hours = 0.0 (from command line): must be greater than 0"),
    (["run", "-p", "dqn,chain", "--set", "dqn.mlp=5"], "dqn.mlp = 5 (from --set): must be a list, such as [1, 2]"),
    (["run", "-p", "tabular,chain", "--until", "1"], "run.until = 1.0 (from command line) needs evaluations"),
    (["run", "-p", "tabular,chain", "--set", "evaluation.first=3"], "no effect without a goal: set one with --until"),
    (["run", "-p", "tabular,chain", "--config", "none.toml"], "none.toml: No such file"),
    (["run", "-p", "tabular,chain", "--run-dir", "full"], "has files in it: choose another"),
    (["run", "-p", "tabular,chain", "--set", "replay.capacity=1"], "replay.capacity = 1"),
    (["run", "-p", "tabular,chain", "--seeds", "0"], "Invalid value for '--seeds'"),
    (["run", "-p", "tabular,chain", "--jobs", "2"], "--jobs is for several runs: add --seeds"),
    (["run", "-p", "tabular,chain", "--on", "ray"], "--on is for several runs: add --seeds"),
    (["run", "-p", "tabular,chain", "--seeds", "2", "--on", "rya"], "unknown executor 'rya'"),
    (["ablate", "tabular,nstep,chain", "--on", "here:There"], "executor 'here:There': here cannot be imported"),
    (["run", "-p", "tabular,chain", "--seeds", "2", "--jobs", "0"], "Invalid value for '--jobs'"),
    (["run", "-p", "tabular,chain", "--seeds", "2", "--run-dir", "full"], "contains files, but no study"),
    (["run", "-p", "tabular,chain", "--set", "run.episodes=none", "--seeds", "2"], "the run has no end"),
    (["ablate"], "name the plugins"),
    (["ablate", "tabular,chian"], "unknown plugin 'chian'. Did you mean 'chain'?"),
    (["ablate", "tabular,chain"], "nothing can be left out of this composition"),
    (["ablate", "tabular,nstep,chain", "--study-dir", "full"], "contains files, but no study"),
    (["ablate", "tabular,nstep,chain", "--set", "run.episodes=none"], "the run has no end"),
    (["rnu"], "rnu"),
    (["evaluate", "nowhere"], "is not a run folder"),
    (["watch", "nowhere"], "is not a run folder"),
    (["plugins", "nothing"], "unknown plugin 'nothing'"),
    (["config", "-p", "dqn"], "nothing provides make_env: add atari, cartpole, chain, grid, minatar, pong or gym:ID"),
]


@pytest.mark.parametrize(
    ("words", "message"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_wrong_input_ends_with_code_2_one_message_and_nothing_written(
    words: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["full", "mine.txt"]


FALSE_END = """
import gymnasium
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from framework.hooks import hookimpl

class Short(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(2)
    def reset(self, *, seed=None, options=None): return 0, {}
    def step(self, action): return 1, 0.0, True, False, {}

class Vector(SyncVectorEnv):
    def step(self, actions): return *super().step(actions)[:-1], {}

@hookimpl
def make_env(num_envs): return Vector([Short] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
"""


def test_environments_that_are_refused_on_trial_leave_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "false_end.py").write_text(FALSE_END)
    done = command("run", "-p", "tabular,./false_end.py", "--steps", "20", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("error:")) == (2, 1)
    assert "no 'final_obs' where an episode ends" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs/*"))


def test_a_run_says_when_it_ends_and_a_folder_which_weights_it_has(tmp_path: Path) -> None:
    done = command("run", "-p", "tabular,chain", "--set", "run.episodes=50", "--steps", "2e1", cwd=tmp_path)
    assert "ends     after 20 steps or after 50 episodes\n" in done.stdout
    (run,) = (tmp_path / "runs").iterdir()
    done = command("evaluate", str(run), "--weights", "evaluation", cwd=tmp_path)
    assert done.returncode == 2
    assert "(best/evaluation.safetensors); it has 'last'" in done.stderr, done.stderr
    done = command("run", "-p", "tabular,chain", "--run-dir", str(run), cwd=tmp_path)
    assert done.returncode == 2
    assert "--resume" in done.stderr


def test_a_run_that_is_too_short_to_learn_says_so(tmp_path: Path) -> None:
    for starts, warned in (("50", False), ("60", True)):
        words = ["run", "--plugins", "dqn,chain", "--steps", "60", "--run-dir", f"run{starts}"]
        done = command(*words, "--set", f"learning.starts={starts}", cwd=tmp_path)
        assert ("no update is due within 60 steps" in done.stderr) is warned


def test_the_paragraphs_of_help_flow() -> None:
    for registered in app.registered_commands:
        assert registered.help
        assert "\n" not in registered.help.replace("\n\n", ""), registered.help


def test_help_and_a_tabular_run_never_import_torch(tmp_path: Path) -> None:
    """The import of torch takes seconds. The benchmarks measure such times; tests do not."""
    code = (
        "import sys; sys.argv[1:] = {words}\n"
        "from framework.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    for words in (["--help"], ["run", "-p", "tabular,chain", "--run-dir", "r"]):
        done = subprocess.run(
            [sys.executable, "-c", code.format(words=words)], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stderr.splitlines()[-1] == "False", done.stderr


def test_ctrl_c_ends_a_run_in_good_order(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "framework", "run", "-p", "tabular,grid", "--steps", "100000000", "--run-dir", "r"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "r" / "metrics.jsonl"
    wait_for(lambda: (metrics.exists() and metrics.stat().st_size > 2_000) or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted after" in out
    assert "continue  python -m framework run --resume r\n" in out
    assert (tmp_path / "r" / "curves.png").exists()
    assert (tmp_path / "r" / "last.safetensors").exists()


def test_time_by_the_clock_ends_a_run_that_then_continues(tmp_path: Path) -> None:
    words = ("run", "-p", "tabular,chain", "--steps", "100000000", "--eval-every", "50", "--quiet")
    done = command(*words, "--hours", "0.0003", "--run-dir", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "after 100,000,000 steps or after 0.0003 hours" in done.stdout
    assert "episode " not in done.stdout, "quiet"
    assert re.search(r"\nout of time after .*: r\ncontinue  python -m framework run --resume r\n", done.stdout)
    steps = int(re.findall(r"out of time after ([\d,]+) steps", done.stdout)[0].replace(",", ""))
    again = command("run", "--resume", "r", "--steps", str(steps + 2_000), "--set", "run.hours=1", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert f"finished after {steps + 2_000:,} steps" in again.stdout


def test_quiet_has_no_line_for_an_episode(tmp_path: Path) -> None:
    words = ("run", "-p", "tabular,chain", "--steps", "2000", "--eval-every", "1000", "--quiet", "--run-dir", "r")
    lines = command(*words, cwd=tmp_path).stdout.splitlines()
    assert not [line for line in lines if line.startswith("episode ")]
    assert len([line for line in lines if line.startswith("evaluation at ")]) == 2


def test_other_plugins_play_with_the_weights_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from envs.chain import ChainEnv\nfrom framework.hooks import hookimpl\n\n\n"
        "@hookimpl\ndef make_env():\n    return lambda: ChainEnv(5, (-1.0, 0.0, 0.0, 0.0, 7.0))\n"
    )
    assert command("run", "-p", "tabular,chain", "--run-dir", "r", cwd=tmp_path).returncode == 0
    done = command("evaluate", "r", "--plugins", "tabular,./mine.py", "--epsilon", "0", cwd=tmp_path)
    assert "mean 7.00 ± 0.00 over 100 episodes (1 different)" in done.stdout, done.stderr


def test_plugins_are_listed_with_what_they_fill_and_their_options(tmp_path: Path) -> None:
    done = command("plugins", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in ("tabular.learning_rate", "fills make_env", "dqn_bootstrap", "exploration.horizon", "pong.size"):
        assert text in done.stdout
    narrow = command("plugins", cwd=tmp_path, COLUMNS="80")
    assert "exploration.horizon " in narrow.stdout, "an option's name is never cut"


def test_a_plugin_that_raises_is_named_and_its_traceback_shown(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from framework.hookspecs import hookimpl\n@hookimpl\ndef make_returns(): return 1 / 0\n"
    )
    done = command("run", "-p", "tabular,chain,./mine.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "plugin 'mine' raised in make_returns: ZeroDivisionError" in done.stderr
    assert "mine.py" in done.stderr


def test_an_output_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "framework", "run", "--plugins", "tabular,chain", "--run-dir", "r"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.startswith("error: the system refuses: ")
    assert "Traceback" not in done.stderr
