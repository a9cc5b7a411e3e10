"""What a replay holds: counts and temporal-difference errors against the transitions themselves."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import framework
from framework.errors import UsageError
from framework.events import Callback
from framework.inspection.galleries import draw_mistakes, draw_visits, row_of, write_mistakes
from framework.inspection.replayed import contents_of
from framework.training.agents import load
from framework.types import Counters, Mirror, Step
from plugins.mirror.buffer import MirroredBuffer


class Seen(Callback):
    """Every transition of a run in plain lists."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, float, bool, int]] = []

    def on_step(self, step: Step, counters: Counters) -> None:
        for row in range(len(step)):
            end = bool(step.terminated[row])
            self.rows.append(
                (int(step.obs[row]), int(step.action[row]), float(step.reward[row]), end, int(step.next_obs[row]))
            )


def trained(folder: Path, names: str, **values: object) -> Seen:
    seen = Seen()
    parts = framework.assemble(names, {key.replace("__", "."): value for key, value in values.items()})
    framework.train(parts, folder, callbacks=[seen])
    return seen


@pytest.mark.parametrize("envs", [1, 3])
@pytest.mark.parametrize("names", ["tabular,chain", "dqn,chain", "tabular,sarsa,grid"])
def test_counts_and_errors_are_those_of_the_transitions(names: str, envs: int, tmp_path: Path) -> None:
    seen = trained(tmp_path / "r", names, run__steps=120, run__num_envs=envs)
    agent = load(tmp_path / "r")
    contents, remarks = contents_of(agent, tmp_path / "r", 10_000, 1_000)
    assert contents is not None and contents.counts is not None and not remarks
    # sarsa waits for the next action, so the newest transition of each environment may not be whole yet
    waiting = 1 if "sarsa" in names else 0
    assert 0 <= len(seen.rows) - contents.held <= waiting * envs
    if not waiting:
        expected = np.bincount([row[0] for row in seen.rows], minlength=len(contents.counts))
        assert np.array_equal(contents.counts, expected)
        best = {int(visit.obs[0]): visit.count for visit in contents.visits}
        assert best == {state: count for state, count in enumerate(expected) if count}
    q = agent.policy.action_values(np.arange(len(contents.counts)), explore=False).astype(np.float64)
    errors = {row: row[2] + (0.0 if row[3] else 0.9 * q[row[4]].max()) - q[row[0], row[1]] for row in seen.rows}
    for one in contents.mistakes:
        row = (int(one.obs[0]), one.action, one.reward, one.discount == 0, int(one.next_obs[0]))
        assert one.error == pytest.approx(errors[row], abs=1e-6)
        assert one.predicted == pytest.approx(q[row[0], row[1]])
    sizes = [abs(one.error) for one in contents.mistakes]
    assert sizes == sorted(sizes, reverse=True)
    if not waiting:
        assert len(sizes) == sum(abs(error) > 1e-6 for error in errors.values()) or "dqn" not in names


def test_the_newest_transitions_are_read_and_the_rest_is_counted(tmp_path: Path) -> None:
    seen = trained(tmp_path / "r", "tabular,chain", run__steps=90)
    agent = load(tmp_path / "r")
    contents, _ = contents_of(agent, tmp_path / "r", 25, 3)
    assert contents is not None and contents.counts is not None
    assert (contents.held, contents.read, contents.env_steps) == (len(seen.rows), 25, 90)
    assert np.array_equal(contents.counts, np.bincount([row[0] for row in seen.rows[-25:]], minlength=5))
    assert len(contents.visits) <= 3


def test_images_become_pictures_and_a_table(tmp_path: Path) -> None:
    parts = framework.assemble("dqn,minatar", {"run.steps": 60, "run.num_envs": 2})
    framework.train(parts, tmp_path / "r")
    agent = load(tmp_path / "r")
    contents, _ = contents_of(agent, tmp_path / "r", 1_000, 4)
    assert contents is not None and contents.counts is None
    assert len(contents.mistakes) == 4
    for figure in (draw_visits(contents, agent.spaces, "r"), draw_mistakes(contents, agent.spaces, "r")):
        assert figure is not None and len([axes for axes in figure.axes if axes.images]) in (len(contents.visits), 8)
    path = write_mistakes(tmp_path / "mistakes.csv", contents, agent.spaces)
    header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    assert header[-1] == "TD error" and [float(row[-1]) for row in rows] == [one.error for one in contents.mistakes]
    assert row_of(contents.mistakes[0], agent.spaces)[1] == "4×10×10 uint8"


def test_a_packed_replay_with_priorities_and_longer_windows_is_read_whole(tmp_path: Path) -> None:
    seen = trained(tmp_path / "r", "dqn,per,packed,nstep,chain", run__steps=100, run__num_envs=1)
    contents, _ = contents_of(load(tmp_path / "r"), tmp_path / "r", 1_000, 5)
    assert contents is not None and contents.counts is not None
    assert 0 <= len(seen.rows) - contents.held <= 2, "the windows of the last steps are not whole"


class Inner:
    """A buffer that can be read, and nothing else."""

    def ids(self) -> np.ndarray:
        return np.arange(3)

    def read(self, ids: np.ndarray) -> str:
        return f"read {ids.tolist()}"


def test_a_mirrored_buffer_is_read_as_the_buffer_inside() -> None:
    mirror, generator = Mirror(-1, (1, 0)), np.random.default_rng(0)
    state = generator.bit_generator.state
    mirrored = MirroredBuffer(Inner(), mirror, generator)
    assert mirrored.ids().tolist() == [0, 1, 2] and mirrored.read(np.array([2])) == "read [2]"
    assert MirroredBuffer(object(), mirror, generator).ids().tolist() == []
    assert generator.bit_generator.state == state, "nothing is drawn"


def test_where_there_is_no_replay_the_reason_is_told(tmp_path: Path) -> None:
    trained(tmp_path / "none", "tabular,chain", run__steps=20, checkpoint__every=0)
    contents, remarks = contents_of(load(tmp_path / "none"), tmp_path / "none", 10, 3)
    assert contents is None and "no checkpoints" in remarks[0]
    trained(tmp_path / "pqn", "pqn,chain", run__steps=300)
    contents, remarks = contents_of(load(tmp_path / "pqn"), tmp_path / "pqn", 10, 3)
    assert contents is None and "the buffer of 'pqn' keeps no transitions" in remarks[-1]


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    trained(tmp_path / "r", "tabular,chain", run__steps=20)
    for state in (tmp_path / "r").rglob("state.safetensors"):
        state.write_bytes(state.read_bytes()[:50])
    with pytest.raises(UsageError, match="no checkpoint is intact"):
        contents_of(load(tmp_path / "r"), tmp_path / "r", 10, 3)
