"""Films of a run show the weights that were evaluated, and the run learns the same without them."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import framework
from framework.assembly.parts import RunInfo
from framework.errors import UsageError
from framework.events import Callback, EvaluationResult
from framework.types import Counters
from plugins.video import Films, VideoOptions
from tests.framework.recording.test_metrics import events

pytestmark = [
    pytest.mark.usefixtures("no_figures"),
    # imageio leaves it to the garbage collector to close its pipes to ffmpeg
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

VALUES: dict[str, Any] = {
    "run.steps": 600,
    "run.until": None,
    "evaluation.every": 200,
    "evaluation.episodes": 2,
    "learning.starts": 50,
}


def pictures(path: Path) -> int:
    import imageio

    return len(imageio.mimread(path))


def test_every_second_evaluation_is_filmed_and_learning_stays_the_same(tmp_path: Path) -> None:
    given = {**VALUES, "video.every": 2, "video.values": True}
    with_films = framework.assemble("dqn,cartpole,video", given)
    framework.train(with_films, tmp_path / "run")
    without = framework.assemble("dqn,cartpole", VALUES)
    framework.train(without, tmp_path / "plain")
    assert sorted(path.name for path in (tmp_path / "run/videos").iterdir()) == ["200.mp4", "600.mp4"]
    assert all(pictures(path) > 5 for path in (tmp_path / "run/videos").iterdir())
    for name, array in without.policy.state_dict()["online"].items():
        np.testing.assert_array_equal(array, with_films.policy.state_dict()["online"][name])


def test_evaluations_are_counted_and_not_their_steps(tmp_path: Path) -> None:
    values = {"run.num_envs": 2, "run.steps": 12, "evaluation.every": 1, "evaluation.episodes": 1, "video.every": 3}
    framework.train(framework.assemble("tabular,grid,video", values), tmp_path / "run")
    assert sorted(int(path.stem) for path in (tmp_path / "run/videos").iterdir()) == [2, 8]


def test_tensorboard_gets_each_film(tmp_path: Path) -> None:
    framework.train(framework.assemble("dqn,cartpole,video", VALUES), tmp_path / "run")
    (file,) = (tmp_path / "run").glob("events.out.tfevents.*")
    found = {
        event.step: value.image
        for event in events(file)
        for value in event.summary.value
        if value.tag == "videos/agent"
    }
    assert list(found) == [200, 400, 600]
    for image in found.values():
        film = Image.open(io.BytesIO(image.encoded_image_string))
        assert film.size == (image.width, image.height)
        assert film.n_frames > 1


def films(folder: Path, **options: Any) -> tuple[Films, Any]:
    parts = framework.assemble("dqn,cartpole", VALUES)
    made = Films(parts, VideoOptions(**options), folder)
    made.on_start(Counters())
    return made, parts


@pytest.mark.parametrize("late", [True, False])
def test_a_film_is_of_the_evaluated_weights(late: bool, tmp_path: Path) -> None:
    made, parts = films(tmp_path / "videos")
    newest = parts.policy.state_dict()
    older = {**newest, "online": {name: 0 * array for name, array in newest["online"].items()}}
    made.on_evaluation(EvaluationResult((1.0,), (1,), 1, 0.0, 1.0, weights=older if late else None), Counters(200))
    parts.close()
    shown = made._agent.policy.state_dict()["online"]
    for name, array in (older if late else newest)["online"].items():
        np.testing.assert_array_equal(shown[name], array)
    assert (tmp_path / "videos/200.mp4").stat().st_size > 0


def test_a_confirmation_is_not_filmed_again(tmp_path: Path) -> None:
    made, parts = films(tmp_path / "videos")
    made.on_evaluation(EvaluationResult((1.0,), (1,), 1, 0.0, 1.0, confirmation=True), Counters(200))
    parts.close()
    assert list((tmp_path / "videos").iterdir()) == []


class Emptying(Callback):
    """Removes the folder of the films before the second evaluation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_step(self, step: Any, counters: Counters) -> None:
        if counters.env_steps == 300:
            shutil.rmtree(self._folder)


def test_a_film_that_cannot_be_written_does_not_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = framework.assemble("dqn,cartpole,video", VALUES)
    outcome = framework.train(parts, tmp_path / "run", callbacks=[Emptying(tmp_path / "run/videos")])
    assert outcome.counters.env_steps == 600
    warning = capsys.readouterr().err
    assert "plugin 'video'" in warning and "the run continues without its Films" in warning


BLIND = """
import gymnasium
from framework.hooks import hookimpl

class Blind(gymnasium.Env):
    metadata = {"render_modes": []}
    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 1, 1.0, True, False, {}

@hookimpl
def make_env():
    return Blind
"""


def test_what_cannot_be_filmed_is_refused_before_the_first_step(tmp_path: Path) -> None:
    (tmp_path / "blind.py").write_text(BLIND)
    parts = framework.assemble(f"tabular,{tmp_path / 'blind.py'},video", {"run.steps": 50, "evaluation.every": 10})
    with pytest.raises(UsageError, match="draws no pictures"):
        framework.train(parts, tmp_path / "run")
    assert parts.counters.env_steps == 0
    unevaluated = framework.assemble("tabular,chain,video", {"run.steps": 50})
    with pytest.raises(UsageError, match="video films evaluations, and the run has none"):
        framework.train(unevaluated, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_without_a_folder_nothing_is_filmed() -> None:
    import plugins.video as plugin

    parts = framework.assemble("tabular,chain,video", {"run.steps": 50, "evaluation.every": 10})
    assert plugin.make_callbacks(parts.config, RunInfo(parts, None, False)) == []
    parts.close()
