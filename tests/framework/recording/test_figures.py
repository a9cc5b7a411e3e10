"""The figures of a run: which curves they show, and when they are drawn."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from framework.errors import FrameworkError
from framework.recording import MetricsWriter, draw_figures
from framework.recording.figures import BLACK, BLUE, GREEN, VERMILION, DrawFigures


def record(run: Any, folder: Path, episodes: int = 40, evaluations: bool = True) -> None:
    run.start(MetricsWriter(folder, run.exploration, run.statistics, clock=run.clock))
    for number in range(episodes):
        run.episode(float(number % 7))
        if evaluations and number % 10 == 9:
            run.evaluation(2.0, 4.0)
    run.end()


def shows(path: Path, colour: str) -> bool:
    """Whether some pixels between the axes have the colour; the legend and the labels do not count."""
    image = (imread(path)[..., :3] * 255).round().astype(int)
    assert image.shape[0] > 600, "150 dots an inch"
    height, width, _ = image.shape
    plot = image[int(0.08 * height) : int(0.8 * height), int(0.1 * width) : int(0.9 * width)]
    assert plot.std() > 0, "blank"
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return bool((np.abs(plot - wanted).max(axis=2) < 3).sum() > 15)


def test_both_figures_show_their_curves(scripted: Callable[..., Any], tmp_path: Path) -> None:
    record(scripted(), tmp_path)
    curves, epsilon = draw_figures(tmp_path)
    assert (curves, epsilon) == (tmp_path / "curves.png", tmp_path / "epsilon.png")
    assert all(shows(curves, colour) for colour in (BLUE, GREEN, VERMILION, BLACK))
    assert shows(epsilon, VERMILION)
    assert not shows(epsilon, BLUE)


def test_no_epsilon_no_epsilon_figure(scripted: Callable[..., Any], tmp_path: Path) -> None:
    record(scripted(reports=False), tmp_path)
    assert draw_figures(tmp_path) == [tmp_path / "curves.png"]
    assert not shows(tmp_path / "curves.png", VERMILION)
    assert shows(tmp_path / "curves.png", BLUE)


@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_what_learning_rows_say_is_drawn_from_two_rows_on(
    rows: int, scripted: Callable[..., Any], tmp_path: Path
) -> None:
    record(scripted(), tmp_path)
    numbers = {"loss": 1.0, "value_max": 3.0, "value_mean": 2.0, "taken/left": 0.25, "taken/right": 0.75}
    with (tmp_path / "metrics.jsonl").open("a") as file:
        for row in range(rows):
            given = {name: number * (row + 1) for name, number in numbers.items()} | {"td_error": None}
            file.write(json.dumps({"kind": "learning", "env_steps": 10 * row, **given}) + "\n")
    drawn = draw_figures(tmp_path)
    assert [path.name for path in drawn[2:]] == (["learning.png"] if rows > 1 else [])
    if rows > 1:
        assert all(shows(drawn[2], colour) for colour in (BLUE, VERMILION))


def test_a_killed_run_is_drawn(scripted: Callable[..., Any], tmp_path: Path) -> None:
    record(scripted(), tmp_path, evaluations=False)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "episode", "ret')
    assert len(draw_figures(tmp_path)) == 2


def test_values_that_are_null_leave_gaps(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(MetricsWriter(tmp_path, run.exploration, run.statistics))
    run.episode(float("nan"))
    run.end()
    assert len(draw_figures(tmp_path)) == 2


def test_nothing_to_draw(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").touch()
    assert draw_figures(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_no_metrics_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FrameworkError, match=r"metrics\.jsonl: cannot be read"):
        draw_figures(tmp_path)


def test_one_episode_and_a_name_that_looks_like_mathematics(scripted: Callable[..., Any], tmp_path: Path) -> None:
    (folder := tmp_path / "a_$b^{$").mkdir()
    record(scripted(reports=False), folder, episodes=1)
    draw_figures(folder)
    assert shows(folder / "curves.png", BLUE)


def test_figures_are_drawn_at_the_end_of_a_run(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(MetricsWriter(tmp_path, run.exploration, run.statistics), DrawFigures(tmp_path))
    run.episode(1.0)
    assert not (tmp_path / "curves.png").exists()
    run.end()
    assert (tmp_path / "curves.png").exists()


def test_no_global_state_of_matplotlib(scripted: Callable[..., Any], tmp_path: Path) -> None:
    record(scripted(), tmp_path)
    script = f"""
import pathlib, sys
from framework.recording import draw_figures
assert len(draw_figures(pathlib.Path({str(tmp_path)!r}))) == 2
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
