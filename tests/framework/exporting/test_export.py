"""An exported file computes what the agent computes, elsewhere; and if it does not, there is no file."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import framework
from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.errors import FrameworkError, UsageError
from framework.exporting.parity import COARSE, TOLERANCE
from framework.types import ExportedModel
from tests.framework.exporting.elsewhere import action_values
from tests.stand_ins.darkroom import Darkroom, DarkroomOptions
from tests.stand_ins.rooms import Rooms, RoomsOptions

pytest.importorskip("onnxruntime")

SMALL = {"dqn.hidden": 8, "dqn.mlp": (8,), "run.steps": 10}


def assembled(names: str, values: dict[str, Any] | None = None) -> Parts:
    parts = assemble(names, {**(SMALL if names.startswith("dqn") else {"run.steps": 10}), **(values or {})})
    parts.close()
    return parts


def numbers_in(table: np.ndarray) -> None:
    table[...] = np.random.default_rng(0).normal(size=table.shape)


@pytest.mark.parametrize("names", ["tabular,chain", "tabular,double_q,grid"])
def test_a_table_in_a_program_without_torch_and_without_this_package(names: str, tmp_path: Path) -> None:
    parts: Any = assembled(names)
    numbers_in(parts.policy.table)
    framework.export(parts, tmp_path / "policy.onnx", observations=20)
    states = np.arange(parts.policy.states.count)
    found = action_values(tmp_path / "policy.onnx", {"observation": states})
    assert found.dtype == np.float32
    assert np.array_equal(found, parts.policy.action_values(states, explore=False).astype(np.float32))


def shown_by(env: gymnasium.Env[Any, Any], keys: list[list[Any]], steps: int) -> tuple[list[Any], list[list[Any]]]:
    """Observations of an environment, and of each the leaves with these keys."""
    env.action_space.seed(0)
    seen, leaves = [env.reset(seed=0)[0]], []
    for _ in range(steps):
        obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append(env.reset()[0] if terminated or truncated else obs)
    for obs in seen:
        leaves.append([])
        for path in keys:
            leaf = obs
            for key in path:
                leaf = leaf[key]
            leaves[-1].append(leaf)
    return seen, leaves


@pytest.mark.parametrize(("names", "suffix"), [("tabular", "onnx"), ("dqn", "onnx"), ("dqn", "pt2")])
def test_the_file_takes_what_the_environment_shows_and_its_description_says_how(
    names: str, suffix: str, tmp_path: Path
) -> None:
    """The description alone leads from raw observations of several parts to the agent's action."""
    shown: Any = {"parts": "all" if names == "dqn" else "finite", "masks": "none"}
    parts: Any = assembled(f"{names},tests.stand_ins.rooms", {f"rooms.{key}": value for key, value in shown.items()})
    if names == "tabular":
        numbers_in(parts.policy.table)
    path = tmp_path / f"policy.{suffix}"
    framework.export(parts, path, observations=20)
    about = json.loads((tmp_path / f"policy.{suffix}.json").read_text())
    env = Rooms(RoomsOptions.model_validate({**shown, "limit": 1000}))
    seen, leaves = shown_by(env, [one["keys"] for one in about["inputs"]], 9)
    inputs = {
        one["name"]: np.stack([row[index] for row in leaves]).astype(one["dtype"])
        for index, one in enumerate(about["inputs"])
    }
    values = action_values(path, inputs)
    chosen = [int(index) + about["actions"]["start"] for index in values.argmax(axis=1)]
    assert chosen == parts.act(seen).tolist()
    assert len({tuple(row) for row in values.tolist()}) > 1


def test_a_stack_of_frames_and_actions_of_several_parts(tmp_path: Path) -> None:
    parts = assembled("dqn,tests.stand_ins.darkroom")
    framework.export(parts, tmp_path / "policy.onnx", observations=20)
    about = json.loads((tmp_path / "policy.onnx.json").read_text())
    assert about["inputs"][0]["shape"] == ["batch", 3, 20, 24]
    assert about["frame_stack"] == {
        "frames": 3,
        "order": "oldest first",
        "before the first frame": "copies of the episode's first frame",
    }
    assert about["masks"]
    frames, _ = shown_by_all(Darkroom(DarkroomOptions()))
    stacks = np.stack([frames[:3], frames[1:4]])
    (index,) = action_values(tmp_path / "policy.onnx", {"observation": stacks[1:]}).argmax(axis=1)
    factors, start = about["actions"]["factors"], about["actions"]["start"]
    assert (np.array(np.unravel_index(index, factors)) + start).tolist() == parts.act(stacks[1]).tolist()


def shown_by_all(env: Darkroom) -> tuple[np.ndarray, Any]:
    env.reset(seed=0)
    return np.stack([env.frame() for _ in range(5)]), env


class Tampered:
    """A policy whose file gives other values."""

    def __init__(self, policy: Any, run: Any = None, reference: Any = None) -> None:
        self._policy, self._run, self._reference = policy, run, reference

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    def export(self, suffix: str, inputs: Any, metadata: str) -> ExportedModel:
        model: ExportedModel = self._policy.export(suffix, inputs, metadata)
        run, reference = self._run or (lambda values: values), self._reference or (lambda values: values)
        return replace(
            model,
            run=lambda arrays: run(model.run(arrays)),
            reference=lambda obs: reference(model.reference(obs)),
        )


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        ({"run": lambda values: values + 2 * TOLERANCE}, "the exported policy differs from the agent by up to 0.0002"),
        ({"run": lambda values: values * np.nan}, "not all finite"),
        ({"run": lambda values: values[:, :1]}, "values of shape"),
        (
            {"run": lambda values: values + 2 * COARSE, "reference": lambda values: values + 2 * COARSE},
            "the network that would be exported differs",
        ),
    ],
)
def test_a_file_that_computes_something_else_is_not_written(tamper: Any, message: str, tmp_path: Path) -> None:
    parts: Any = assembled("tabular,chain")
    parts.policy.table[...] = np.linspace(-1, 1, parts.policy.table.size).reshape(parts.policy.table.shape)
    parts.policy = Tampered(parts.policy, **tamper)
    with pytest.raises(FrameworkError, match=message):
        framework.export(parts, tmp_path / "policy.onnx")
    assert not list(tmp_path.iterdir())


def test_small_differences_are_written_down(tmp_path: Path) -> None:
    parts: Any = assembled("tabular,chain")
    parts.policy = Tampered(parts.policy, run=lambda values: values + np.float32([0, TOLERANCE / 2]))
    written = framework.export(parts, tmp_path / "policy.onnx", observations=30)
    assert (written.parity.observations, written.parity.limit) == (30, TOLERANCE)
    assert written.parity.largest_difference == pytest.approx(TOLERANCE / 2)
    assert written.parity.other_greedy_actions == 30, "all values of the new table are equal"
    compared = json.loads(written.description.read_text())["compared"]
    assert compared["other_greedy_actions"] == 30


def test_what_cannot_be_exported_is_refused_and_an_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = assembled("tabular,chain")
    path = tmp_path / "policy.onnx"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match=r"a table is exported as \.onnx"):
        framework.export(parts, tmp_path / "policy.pt2")
    with pytest.raises(UsageError, match=r"must end in \.onnx or \.pt2"):
        framework.export(parts, tmp_path / "policy.h5")
    with monkeypatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(UsageError, match=r"needs onnx: pip install 'pluggable-q\[export\]'"):
            framework.export(parts, path)
    parts.policy = object()
    with pytest.raises(UsageError, match="the policy of tabular cannot be exported: its object has no method"):
        framework.export(parts, path)
    assert {place.name: place.read_bytes() for place in tmp_path.iterdir()} == {"policy.onnx": b"old"}


def test_the_command_writes_both_files_and_says_what_they_take(tmp_path: Path) -> None:
    framework.train(assemble("tabular,chain"), tmp_path / "run")
    words = ["export", "run", "--to", "policy.onnx", "--weights", "last", "--observations", "9"]
    done = subprocess.run(
        [sys.executable, "-m", "framework", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("input    observation: int64 [batch]\noutput   action_values: float32 [batch, 2]\n")
    about = json.loads((tmp_path / "policy.onnx.json").read_text())
    assert about["plugins"] == ["tabular", "chain"]
    assert (about["weights"]["run"], about["weights"]["file"]) == ("run", "last.safetensors")
    assert about["versions"]["pluggable-q"]
    agent = framework.load(tmp_path / "run", "last")
    found = action_values(tmp_path / "policy.onnx", {"observation": np.arange(5)})
    assert np.allclose(found, agent.policy.action_values(np.arange(5), explore=False))
