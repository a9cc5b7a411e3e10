"""Every command that meets a fault says one thing, ends with its exit code and shows no stack of ours."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from framework.cli.app import app
from framework.cli.main import main

RAISES_AT_IMPORT = "raise RuntimeError('out of coffee')\n"

RAISES_LATER = """
import gymnasium

from framework.hooks import hookimpl


class Broken(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(5), gymnasium.spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        return 0, {}

    def step(self, action):
        raise RuntimeError("out of coffee")


@hookimpl
def make_env():
    return Broken
"""

MASSIVE = """
import gymnasium

from framework.hooks import hookimpl


class Massive(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(3**28), gymnasium.spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        return 0, {}


@hookimpl
def make_env():
    return Massive
"""

LONG = "x" * 300
"""The system has no file names of this length."""

ON_A_COMPOSITION = (("run", "-p"), ("config", "-p"), ("ablate",), ("sweep", "-p"), ("check",))
ON_A_RUN = (
    ("evaluate",),
    ("watch", "--video", "film.gif"),
    ("inspect",),
    ("run", "--resume"),
    ("repeat", "--to", "5"),
)

ON_RUNS = (("compare",), ("report",))
ON_AN_AGENT = (*ON_A_RUN[:3], ("export", "--to", "policy.onnx"))


def _cases() -> list[tuple[list[str], int, str]]:
    found: list[tuple[list[str], int, str]] = []
    for words in ON_A_COMPOSITION:
        found += [
            ([*words, "tabular,nstep,./imports.py"], 2, "imports.py' cannot be imported: RuntimeError: out of coffee"),
            ([*words, "tabular,nstep,chian"], 2, "Did you mean 'chain'?"),
            ([*words, "tabular,nstep,./gone.py"], 2, "gone.py' does not exist"),
        ]
        if words[0] not in ("config", "check"):
            found += [
                ([*words, "dqn,nstep,gym:Nothing-v0"], 2, "Nothing-v0"),
                ([*words, "tabular,nstep,./massive.py"], 2, "a table of 22,876,792,454,961 states"),
            ]
    for words in (*ON_A_RUN, ON_AN_AGENT[3]):
        found += [([*words, "nowhere"], 2, "nowhere"), ([*words, LONG], 2, "cannot be read: File name too long")]
    for words in [*ON_AN_AGENT, ON_A_RUN[4]]:
        found += [
            ([*words, "no_options"], 2, "config.toml: damaged or edited"),
            ([*words, "half_manifest"], 2, "manifest.json: damaged, not a JSON object"),
        ]
    for words in ON_RUNS:
        found += [
            (
                [*words, "whole", "nowhere"],
                2,
                "neither the folder of a run nor of a study: it does not exist",
            ),
            ([*words, LONG], 2, "cannot be read: File name too long"),
            ([*words, "no_options"], 2, "config.toml: damaged or edited"),
            ([*words, "half_manifest"], 2, "manifest.json: damaged, not a JSON object"),
            ([*words, "metrics_are_a_folder"], 2, "metrics.jsonl: cannot be read"),
            ([*words, "broken_metrics"], 2, "metrics.jsonl, line 1: damaged"),
            ([*words, "half_study"], 2, "study.json: damaged"),
            ([*words, "checkpoints_of_nothing/checkpoints"], 2, "has neither a config.toml nor a study.json"),
            ([*words, "whole", "--to", "page.txt"], 2, "the name must end in"),
            ([*words, "whole", "--x", "miles"], 2, "--x miles: choose one of steps, frames, hours"),
            ([*words, "whole", "--of", "loss"], 2, "--of loss: choose one of return, evaluation"),
            ([*words, "whole", "--threshold", "nan"], 2, "must be a finite number"),
        ]
    found += [
        (["compare", "whole", "--to", "file/picture.png"], 2, "cannot be written: there is no folder file"),
        (["report", "whole", "--to", "gone/page.html"], 2, "cannot be written: there is no folder gone"),
        (["report", "whole", "--to", "folder.html"], 2, "this is a folder: name a file in it"),
    ]
    for words in ON_AN_AGENT:
        found += [
            ([*words, "no_weights"], 2, "has no saved weights"),
            ([*words, "half_weights"], 2, "last.safetensors: damaged"),
            ([*words, "whole", "--plugins", "tabular,grid"], 2, "the weights are not a table of 12 states"),
        ]
    found += [
        (["push", "nowhere", "me/mine"], 2, "nowhere"),
        (["push", LONG, "me/mine"], 2, "cannot be read: File name too long"),
        (["push", "no_options", "me/mine"], 2, "config.toml: damaged or edited"),
        (["push", "half_manifest", "me/mine"], 2, "manifest.json: damaged, not a JSON object"),
        (["push", "no_weights", "me/mine"], 2, "has no saved weights"),
        (["pull", "me/mine", "--to", "whole"], 2, "exists already: name another folder with --to"),
        (["pull", "me/mine", "--to", "file/mine"], 2, "cannot be created"),
        (["pull", "me/mine", "--to", LONG], 2, "cannot be read: File name too long"),
        (["run", "--resume", "half_checkpoints"], 2, "state.safetensors: damaged"),
        (["run", "--resume", "checkpoints_of_nothing"], 2, "000009/manifest.json: cannot be read"),
        (["run", "--resume", "half_metrics"], 2, "metrics.jsonl: damaged"),
        (["run", "--resume", "metrics_are_a_folder"], 2, "metrics.jsonl: cannot be read"),
        (["run", "--resume", "half_trace"], 2, "trace.bin: damaged"),
        (["run", "--resume", "whole", "--force", "--set", "chain.length=7"], 2, "are not a table of 7 states"),
        (["repeat", "no_trace"], 2, "no trace.bin"),
        (["repeat", "no_plugins"], 2, "config.toml: damaged"),
        (["run", "-p", "tabular,chain", "--seeds", "2", "--study-dir", "half_study"], 2, "study.json: damaged"),
        (["ablate", "tabular,nstep,chain", "--study-dir", "half_study"], 2, "study.json: damaged"),
        (["ablate", "tabular,nstep,chain", "--study-dir", LONG], 2, "cannot be read: File name too long"),
        (["run", "-p", "tabular,chain", "--init-from", LONG], 2, "cannot be read: File name too long"),
        (["run", "-p", "tabular,chain", "--init-from", "half_weights"], 2, "last.safetensors: damaged"),
        (["run", "-p", "tabular,grid", "--init-from", "whole"], 2, "do not fit this run's network"),
        (["run", "-p", "tabular,chain", "--run-dir", "file/run"], 2, "cannot be created"),
        (["run", "-p", "tabular,chain", "--seeds", "2", "--study-dir", "file/study"], 2, "file"),
        (["ablate", "tabular,nstep,chain", "--study-dir", "file/study"], 2, "file"),
        (["sweep", "-p", "tabular,chain", "--study-dir", LONG], 2, "cannot be read: File name too long"),
        (["sweep", "-p", "tabular,chain", "--study-dir", "file/study"], 2, "cannot be created"),
        (["sweep", "-p", "tabular,chain", "--study-dir", "whole"], 2, "contains files, but no sweep"),
        (["watch", "whole", "--video", "file/film.gif"], 2, "cannot be written"),
        (["inspect", "whole", "--out", "file/pictures"], 2, "cannot be created"),
        (["inspect", "half_checkpoints"], 2, "state.safetensors: damaged"),
        (["inspect", "checkpoints_of_nothing"], 2, "000009/manifest.json: cannot be read"),
        (["watch", "whole", "--video", "film.txt"], 2, "must end in .mp4 or .gif"),
        (["export", "whole", "--to", "file/policy.onnx"], 2, "cannot be written"),
        (["export", "whole", "--to", "half_study"], 2, "must end in .onnx or .pt2"),
        (["export", "whole", "--to", "policy.pt2"], 2, "a table is exported as .onnx"),
        (["export", "whole", "--to", f"{LONG}.onnx"], 2, "cannot be read: File name too long"),
        (["new", "mine", "--fills", "make_sampler", "--directory", "file/new"], 2, "file"),
        (["new", "dqn", "--fills", "make_sampler"], 2, "dqn"),
        (["plugins", "./imports.py"], 2, "out of coffee"),
        (["run", "-p", "dqn,chain", "--set", "replay.capacity=1000000000000"], 2, "replay.capacity"),
        (["evaluate", "whole", "--plugins", "tabular,./raises.py"], 1, "out of coffee"),
        (["run", "-p", "tabular,./raises.py", "--steps", "9"], 1, "out of coffee"),
    ]
    return found


CASES = _cases()


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and copies of it that are damaged, and with plugins that raise."""
    place = tmp_path_factory.mktemp("runs")
    words = ["run", "-p", "tabular,chain", "--steps", "50", "--deterministic", "--run-dir", "whole"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr("sys.argv", ["framework", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code

    def copy(name: str) -> Path:
        return Path(shutil.copytree(place / "whole", place / name))

    with (copy("no_options") / "config.toml").open("a") as file:
        file.write("# edited\n")
    for weights in copy("no_weights").rglob("*.safetensors"):
        if "checkpoints" not in weights.parts:
            weights.unlink()
    _halve(copy("half_manifest") / "manifest.json")
    _halve(copy("half_weights") / "last.safetensors")
    for state in copy("half_checkpoints").rglob("state.safetensors"):
        _halve(state)
    shutil.rmtree(copy("checkpoints_of_nothing") / "checkpoints")
    (place / "checkpoints_of_nothing" / "checkpoints" / "000009").mkdir(parents=True)
    _halve(copy("half_metrics") / "metrics.jsonl")
    metrics = copy("metrics_are_a_folder") / "metrics.jsonl"
    metrics.unlink()
    metrics.mkdir()
    (copy("broken_metrics") / "metrics.jsonl").write_text("{}}\n")
    (place / "folder.html").mkdir()
    _halve(copy("half_trace") / "trace.bin")
    (copy("no_trace") / "trace.bin").unlink()
    (copy("no_plugins") / "manifest.json").unlink()
    (place / "no_plugins" / "config.toml").write_text("[run]\nseed = 1\n")
    (place / "half_study").mkdir()
    (place / "half_study" / "study.json").write_text('{"arms": ')
    (place / "file").write_text("a file where a folder is wanted")
    (place / "imports.py").write_text(RAISES_AT_IMPORT)
    (place / "raises.py").write_text(RAISES_LATER)
    (place / "massive.py").write_text(MASSIVE)
    return place


@pytest.mark.parametrize(("words", "code", "message"), CASES, ids=[" ".join(words)[:80] for words, _, _ in CASES])
def test_a_fault_is_one_sentence(
    words: list[str],
    code: int,
    message: str,
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(runs)
    monkeypatch.setattr("sys.argv", ["framework", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    error = capfd.readouterr().err
    assert ended.value.code == code, error
    assert message in error.replace("\n", " "), error
    assert all(line.startswith("error: ") for line in error.splitlines()) or code == 1, error
    # the stack of a plugin that raises belongs to its author, and begins below the sentence
    assert "Traceback" not in error or (code == 1 and "out of coffee" in error.split("Traceback")[0])
    assert error.startswith("error: "), error


def test_the_cases_go_over_every_command() -> None:
    shown = [command for command in app.registered_commands if not command.hidden and command.callback]
    assert {command.name or command.callback.__name__ for command in shown} == {words[0] for words, _, _ in CASES}
