"""What is tried before a run: whether episodes repeat, and whether self-resetting environments end them truly."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import framework
from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.recording import load_state
from framework.training import trial
from framework.training.trial import WARNING, warning_of
from tests.waiting import wait_for

LENGTHENING = """
import gymnasium
from framework.hooks import hookimpl

class Lengthening(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(20), gymnasium.spaces.Discrete(2)
    length = 2

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.time = self.length, 0
        return self.place, {}

    def step(self, action):
        self.place, self.time = max(0, min(19, self.place + (1 if action else -1))), self.time + 1
        won = self.place == 0
        if won:
            self.length = min(19, self.length + 1)
        return self.place, float(won), won, self.time >= 60, {}

@hookimpl
def make_env(): return Lengthening
"""


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    path = tmp_path / "lengthening.py"
    path.write_text(LENGTHENING)
    return str(path)


@pytest.mark.parametrize("names", ["tabular,chain", "tabular,grid", "dqn,cartpole", "dqn,tests.stand_ins.rooms"])
def test_of_environments_that_repeat_their_episodes_nothing_is_said(names: str) -> None:
    parts = assemble(names, {"run.steps": 10})
    assert warning_of(parts) is None
    parts.close()


def test_of_others_it_is_said_before_the_first_step(plugin: str) -> None:
    parts = assemble(f"tabular,{plugin}", {"run.steps": 10})
    assert warning_of(parts) == WARNING
    parts.close()
    unsaved = assemble(f"tabular,{plugin}", {"run.steps": 10, "checkpoint.every": 0})
    assert warning_of(unsaved) is None
    unsaved.close()


def test_a_trial_that_takes_too_long_is_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.02)
    stopped: list[bool] = []

    def attempt(over: threading.Event) -> None:
        stopped.append(over.wait(20))

    trial._try(attempt)
    wait_for(lambda: stopped)
    assert stopped == [True]


def test_a_run_goes_on_with_new_episodes_if_it_is_forced(
    plugin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    framework.train(framework.assemble(f"tabular,{plugin}", {"run.steps": 2_000, "run.num_envs": 2}), run)
    before = load_state(run / "last.safetensors")["table"]
    with pytest.raises(UsageError, match=r"Lengthening does not repeat an episode .* new episodes \(--force\)"):
        framework.resume(run, {"run.steps": 2_500})
    outcome = framework.resume(run, {"run.steps": 2_500}, force=True)
    assert "new ones begin" in capsys.readouterr().err
    assert outcome.counters.env_steps == 2_500
    after = load_state(run / "last.safetensors")["table"]
    assert (before != 0).sum() <= (after != 0).sum()  # what was learnt has been kept


SELF_RESETTING = """
import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from framework.hooks import hookimpl

class Corridor(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(4), gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 0
        return self.place, {}

    def step(self, action):
        self.place += 1
        return self.place, 1.0, self.place == 3, False, {}

class Vector(SyncVectorEnv):
    def step(self, actions):
        *rest, info = super().step(actions)
        return *rest, {key: value for key, value in info.items() if key not in HIDDEN}

@hookimpl
def make_env(num_envs):
    return Vector([Corridor] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
"""


@pytest.mark.parametrize("hidden", [(), ("final_obs",)])
def test_an_episode_without_its_last_observation_is_refused_before_the_run(
    hidden: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "corridors.py"
    path.write_text(f"HIDDEN = {hidden!r}\n{SELF_RESETTING}")
    parts = framework.assemble(f"tabular,{path}", {"run.steps": 20, "run.num_envs": 2})
    if not hidden:
        assert framework.train(parts, tmp_path / "run").counters.env_steps == 20
        return
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with pytest.raises(UsageError, match="SAME_STEP, and their info has no 'final_obs'"):
        framework.train(parts, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert parts.counters.env_steps == 0
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
