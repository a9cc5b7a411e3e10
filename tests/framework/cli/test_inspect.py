"""The commands `inspect`, `watch --values` and `run --explain`, from the words that are typed to the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.cli.main import main

IMAGEIO = "ignore::pytest.PytestUnraisableExceptionWarning"
"""imageio leaves it to the garbage collector to close its pipes to ffmpeg."""


def typed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["framework", *words])
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = capfd.readouterr()
    return code, out, err


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    return lambda *words: typed(monkeypatch, capfd, *words)


def test_a_table_its_optimum_and_its_replay(say, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert say("run", "-p", "tabular,grid", "--run-dir", "r", "--quiet")[0] == 0
    code, out, err = say("inspect", "r", "--weights", "last")
    assert (code, err) == (0, "")
    assert "largest difference from the exact optimum" in out
    assert {path.name for path in (tmp_path / "r" / "inspect").iterdir()} >= {"values.png", "visits.png"}
    for line in out.splitlines():
        if line.startswith("wrote "):
            assert (tmp_path / line.removeprefix("wrote ")).stat().st_size > 0
    assert say("inspect", "r", "--out", "deep/er", "--transitions", "0")[0] == 0
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["values.png"]
    assert say("run", "--resume", "r", "--episodes", "510")[0] == 0, "the folder does not disturb the run"


@pytest.mark.filterwarnings(IMAGEIO)
def test_a_film_for_what_has_no_table(say, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert say("run", "-p", "dqn,qr,minatar", "--steps", "60", "--run-dir", "r", "--quiet")[0] == 0
    code, out, err = say("inspect", "r", "--pictures", "4")
    assert (code, err) == (0, "")
    assert "the first 4 pictures of an episode; --pictures 8 shows more" in out
    names = {path.name for path in (tmp_path / "r" / "inspect").iterdir()}
    assert names == {"film.mp4", "visits.png", "mistakes.csv", "mistakes.png"}
    code, out, _ = say("inspect", "r", "--pictures", "0", "--transitions", "0", "--out", "none")
    assert code == 0 and not list((tmp_path / "none").iterdir())


def test_an_environment_that_draws_nothing_has_no_film_and_the_rest_is_shown(say, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "dark.py").write_text(
        "import gymnasium\nimport numpy as np\nfrom framework.hooks import hookimpl\n\n\n"
        "class Dark(gymnasium.Env):\n"
        "    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)\n"
        "    action_space = gymnasium.spaces.Discrete(2)\n\n"
        "    def reset(self, seed=None, options=None):\n        return np.zeros(2, np.float32), {}\n\n"
        "    def step(self, action):\n        return np.ones(2, np.float32), 1.0, True, False, {}\n\n\n"
        "@hookimpl\ndef make_env():\n    return Dark\n"
    )
    assert say("run", "-p", "dqn,./dark.py", "--steps", "40", "--run-dir", "r", "--quiet")[0] == 0
    code, out, err = say("inspect", "r")
    assert code == 0, err
    assert "film: none, because" in out and "draws no pictures" in out
    assert "mistakes.csv" in out and "[0.0, 0.0]" in out


def test_a_folder_that_cannot_be_written_is_refused(say, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert say("run", "-p", "tabular,chain", "--run-dir", "r", "--quiet")[0] == 0
    (tmp_path / "file").write_text("mine")
    code, _, err = say("inspect", "r", "--out", "file")
    assert code == 2 and "the folder 'file' cannot be created" in err
    code, _, err = say("inspect", "r", "--pictures", "-1")
    assert code == 2


def test_values_beside_the_pictures_of_a_video(say, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import imageio

    assert say("run", "-p", "tabular,chain", "--run-dir", "r", "--quiet")[0] == 0
    sizes = []
    for more in ([], ["--values"]):
        assert say("watch", "r", "--video", "walk.gif", *more)[0] == 0
        film = imageio.mimread(tmp_path / "walk.gif")
        assert len(film) == 3
        sizes.append(film[0].shape)
    assert sizes[1][1] > sizes[0][1], "the bars are beside the picture"


def test_explain_prints_each_update(say) -> None:  # type: ignore[no-untyped-def]
    words = ("run", "-p", "tabular,chain", "--episodes", "3", "--set", "tabular.learning_rate=0.1")
    code, out, _ = say(*words, "--explain", "--run-dir", "r")
    assert code == 0
    lines = [line for line in out.splitlines() if line.startswith("update ")]
    assert lines and lines[0].startswith("update 1: Q(")
    updates = next(line for line in out.splitlines() if line.startswith("finished")).split(" and ")[1].split(" ")[0]
    assert len(lines) == int(updates)
    assert "update 1:" not in say(*words, "--run-dir", "without")[1]
    code, out, _ = say("run", "--resume", "r", "--episodes", "5")
    assert code == 0 and f"update {int(updates) + 1}: " in out, "a run goes on as it began"
    assert say("evaluate", "r", "--episodes", "1")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "dqn,chain", "--explain"], "cannot be written so"),
        (["-p", "tabular,chain", "--explain", "--seeds", "2"], "--explain is for one new run"),
        (["--resume", "r", "--explain"], "--explain is for one new run"),
        (["--explain"], "name the plugins"),
    ],
)
def test_what_cannot_be_explained_is_refused_and_nothing_is_written(say, words, message, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = say("run", *words)
    assert code == 2 and message in err
    assert not list(tmp_path.iterdir())
