"""A page holds everything about its runs, needs nothing from elsewhere, and no text from a run becomes a part of it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from framework.comparison.compare import compare
from framework.errors import FrameworkError, UsageError
from framework.report.interactive import comparison_figure
from framework.report.page import render, require_libraries, write_page
from framework.report.sections import ArmSection, empty_section, section_of
from tests.framework.comparison.folders import write_run, write_study
from tests.framework.report.pages import Page, read_page

HEADINGS = ("Curves", "Film", "Composition", "Options", "Command and versions", "Check", "Files")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def page_of(places: list[Path], to: Path, **words: Any) -> Page:
    """The page about runs and studies, without films and checks."""
    found = compare(places, **words)
    sections = [section_of(arm, found, to, film=False, check=False) for arm in found.arms]
    write_page(found, [*sections, *map(empty_section, found.empty)], to)
    return read_page(to.read_text(encoding="utf-8"))


def test_a_run_has_every_section(tmp_path: Path) -> None:
    run = write_run(
        tmp_path / "runs" / "mine",
        evaluations=[1.0, 2.0],
        learning=True,
        options={"tabular.learning_rate": 0.25},
        manifest={"environment": {"sticky": 0.25}, "command": ["/x/framework/__main__.py", "run", "-p", "a b"]},
    )
    page = page_of([run], tmp_path / "page.html")
    for heading in HEADINGS:
        assert heading in page.texts
    for words in (
        "python -m framework run -p 'a b'",
        "tabular.learning_rate 0.25 command line",
        "make_env chain",
        "sticky 0.25",
        "numpy 2.0",
        "No film was made",
        "Not checked. python -m framework check tabular,chain",
        "ended after 30 environment steps",
    ):
        assert words in page.text, words
    assert "run.steps" not in page.text, "it has its default"
    assert "./runs/mine/metrics.jsonl" in page.addresses
    (figure,) = page.data.values()
    titles = [title["text"] for title in figure["layout"]["annotations"]]
    assert titles == [
        *("mean return of the last 100 episodes", "mean return of an evaluation", "loss", "ε"),
        "environment steps per second",
    ]
    running = next(trace for trace in figure["data"] if trace["name"] == "seed 0")
    assert running["y"][-1] == 2.0 and running["x"][-1] == 30
    evaluated = next(trace for trace in figure["data"] if trace["yaxis"] == "y2")
    assert (evaluated["x"], evaluated["y"], evaluated["error_y"]["array"]) == ([10, 20], [1.0, 2.0], [0.5, 0.5])


def test_plotly_knows_every_property_of_the_figures(tmp_path: Path) -> None:
    """plotly.js ignores what it does not know; its Python side refuses it."""
    import plotly.graph_objects as go

    study = write_study(tmp_path / "s", {"full": {seed: [0.0, seed, 2.0] for seed in range(3)}, "other": {0: [1.0]}})
    found = compare([study], threshold=1.0)
    figures = [section_of(arm, found, tmp_path / "p.html", film=False, check=False).figure for arm in found.arms]
    for figure in [*figures, comparison_figure(found)]:
        assert figure is not None
        go.Figure(figure)
    seeds = [trace for trace in figures[0]["data"] if trace["yaxis"] == "y"]  # type: ignore[index]
    assert [trace["name"] for trace in seeds] == ["seed 0", "seed 1", "seed 2"]
    groups = {trace["legendgroup"] for trace in figures[0]["data"]}  # type: ignore[index]
    assert groups == {"seed 0", "seed 1", "seed 2"}, "one switch for a seed in all panels"
    switches = [trace["name"] for trace in comparison_figure(found)["data"]]
    assert switches == [
        *("full: 95 % band", "full: seed 0", "full: seed 1", "full: seed 2", "full", "other: seed 0", "other")
    ]


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s", {HOSTILE: {0: [1.0, 2.0], 1: [2.0]}, "failed": {0: None}})
    run = write_run(
        tmp_path / "r",
        plugins=("tabular", HOSTILE),
        options={"mine.text": HOSTILE, "mine.%{y}": "{{ 7 * 7 }}"},
        manifest={
            "slots": {HOSTILE: HOSTILE},
            "environment": {"rules": HOSTILE},
            "versions": {HOSTILE: HOSTILE},
            "command": [HOSTILE],
        },
    )
    (study / "failed" / "seed-0.output.txt").write_text(HOSTILE)
    page = page_of([study, run], tmp_path / "page.html")
    assert page.tags.count("script") == len(page.data) + 2
    assert page.text.count("<script>alert(1)</script>") > 5
    assert "{{ 7 * 7 }}" in page.text
    names = [trace["name"] for trace in page.data["figure-comparison"]["data"]]
    assert not any("<" in name for name in names), "plotly reads labels as HTML"


def test_links_are_relative_and_quoted(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a b" / "javascript:x#y?z")
    (run / "50%.txt").touch()
    page = page_of([run], tmp_path / "page.html")
    assert "./a%20b/javascript%3Ax%23y%3Fz/50%25.txt" in page.addresses


def test_a_run_that_has_just_begun_or_was_killed_has_a_page(tmp_path: Path) -> None:
    page = page_of([write_run(tmp_path / "begun", [], ended=False)], tmp_path / "page.html")
    for words in ("without metrics: it has just begun", "No episode has ended.", "No evaluation was recorded."):
        assert words in page.text
    assert page.data == {} and page.scripts == [], "nothing to draw, so no library"
    killed = write_run(tmp_path / "killed", [1.0, 2.0], ended=False)
    (killed / "metrics.jsonl").write_bytes((killed / "metrics.jsonl").read_bytes() + b'{"kind": "epi')
    page = page_of([killed], tmp_path / "page.html")
    assert "its last row is of step 20" in page.text and len(page.data) == 1


def test_a_study_with_a_failed_arm_says_so(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s", {"full": {0: [1.0], 1: None}, "broken": {0: None}})
    page = page_of([study], tmp_path / "page.html")
    assert "No run of this arm is complete." in page.text
    assert page.text.count("error: out of coffee") == 2
    assert "broken 0 – – –" in page.text


def test_several_arms_are_compared_first(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", plugins=("tabular", "grid"))]
    page = page_of(runs, tmp_path / "page.html", threshold=1.0)
    assert page.text.index("returns must not be compared") < page.text.index("Comparison")
    assert page.text.index("What differs between the arms") < page.text.index("Command and versions")
    assert "environment steps to 1" in page.text
    assert set(page.data) == {"figure-comparison", "figure-0", "figure-1"}
    assert sum(address.startswith("data:") for address in page.addresses) == 3, "a picture for each figure"


def test_the_page_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to = tmp_path / "page.html"
    to.write_text("an earlier page")
    found = compare([write_run(tmp_path / "r", [])])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FrameworkError, match=r"page\.html: cannot be written: No space left"):
        write_page(found, [], to)
    assert to.read_text() == "an earlier page"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "r"]


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "plotly" else real(name))
    with pytest.raises(UsageError, match=r"a report needs plotly: pip install 'pluggable-q\[report\]'"):
        require_libraries()


@pytest.fixture(scope="module")
def real_run(tmp_path_factory: pytest.TempPathFactory, no_figures: None) -> Path:
    """A run that was really made."""
    import framework

    folder = tmp_path_factory.mktemp("real") / "run"
    framework.train(framework.assemble("tabular,chain", {"run.episodes": 60, "evaluation.every": 50}), folder)
    return folder


def section(run: Path, **words: bool) -> ArmSection:
    found = compare([run])
    return section_of(found.arms[0], found, run / "page.html", **{"film": False, "check": False, **words})


def test_the_best_agent_has_a_film_strip(real_run: Path) -> None:
    found = compare([real_run])
    filmed = section(real_run, film=True)
    page = read_page(render(found, [filmed]))
    assert filmed.film is not None and not filmed.film.missing
    assert [picture.step for picture in filmed.film.pictures] == [0, 1, 2]
    assert "One episode with the best weights that the run saved: return 2.0, 2 steps." in page.text
    sources = {path: source for path, _, source in filmed.option_rows}
    assert sources["returns.gamma"] == "recommended by chain" and "run.num_envs" not in sources


BLIND = """
import gymnasium
from framework.hooks import hookimpl

class Blind(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(5), gymnasium.spaces.Discrete(2)
    def reset(self, seed=None, options=None):
        return 0, {}
    def step(self, action):
        WHAT
    def render(self):
        return PICTURE

@hookimpl
def make_env():
    return Blind
"""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda run: (run / "last.safetensors").unlink(), ""),
        (lambda run: [path.unlink() for path in run.rglob("*.safetensors")], "has no saved weights"),
        (lambda run: (run / "best" / "evaluation.safetensors").write_bytes(b"half"), "damaged"),
    ],
)
def test_without_pictures_there_is_a_reason(
    change: Callable[[Path], object], reason: str, real_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(real_run, tmp_path / "run"))
    change(run)
    filmed = section(run, film=True)
    assert filmed.film is not None
    assert (reason in filmed.film.missing) and bool(filmed.film.pictures) == (not reason)


DRAWN = "__import__('numpy').zeros((4, 4, 3), 'uint8')"
ENDS = "return 0, 0.0, True, False, {}"


@pytest.mark.parametrize(
    ("what", "picture", "reason"),
    [("raise RuntimeError('out of coffee')", DRAWN, "out of coffee"), (ENDS, "None", "draws no pictures")],
)
def test_an_environment_that_fails_or_draws_nothing_costs_only_the_film(
    what: str, picture: str, reason: str, tmp_path: Path, no_figures: None
) -> None:
    import framework

    mine = tmp_path / "mine.py"
    mine.write_text(BLIND.replace("WHAT", ENDS).replace("PICTURE", DRAWN))
    framework.train(framework.assemble(["tabular", str(mine)], {"run.steps": 20}), tmp_path / "run")
    assert section(tmp_path / "run", film=True).film.pictures  # type: ignore[union-attr]
    mine.write_text(BLIND.replace("WHAT", what).replace("PICTURE", picture))
    shutil.copyfile(mine, tmp_path / "run" / "plugins" / "mine.py")
    filmed = section(tmp_path / "run", film=True)
    assert filmed.film is not None and reason in filmed.film.missing
    assert reason in read_page(render(compare([tmp_path / "run"]), [filmed])).text


@pytest.mark.slow
def test_a_check_says_what_passed_and_what_failed(real_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from framework.report import checked

    monkeypatch.setattr(checked, "Request", partial(checked.Request, pattern="^discount_is_gamma"))
    found = section(real_run, check=True)
    assert found.checked is not None
    assert found.checked.counts == "1 passed, 0 failed, 0 not applicable"
    assert "python -m framework check tabular,chain : 1 passed" in read_page(render(compare([real_run]), [found])).text
    monkeypatch.setattr(checked, "Request", partial(checked.Request, pattern="no check has this name"))
    missing = section(real_run, check=True).checked
    assert missing is not None and missing.missing
