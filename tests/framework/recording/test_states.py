"""States in files: they are loaded unchanged, and damaged files are refused."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.errors import FrameworkError
from framework.recording import load_state, save_state
from framework.recording.states import LONGEST_HEADER

dtypes = st.sampled_from(["float32", "float64", "int64", "uint8", "bool", ">f4", "float16", "uint64"])
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
keys = (st.text(max_size=5) | st.sampled_from(["a/b", "a", "b", "~1", "~", "", "/"])).filter(
    lambda key: key != "__metadata__"
)
leaves = arrays | scalars | st.lists(scalars, max_size=3)
states = st.dictionaries(
    keys, st.recursive(leaves, lambda node: st.dictionaries(keys, node, max_size=4), max_leaves=8), max_size=5
)

EXAMPLE = {
    "layer": {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(3)},
    "steps": 7,
    "empty": {},
}


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert isinstance(found, dict)
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, np.ndarray):
        assert isinstance(found, np.ndarray)
        assert (found.dtype, found.shape) == (expected.dtype.newbyteorder("<"), expected.shape)
        np.testing.assert_array_equal(found, expected)
    else:
        assert type(found) is type(expected)
        assert found == expected


@given(states)
def test_round_trip(state: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.safetensors")
        save_state(path, state)
        assert_same(load_state(path), state)
        assert os.listdir(folder) == ["state.safetensors"]


def test_non_contiguous_arrays_and_nan_round_trip(tmp_path: Path) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    state = {"transposed": array.T, "strided": array[:, ::2, ::-1], "nan": np.array([np.nan, -np.inf])}
    save_state(tmp_path / "state", state)
    assert_same(load_state(tmp_path / "state"), state)


def test_a_generator_state_round_trips(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    save_state(tmp_path / "state", {"generator": generator.bit_generator.state})
    expected = generator.random(5)
    other = np.random.default_rng()
    other.bit_generator.state = load_state(tmp_path / "state")["generator"]
    np.testing.assert_array_equal(other.random(5), expected)


@given(st.data())
def test_a_truncated_file_is_refused(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.safetensors")
        save_state(path, EXAMPLE)
        whole = path.read_bytes()
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        with pytest.raises(FrameworkError, match=r"state\.safetensors: damaged"):
            load_state(path)


@given(st.data())
def test_no_changed_byte_changes_what_is_read(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.safetensors")
        save_state(path, EXAMPLE)
        damaged = bytearray(path.read_bytes())
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(damaged)
        with contextlib.suppress(FrameworkError):
            assert_same(load_state(path), EXAMPLE)


def test_every_changed_byte_of_an_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, EXAMPLE)
    whole = path.read_bytes()
    for index in range(len(whole) - 48, len(whole)):  # 24 bytes of weight, 24 of bias
        damaged = bytearray(whole)
        damaged[index] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(FrameworkError, match="damaged: its checksum"):
            load_state(path)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"a": {"b": np.int64(3)}}, "'a/b': a int64"),
        ({"a": (1, 2)}, "'a': a tuple"),
        ({"a": [1, {"b": 2}]}, "'a': a dict"),
        ({"a": np.array(["x", None], object)}, "'a': an array of object"),
        ({"a": np.zeros(1, complex)}, "'a': an array of complex128"),
        ({"a": {1: 2}}, "the key 1 in 'a/'"),
        ({"__metadata__": np.zeros(1)}, "reserves that name"),
        ({"a": object()}, "'a': a object"),
    ],
)
def test_what_cannot_be_stored_is_named_and_the_old_file_stays(tmp_path: Path, state: Any, problem: str) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, EXAMPLE)
    with pytest.raises(FrameworkError, match=r"state\.safetensors: cannot store") as raised:
        save_state(path, state)
    assert problem in str(raised.value)
    assert_same(load_state(path), EXAMPLE)


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_failing_write_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, EXAMPLE)

    def fail(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, function, fail)
        with pytest.raises(FrameworkError, match=r"state\.safetensors: cannot be written: No space"):
            save_state(path, {"steps": 8})
    assert_same(load_state(path), EXAMPLE)
    assert os.listdir(tmp_path) == ["state.safetensors"]


def test_data_is_synced_before_the_name_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (order.append(name), real(*args))[1])
    save_state(tmp_path / "state", EXAMPLE)
    assert order == ["fsync", "replace", "fsync"]


def test_the_file_has_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    save_state(tmp_path / "state", EXAMPLE)
    assert (tmp_path / "state").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    with pytest.raises(FrameworkError, match="missing: no such file"):
        load_state(tmp_path / "missing")
    with pytest.raises(FrameworkError, match=str(tmp_path)):
        load_state(tmp_path)
    (tmp_path / "text").write_text("not tensors")
    with pytest.raises(FrameworkError, match="text: damaged or not safetensors"):
        load_state(tmp_path / "text")
    save_file({"a": np.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(FrameworkError, match="foreign: a safetensors file, but not one"):
        load_state(tmp_path / "foreign")
    save_file({}, tmp_path / "newer", metadata={"state": '{"format": 2, "checksum": 0, "scalars": {}}'})
    with pytest.raises(FrameworkError, match="newer: written in format 2"):
        load_state(tmp_path / "newer")
    with pytest.raises(FrameworkError, match="nowhere/state: cannot be written: No such file"):
        save_state(tmp_path / "nowhere" / "state", EXAMPLE)


def test_a_header_that_would_eat_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.safetensors"
    path.write_bytes((LONGEST_HEADER + 1).to_bytes(8, "little") + b"{" * 100)
    with pytest.raises(FrameworkError, match=r"bomb.safetensors: damaged .* header"):
        load_state(path)
    from safetensors.numpy import save_file

    save_file({}, path, metadata={"state": "[" * 100_000})
    with pytest.raises(FrameworkError, match=r"bomb.safetensors: damaged"):
        load_state(path)
    save_state(path, {"x": 1})
    assert load_state(path) == {"x": 1}
