"""Films: the pictures are those of the episode, and the bars are the action values of what was observed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import imageio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from envs.chain import ChainEnv
from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.errors import FrameworkError, UsageError
from framework.inspection import film as films
from framework.inspection.episode import Decision, moments
from framework.inspection.film import _gif_milliseconds, draw_film, frames_of, write_film
from framework.inspection.overlay import BARS, CHOSEN, GAP, OTHER, Overlay, Scale
from framework.inspection.screens import VideoFile, Window
from framework.spaces import MASK, WHOLE, Record
from framework.training.loop import Loop

NAMES = ("left", "right", "a name that is far too long for its column")

IMAGEIO = "ignore::pytest.PytestUnraisableExceptionWarning"
"""imageio leaves it to the garbage collector to close its pipes to ffmpeg."""


@pytest.fixture(scope="module")
def chain() -> Parts:
    parts = assemble("tabular,chain", {"run.steps": 300})
    Loop(parts).run()
    parts.close()
    return parts


def test_the_moments_are_the_episode_with_its_last_picture(chain: Parts) -> None:
    found = list(moments(chain, 2))
    assert [moment.decision is None for moment in found] == [False, False, True] * 2
    env = ChainEnv(render_mode="rgb_array")
    for first in (0, 3):
        env.reset()
        for moment in found[first : first + 3]:
            assert np.array_equal(moment.picture, env.render())
            if moment.decision is not None:
                assert moment.decision.obs.tolist() == [env._state]
                expected = chain.policy.action_values(moment.decision.obs, explore=False)[0]
                assert np.array_equal(moment.decision.values, expected)
                env.step(moment.decision.action)
        assert [moment.total for moment in found[first : first + 3]] == [0.0, 0.0, 2.0]


def bars(drawn: np.ndarray, overlay: Overlay, left: int, action: int) -> dict[tuple[int, int, int], list[int]]:
    """Colour → the pixels of the axis that it fills in the middle of an action's bar."""
    axis = left + overlay.column
    row = drawn[overlay.top(action) + 5, axis : axis + BARS + 1]
    return {colour: np.flatnonzero((row == colour).all(axis=1)).tolist() for colour in (CHOSEN, OTHER)}


@given(values=hnp.arrays(np.float32, 3, elements=st.floats(-50, 50, width=32)), action=st.integers(0, 2))
def test_a_bar_reaches_from_zero_to_its_value(values: np.ndarray, action: int) -> None:
    overlay, scale = Overlay(NAMES), Scale.of(values)
    picture = np.zeros((320, 100, 3), np.uint8)
    drawn = overlay.draw([picture], Decision(np.zeros(1, np.int64), values, action), scale)
    assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    assert np.array_equal(drawn[:320, :100], picture)
    span = scale.high - scale.low
    for number, value in enumerate(values.astype(np.float64)):
        found = bars(drawn, overlay, 100 + GAP, number)
        mine, other = (CHOSEN, OTHER) if number == action else (OTHER, CHOSEN)
        assert not found[other]
        ends = sorted(((0 - scale.low) / span * BARS, (value - scale.low) / span * BARS))
        # the line of 0 is drawn over the bar
        assert not found[mine] or (abs(found[mine][0] - ends[0]) <= 1.6 and abs(found[mine][-1] - ends[1]) <= 1.6)
        assert found[mine] or ends[1] - ends[0] <= 1.6


def test_the_bars_of_a_film_are_the_action_values_of_the_recorded_observations(chain: Parts) -> None:
    frames = frames_of(chain, 50)
    drawn = draw_film(chain, frames)
    assert len({picture.shape for picture in drawn}) == 1
    values = [chain.policy.action_values(f.moment.decision.obs, explore=False)[0] for f in frames if f.moment.decision]
    scale, overlay = Scale.of(np.concatenate(values)), Overlay(["left", "right"])
    left = frames[0].moment.picture.shape[1] * 4 + GAP
    for picture, row in zip(drawn, values, strict=False):
        for action, value in enumerate(row):
            found = [pixel for pixels in bars(picture, overlay, left, action).values() for pixel in pixels]
            assert abs(max(found) - scale.place(max(value, 0.0))) <= 1
    empty = bars(drawn[-1], overlay, left, 1)
    assert not empty[CHOSEN] and not empty[OTHER], "nobody chooses anything at the end"


def test_an_action_that_is_not_allowed_has_no_bar() -> None:
    obs = np.zeros(1, Record({WHOLE: __import__("gymnasium").spaces.Discrete(2)}, 3).dtype)
    obs[MASK] = [True, False, True]
    overlay = Overlay(NAMES)
    drawn = overlay.draw(
        [np.zeros((320, 10, 3), np.uint8)], Decision(obs, np.array([1.0, 5.0, 2.0]), 2), Scale(0.0, 5.0)
    )
    assert not any(bars(drawn, overlay, 10 + GAP, 1).values())
    assert bars(drawn, overlay, 10 + GAP, 2)[CHOSEN]


@pytest.mark.parametrize("values", [[np.nan, 1.0], [np.inf, -np.inf], [0.0, 0.0], [1e30, -1e30], [3.0, 3.0]])
def test_strange_values_are_drawn_all_the_same(values: list[float]) -> None:
    decision = Decision(np.zeros(1, np.int64), np.array(values), 0)
    drawn = Overlay(["a", "b"]).draw([np.zeros((20, 20), np.uint8)], decision, Scale.of(values))
    assert drawn.dtype == np.uint8 and drawn.ndim == 3


@pytest.mark.filterwarnings(IMAGEIO)
def test_a_film_is_a_gif_without_the_extra(chain: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = draw_film(chain, frames_of(chain, 50))
    monkeypatch.setattr(films, "has_video", lambda: False)
    path = write_film(drawn, 4, tmp_path, "film")
    assert path.name == "film.gif" and len(imageio.mimread(path)) == len(drawn)
    monkeypatch.setattr(films, "has_video", lambda: True)
    path = write_film(drawn, 4, tmp_path, "film")
    assert path.name == "film.mp4" and len(imageio.mimread(path)) == len(drawn)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["film.gif", "film.mp4"]


def test_an_old_video_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    path.write_text("old")
    video = VideoFile(path)
    video.add(np.zeros((8, 8, 3), np.uint8), 4)
    assert path.read_text() == "old"
    video.close()
    assert path.read_bytes()[:3] == b"GIF"
    VideoFile(path).close()
    assert [one.name for one in tmp_path.iterdir()] == ["film.gif"], "a video without pictures writes nothing"


@pytest.mark.filterwarnings(IMAGEIO)
def test_pictures_of_two_sizes_are_refused_and_leave_the_old_video(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("old")
    video = VideoFile(path)
    video.add(np.zeros((16, 16, 3), np.uint8), 4)
    with pytest.raises(UsageError, match=r"\(18, 16\) follows pictures of \(16, 16\)"):
        video.add(np.zeros((18, 16, 3), np.uint8), 4)
    video.close()
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("make", [lambda path: VideoFile(path / "x.txt"), lambda path: VideoFile(path)])
def test_a_name_that_is_no_video_is_refused(make: Callable[[Path], VideoFile], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the name must end in"):
        make(tmp_path)


def test_a_folder_with_a_videos_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gif").mkdir()
    with pytest.raises(UsageError, match="this is a folder"):
        VideoFile(tmp_path / "x.gif")


def test_a_window_shows_each_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SDL_VIDEODRIVER", "SDL_AUDIODRIVER"):
        monkeypatch.setitem(os.environ, name, "dummy")
    monkeypatch.setitem(os.environ, "DISPLAY", ":0")
    window = Window()
    for level in (10, 200):
        window.add(np.full((20, 30, 3), level, np.uint8), 1_000)
        surface = __import__("pygame").display.get_surface()
        assert surface.get_size() == (30, 20) and surface.get_at((5, 5))[0] == level
    window.close()


def test_a_refusal_of_the_system_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "has_video", lambda: False)
    with pytest.raises(FrameworkError, match="gone"):
        write_film([np.zeros((4, 4, 3), np.uint8)], 4, tmp_path / "gone", "film")


@pytest.mark.parametrize("rate", [1.0, 15.0, 30.0, 60.0, 1000.0])
def test_a_gif_has_whole_hundredths_of_a_second_and_not_fewer_than_two(rate: float) -> None:
    milliseconds = _gif_milliseconds(rate)
    assert milliseconds % 10 == 0 and milliseconds >= 20
    assert rate > 50 or abs(milliseconds - 1000 / rate) <= 5
