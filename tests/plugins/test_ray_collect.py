"""Collection by actors: what the learner sees really happened, once, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import framework
from framework.assembly.manager import PluginError
from framework.config import Source
from framework.errors import UsageError
from framework.events import Callback, Episode
from framework.recording import read_rows
from framework.training.resume import reopen
from framework.training.run import train
from framework.types import Batch, Counters, Step, TDErrors
from plugins.ray_collect.collector import ActorCollector
from plugins.ray_collect.ladder import epsilon

pytestmark = pytest.mark.usefixtures("no_figures", "ray_here")

ACTORS = {"run.num_envs": 4, "ray_collect.actors": 2, "ray_collect.cores": 0.1, "ray_collect.fragment": 10}


class Numbered(gymnasium.Env[Any, Any]):
    """Shows (its episode's number, the step), so that every frame says where it belongs."""

    observation_space = gymnasium.spaces.Box(0, 2**62, (2,), np.int64)
    action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        assert seed is not None
        self.episode, self.steps = seed, 0
        return np.array([self.episode, 0]), {}

    def step(self, action: int) -> Any:
        paid = pays(self.episode, self.steps, action)
        self.steps += 1
        length, kind = fate(self.episode)
        over = self.steps == length
        return np.array([self.episode, self.steps]), paid, over and kind == 0, over and kind == 1, {}


def fate(episode: int) -> tuple[int, int]:
    """How many steps an episode has, and whether it terminates (0) or is truncated (1)."""
    return 1 + episode % 23, episode // 23 % 2


def pays(episode: int, step: int, action: int) -> float:
    return float((episode * 31 + step * 7 + action) % 101) / 10


PLUGIN = """
from framework.hooks import hookimpl
from tests.plugins.test_ray_collect import Numbered

@hookimpl
def make_env():
    return Numbered
"""


class Ledger(Callback):
    """Holds every step and every batch against what the environment does."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.seen: dict[tuple[int, int], int] = {}
        self.current: dict[int, tuple[int, int] | None] = {}
        self.lost = self.rows = self.learnt = self.reported = 0

    def on_step(self, step: Step, counters: Counters) -> None:
        assert step.env_id.tolist() == sorted(set(step.env_id.tolist()))
        self.rows += len(step)
        assert counters.env_steps == self.rows
        for row, env in enumerate(step.env_id.tolist()):
            episode, number = step.obs[row].tolist()
            assert (episode, number) not in self.seen
            action = int(step.action[row])
            self.seen[episode, number] = action
            assert step.next_obs[row].tolist() == [episode, number + 1]
            assert step.reward[row] == step.raw_reward[row] == pays(episode, number, action)
            length, kind = fate(episode)
            over = number + 1 == length
            assert (step.terminated[row], step.truncated[row]) == (over and kind == 0, over and kind == 1)
            before = self.current.get(env)
            lost = bool(step.lost is not None and step.lost[row])
            assert step.first[row] == (number == 0)
            assert lost == (before is not None and number == 0)
            if number:
                assert before == (episode, number)
            self.lost += lost
            self.current[env] = None if over else (episode, number + 1)

    def on_episode(self, episode: Any, counters: Counters) -> None:
        self.reported += 1
        steps = [key for key in self.seen if fate(key[0])[0] == episode.length]
        totals = {}
        for number, step in steps:
            totals[number] = totals.get(number, 0.0) + pays(number, step, self.seen[number, step])
        assert any(abs(total - episode.raw_return) < 1e-6 for total in totals.values())

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        self.learnt += len(batch)
        for row in range(len(batch)):
            episode, number = batch.obs[row].tolist()
            after, last = batch.next_obs[row].tolist()
            length, kind = fate(episode)
            assert after == episode and last == min(number + self.n, length)
            assert batch.action[row] == self.seen[episode, number]
            true = sum(
                0.9 ** (step - number) * pays(episode, step, self.seen[episode, step]) for step in range(number, last)
            )
            assert batch.reward[row] == pytest.approx(true)
            terminated = last == length and kind == 0
            assert batch.discount[row] == pytest.approx(0.0 if terminated else 0.9 ** (last - number))


class Chaos(Callback):
    """Kills, or stops, the process of an actor now and then."""

    def __init__(self, collector: ActorCollector, sent: list[int], every: int) -> None:
        self.collector, self.sent, self.every = collector, sent, every
        self.done = 0

    def on_step(self, step: Step, counters: Counters) -> None:
        if self.sent and counters.env_steps > (self.done + 1) * self.every:
            self.done += 1
            member = self.collector._members[self.done % len(self.collector._members)]
            if member.process and not member.fresh:
                os.kill(member.process, self.sent.pop())


def parts_of(tmp_path: Path, values: dict[str, Any], more: str = "") -> Any:
    (tmp_path / "numbered.py").write_text(PLUGIN)
    given = {"run.steps": 1500, "returns.gamma": 0.9, "nstep.n": 3, "replay.capacity": 4000, **ACTORS, **values}
    return framework.assemble(f"dqn,nstep,{tmp_path / 'numbered.py'},ray_collect{more}", given)


def test_the_learner_sees_what_happened(tmp_path: Path) -> None:
    parts, ledger = parts_of(tmp_path, {}, ",per"), Ledger(3)
    framework.train(parts, tmp_path / "run", callbacks=[ledger])
    assert ledger.rows >= 1500 and ledger.learnt > 1000 and not ledger.lost
    learning = [row for row in read_rows(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "learning"]
    assert learning[-1]["collector/lost_actors"] == 0
    assert 0 <= learning[-1]["collector/staleness_mean"] <= learning[-1]["collector/staleness_max"]
    assert learning[-1]["collector/versions"] > 1
    # every actor has its own episodes, and each delivered some
    assert len({episode for episode, _ in ledger.seen}) > 50


@pytest.mark.slow
def test_actors_that_are_killed_or_hang_cost_only_their_episodes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = parts_of(tmp_path, {"run.steps": 2500, "ray_collect.seconds": 4.0})
    ledger = Ledger(3)
    chaos = Chaos(parts.collector, [signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL], 500)
    framework.train(parts, tmp_path / "run", callbacks=[ledger, chaos])
    assert not chaos.sent
    learning = [row for row in read_rows(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "learning"]
    assert learning[-1]["collector/lost_actors"] >= 2
    assert learning[-1]["collector/lost_episodes"] == ledger.lost > 0
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ray_collect: actor")]
    assert len(said) == learning[-1]["collector/lost_actors"]
    assert all(line.endswith("another one begins new episodes") for line in said)


@pytest.mark.slow
def test_the_run_goes_on_with_the_rest_and_ends_when_nobody_is_left(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, {"run.steps": 10**6, "ray_collect.restarts": 0})
    ledger, chaos = Ledger(3), Chaos(parts.collector, [signal.SIGKILL, signal.SIGKILL], 500)
    with pytest.raises(PluginError, match="all 2 actors were lost more than"):
        framework.train(parts, tmp_path / "run", callbacks=[ledger, chaos])
    assert ledger.rows > 1000


@pytest.mark.slow
def test_old_fragments_are_dropped_and_nothing_is_learnt_over_the_gap(tmp_path: Path) -> None:
    values = {"ray_collect.staleness": 3, "learning.updates_per_step": 0.5, "ray_collect.publish": 1, "run.steps": 600}
    parts, ledger = parts_of(tmp_path, values), Ledger(3)
    framework.train(parts, tmp_path / "run", callbacks=[ledger])
    learning = [row for row in read_rows(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "learning"]
    assert learning[-1]["collector/stale_fragments"] > 0
    assert ledger.lost > 0


@pytest.mark.slow
def test_a_learner_that_is_busy_for_long_loses_nobody(tmp_path: Path) -> None:
    class Busy(Callback):
        def on_episode(self, episode: Episode, counters: Counters) -> None:
            if episode.number in (5, 10, 15):
                time.sleep(5.0)

    parts = parts_of(tmp_path, {"run.steps": 600, "ray_collect.seconds": 2.0})
    framework.train(parts, tmp_path / "run", callbacks=[Busy()])
    learning = [row for row in read_rows(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "learning"]
    assert learning[-1]["collector/lost_actors"] == 0


@pytest.mark.slow
def test_a_decorated_collector_still_says_what_it_measures(tmp_path: Path) -> None:
    values = {**ACTORS, "run.steps": 300, "run.until": None, "evaluation.every": 0, "learning.starts": 50}
    framework.train(framework.assemble("dqn,normalise,cartpole,ray_collect", values), tmp_path / "run")
    learning = [row for row in read_rows(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "learning"]
    assert learning[-1]["collector/actors"] == 2
    described = json.loads((tmp_path / "run" / "manifest.json").read_text())["parts"]["collector"]
    assert described["fragment_bytes_at_most"] > 0


@pytest.mark.slow
def test_a_run_that_was_killed_continues_with_new_episodes(tmp_path: Path) -> None:
    values = {"checkpoint.every": 300, "run.steps": 900}
    parts, first = parts_of(tmp_path, values), Ledger(3)
    framework.train(parts, tmp_path / "run", callbacks=[first])
    weights = parts.policy.state_dict()["online"]
    reopened = reopen(tmp_path / "run", None, [Source("values", {"run.steps": 1800})])
    second = Ledger(3)
    second.rows, second.seen, second.current = first.rows, first.seen, first.current

    class Unchanged(Callback):
        def on_start(self, counters: Counters) -> None:
            for name, array in reopened.parts.policy.state_dict()["online"].items():
                np.testing.assert_array_equal(array, weights[name])

    train(reopened.parts, tmp_path / "run", checkpoint=reopened.checkpoint, callbacks=[second, Unchanged()])
    assert second.rows >= 1800 and second.lost > 0


@pytest.mark.slow
def test_every_kind_of_environment_is_collected(tmp_path: Path) -> None:
    """Vector environments that reset themselves, masks, tables, and explorations of plugins."""
    (tmp_path / "vector.py").write_text(
        "import gymnasium\n"
        "from framework.hooks import hookimpl\n"
        "@hookimpl\n"
        "def make_env(num_envs): return gymnasium.make_vec('CartPole-v1', num_envs, vectorization_mode='sync')\n"
    )
    compositions = (f"dqn,{tmp_path / 'vector.py'}", "tabular,ucb,chain", "dqn,noisy,normalise,averaging,cartpole")
    for number, names in enumerate(compositions):
        values = {**ACTORS, "run.steps": 300, "run.episodes": None, "run.until": None, "evaluation.every": 200}
        values["evaluation.episodes"] = 2
        framework.train(framework.assemble(f"{names},ray_collect", values), tmp_path / f"run-{number}")


def test_the_ladder_is_the_one_of_the_paper() -> None:
    assert [epsilon(0.4, 7, actor, 3) for actor in range(3)] == pytest.approx([0.4, 0.4**4.5, 0.4**8])
    assert epsilon(0.4, 7, 0, 1) == 0.4


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        ("dqn,chain", {"run.deterministic": True}, "ray_collect cannot repeat a run"),
        ("dqn,chain", {"run.env_processes": True}, "drop run.env_processes"),
        ("dqn,chain", {"ray_collect.staleness": 50}, "staleness = 50 is less than ray_collect.publish = 100"),
        ("dqn,chain", {"ray_collect.actors": 3}, "actors = 3 is more than run.num_envs = 2"),
        ("dqn,chain", {"ray_collect.actors": 2, "ray_collect.cores": 100}, "need 200 cores, and the cluster has"),
        ("dqn,chain,ray_envs", {}, "ray_(envs|collect) and another plugin both put the environments side by side"),
        ("pqn,chain", {}, "the buffer of pqn learns from steps in their order"),
        ("tabular,sarsa,chain", {}, "the loss of sarsa asks how the agent itself explores"),
        ("tabular,expected_sarsa,chain", {}, "the loss of expected_sarsa asks how the agent itself explores"),
        ("dqn,chain", {"exploration.final": 0.1}, "exploration.final = 0.1 .* has no effect"),
    ],
)
def test_what_cannot_work_is_refused(names: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        framework.assemble(f"{names},ray_collect", {"run.num_envs": 2, **values})


# ── A cluster of several nodes ───────────────────────────────────────────────────────────────────

NODES = """
import sys
import time
from pathlib import Path
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=2) for _ in range(2)]
cluster.wait_for_nodes()
print(cluster.address, flush=True)

import framework
from framework.events import Callback, Episode
from tests.plugins.test_ray_collect import Ledger, parts_of

class LoseANode(Callback):
    def on_step(self, step, counters):
        if counters.env_steps > 800 and len(nodes) == 2:
            cluster.remove_node(nodes.pop(), allow_graceful=False)

folder = Path(sys.argv[1])
values = {"ray_collect.address": cluster.address, "run.steps": 3000, "ray_collect.cores": 1.0}
parts, ledger = parts_of(folder, values), Ledger(3)
framework.train(parts, folder / "run", callbacks=[ledger, LoseANode()])
assert len(nodes) == 1
print("rows", ledger.rows, "lost", ledger.lost)
cluster.shutdown()
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_survives_the_loss_of_a_node(tmp_path: Path) -> None:
    words = [sys.executable, "-c", NODES, str(tmp_path)]
    here = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(here)}
    done = subprocess.run(words, cwd=here, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    learning = [row for row in read_rows(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "learning"]
    assert learning[-1]["env_steps"] >= 3000
    assert learning[-1]["collector/lost_actors"] >= 1
