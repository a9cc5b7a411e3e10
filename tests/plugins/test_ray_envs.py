"""Environments in actors give the same run, bit for bit, also where actors die or hang; what cannot work is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import framework
from framework.assembly.manager import PluginError
from framework.environments.edge import Edge
from framework.errors import UsageError
from plugins.ray_envs.options import RayEnvsOptions
from plugins.ray_envs.vector import RemoteEnvs
from plugins.remote import Recipe
from tests.framework.checkpoints.pieces import left_behind

pytestmark = pytest.mark.usefixtures("no_figures", "ray_here")

ACTORS = {"ray_envs.actors": 2, "ray_envs.cores": 0.1}

MISBEHAVES = """
import os, signal, time
import gymnasium
from framework.hooks import hookimpl

class Wrapped(gymnasium.Wrapper):
    steps = 0
    def step(self, action):
        Wrapped.steps += 1
        if Wrapped.steps {when} and not os.path.exists({marker!r}):
            {once}
            {misbehaviour}
        return super().step(action)

@hookimpl
def env_wrapper():
    return Wrapped
"""


def left(run: Path) -> dict[str, Any]:
    """What a run left behind, without the number of actors that were replaced."""
    found = left_behind(run)
    for row in found["rows"]:
        row.pop("stream/actors_replaced", None)
    return found


@pytest.mark.parametrize(
    "names",
    [
        "dqn,cartpole",
        *(
            pytest.param(names, marks=pytest.mark.slow)
            for names in ("tabular,grid", "dqn,nstep,per,gym:FrozenLake-v1", "tabular,sarsa,chain")
        ),
    ],
)
def test_the_run_is_the_one_without_actors(names: str, tmp_path: Path) -> None:
    values = {"run.num_envs": 3, "run.steps": 150, "run.until": None, "evaluation.every": 60, "evaluation.episodes": 2}
    values |= {"run.deterministic": True, "record.info": ["sum:prob"] if "gym:" in names else []}
    framework.train(framework.assemble(names, values), tmp_path / "here")
    framework.train(framework.assemble(f"{names},ray_envs", {**values, **ACTORS}), tmp_path / "there")
    assert left(tmp_path / "there") == left(tmp_path / "here")
    assert (tmp_path / "there" / "trace.bin").read_bytes() == (tmp_path / "here" / "trace.bin").read_bytes()


@pytest.mark.slow
def test_a_run_in_pieces_is_the_run_in_one_piece(tmp_path: Path) -> None:
    """In its second piece, the run has another number of actors."""
    names, values = "dqn,cartpole", {"run.num_envs": 3, "run.until": None, "checkpoint.every": 60}
    framework.train(framework.assemble(names, {**values, "run.steps": 240}), tmp_path / "here")
    framework.train(framework.assemble(f"{names},ray_envs", {**values, **ACTORS, "run.steps": 120}), tmp_path / "there")
    framework.resume(tmp_path / "there", {"run.steps": 240, "ray_envs.actors": 1, "ray_envs.seconds": 50.0})
    assert left(tmp_path / "there") == left(tmp_path / "here")


def written(tmp_path: Path, misbehaviour: str, *, once: bool = True) -> tuple[Path, Path]:
    """A plugin whose environments misbehave at the thirtieth step of a process, and the file that prevents it."""
    plugin, marker = tmp_path / "mine.py", tmp_path / "fixed"
    touch = f"open({str(marker)!r}, 'w').close()" if once else "pass"
    plugin.write_text(
        MISBEHAVES.format(misbehaviour=misbehaviour, marker=str(marker), once=touch, when="== 30" if once else ">= 1")
    )
    return plugin, marker


@pytest.mark.slow
@pytest.mark.parametrize(
    ("misbehaviour", "said"),
    [
        ("os.kill(os.getpid(), 9)", "has ended (ActorDiedError)"),
        ("os._exit(5)", "has ended (ActorDiedError)"),
        ("time.sleep(600)", "did not answer within 3 seconds"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", "did not answer within 3 seconds"),
    ],
)
def test_a_lost_actor_is_replaced_and_the_run_stays_the_same(
    misbehaviour: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plugin, marker = written(tmp_path, misbehaviour)
    names, values = f"tabular,chain,{plugin}", {"run.num_envs": 3, "run.steps": 300}
    there = {**values, **ACTORS, "ray_envs.seconds": 3.0}
    framework.train(framework.assemble(f"{names},ray_envs", there), tmp_path / "there")
    assert marker.exists()
    framework.train(framework.assemble(names, values), tmp_path / "here")
    assert left(tmp_path / "there") == left(tmp_path / "here")
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "ray" not in line.lower()]
    assert line.startswith("warning: the actor of environment")
    assert line.endswith(f"{said}: another one plays its episodes again")
    learning = [row for row in left_behind(tmp_path / "there")["rows"] if row["kind"] == "learning"]
    assert learning[-1]["stream/actors_replaced"] == 1


@pytest.mark.slow
def test_an_environment_that_always_ends_its_process_ends_the_run(tmp_path: Path) -> None:
    plugin, _ = written(tmp_path, "os._exit(5)", once=False)
    parts = framework.assemble(f"tabular,chain,{plugin},ray_envs", {"run.num_envs": 2, "run.steps": 200, **ACTORS})
    with pytest.raises(PluginError, match=r"environment [01]: 3 actors in a row were lost"):
        framework.train(parts, tmp_path / "run")


def test_an_error_of_an_environment_is_the_error_of_the_run(tmp_path: Path) -> None:
    plugin, _ = written(tmp_path, "raise ValueError('no way')")
    parts = framework.assemble(f"tabular,chain,{plugin},ray_envs", {"run.num_envs": 2, "run.steps": 200, **ACTORS})
    with pytest.raises(PluginError, match=r"environment [01]: ValueError: no way"):
        framework.train(parts, tmp_path / "run")


@pytest.mark.slow
def test_ctrl_c_finishes_the_step_and_leaves_no_process(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = [sys.executable, "-m", "framework", "run", "--plugins", "tabular,chain,ray_envs", "--run-dir", str(run)]
    words += ["--num-envs", "2", "--steps", "100000000", "--set", "checkpoint.every=100000000"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True) as process:
        for _ in range(1200):
            if (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").stat().st_size:
                break
            assert process.poll() is None, process.stderr and process.stderr.read()
            subprocess.run(["sleep", "0.05"], check=True)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert (run / "last.safetensors").exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


# ── The vector environment itself ────────────────────────────────────────────────────────────────


class Counting(gymnasium.Env[Any, Any]):
    """Observations of several parts that say how far the episode is; its length depends on the seed and the actions.

    Without a seed, an episode depends on the last one and on the resets since.
    """

    observation_space = Dict(
        {
            "place": Discrete(1000),
            "pair": Tuple((Box(-1, 1, (2,), np.float32), Discrete(7))),
        }
    )
    action_space = MultiDiscrete([3, 2])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if seed is not None:
            self.starts = np.random.default_rng(seed)
        super().reset(seed=int(self.starts.integers(2**31)))
        self.steps, self.sum = 0, 0
        return self._shown(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        self.sum += int(action[0]) + 3 * int(action[1])
        end = bool(self.np_random.random() < 0.1)
        return self._shown(), float(self.sum), end, not end and self.steps > 8, {"life_lost": self.sum % 3 == 0}

    def _shown(self) -> Any:
        noise = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return {"place": 10 * self.steps + self.sum % 10, "pair": (noise, self.sum % 7)}


PLUGIN = """
from framework.hooks import hookimpl
from tests.plugins.test_ray_envs import Counting

@hookimpl
def make_env():
    return Counting
"""

Move = tuple[str, int]
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(0, 2**31)),
        st.tuples(st.just("begin"), st.integers(1, 6)),  # some of three environments, by the bits
        st.tuples(st.just("kill"), st.integers(0, 1)),
    ),
    min_size=4,
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=3, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_it_shows_what_environments_in_this_process_show(moves: list[Move], tmp_path: Path) -> None:
    """Whatever is stepped, begun anew with and without seeds, and killed: every array and every info is the same."""
    (tmp_path / "counting.py").write_text(PLUGIN)
    recipe = Recipe(["tabular", str(tmp_path / "counting.py")], {})
    here = SyncVectorEnv([lambda: Edge(Counting())] * 3, autoreset_mode=AutoresetMode.DISABLED)
    there = RemoteEnvs(recipe, 3, 2, RayEnvsOptions(cores=0.1), [0, 1, 2], {})
    try:
        seeds = [5, 6, 7]
        same(here.reset(seed=seeds), there.reset(seed=seeds))
        for number, (kind, value) in enumerate(moves):
            if kind == "kill":
                kill(there._hosts[value].actor)
                continue
            if kind == "begin":
                begun = np.array([bool(value >> bit & 1) for bit in range(3)])
            else:
                actions = np.random.default_rng(value).integers([3, 2], size=(3, 2))
                one, other = here.step(actions), there.step(actions)
                same(one, other)
                begun = one[2] | one[3]
            if begun.any():
                seeds = [seed + 10 * number for seed in seeds]
                given = seeds if number % 2 else [None] * 3
                same(
                    here.reset(seed=given, options={"reset_mask": begun.copy()}),
                    there.reset(seed=given, options={"reset_mask": begun.copy()}),
                )
    finally:
        there.close()


def kill(actor: Any) -> None:
    """`kill -9`, unless the actor is dead already."""
    import ray

    with suppress(ray.exceptions.RayError):
        os.kill(ray.get(actor.process.remote()), signal.SIGKILL)


def same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    else:
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        ("tabular,chain", {"run.env_processes": True}, "both put the environments into processes"),
        ("tabular,chain", {"ray_envs.address": "ray://127.0.0.1:9"}, "is for clients outside of a cluster"),
        ("tabular,chain", {"ray_envs.actors": 5}, r"actors = 5 is more than run.num_envs = 2"),
        ("tabular,chain", {"ray_envs.actors": 2, "ray_envs.cores": 100}, "need 200 cores, and the cluster has"),
    ],
)
def test_what_cannot_work_is_refused(names: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        framework.assemble(f"{names},ray_envs", {"run.num_envs": 2, **values})


def test_a_vector_environment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vector.py").write_text(
        "import gymnasium\n"
        "from framework.hooks import hookimpl\n"
        "@hookimpl\n"
        "def make_env(num_envs): return gymnasium.make_vec('CartPole-v1', num_envs, vectorization_mode='sync')\n"
    )
    with pytest.raises(UsageError, match="vector makes a vector environment: drop ray_envs"):
        framework.assemble(f"dqn,{tmp_path / 'vector.py'},ray_envs")


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"ray_envs needs ray: pip install 'pluggable-q\[ray\]'"):
        framework.assemble("tabular,chain,ray_envs")


def test_evaluations_play_in_this_process(tmp_path: Path) -> None:
    parts = framework.assemble("tabular,chain,ray_envs", {"ray_envs.cores": 0.1})
    try:
        stream = parts.open_stream("evaluate", 2, "mine")
        assert isinstance(stream.env, SyncVectorEnv)
        stream.close()
    finally:
        parts.close()
