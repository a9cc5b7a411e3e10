"""Executors by their names. Nothing is started here."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from framework.errors import FrameworkError, UsageError
from framework.processes import cluster
from framework.processes.cluster import connect
from framework.processes.executors import executor_of
from framework.processes.local import Local
from framework.processes.ray_executor import RayExecutor

MINE = """
class Whole:
    cores = None
    def room(self, threads, memory, asked): return asked
    def start(self, jobs): return []
    def __enter__(self): return self
    def __exit__(self, *error): pass
class Half:
    def start(self, jobs): return []
class Needy(Whole):
    def __init__(self, queue): pass
number = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with executors."""
    (tmp_path / "executors_of_mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    return "executors_of_mine"


def test_names_of_executors(module: str) -> None:
    assert isinstance(executor_of("local"), Local)
    for name in ("ray", "auto", "10.0.0.1:6379", "ray://head:10001", "[::1]:6379"):
        made = executor_of(name)
        assert isinstance(made, RayExecutor), name
        assert executor_of(made) is made, "it is not asked for anything before it is entered"
    mine = executor_of(f"{module}:Whole")
    with mine:
        assert mine.room(1, 0, 5) == 5
        assert mine.cores is None
    assert executor_of(mine) is mine


BAD = f"""
{MINE}
class Text(Whole):
    def room(self, threads, memory, asked): return "many"
class Raises(Whole):
    def start(self, jobs): raise ValueError("no queue")
class Swallows(Whole):
    def room(self, threads, memory, asked): raise KeyError("gone")
    def __exit__(self, *error): return True
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Whole", "start got 2 jobs and returned 0 processes"),
        ("Text", "room is 'many', and must be a whole number"),
        ("Raises", r"start: ValueError\('no queue'\)"),
        ("Swallows", r"room: KeyError\('gone'\)"),
    ],
)
def test_what_an_executor_does_wrong_is_told_with_its_name(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"bad_{name}.py").write_text(BAD)
    monkeypatch.syspath_prepend(tmp_path)
    jobs: Any = [object(), object()]

    def use() -> None:
        with executor_of(f"bad_{name}:{name}") as executor:
            executor.room(1, 0, 2)
            executor.start(jobs)

    with pytest.raises(FrameworkError, match=f"executor 'bad_{name}:{name}': {message}"):
        use()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rya", "unknown executor 'rya'.* Did you mean 'ray'"),
        ("{}:Half", "lacks __enter__, __exit__, cores, room: framework.processes.executor says"),
        ("{}:Nobody", "has no 'Nobody'"),
        ("{}:number", "is not a class or a function"),
        ("{}:Needy", "cannot be made without arguments"),
        ("no_such_module:X", "no_such_module cannot be imported"),
    ],
)
def test_what_is_no_executor_is_refused_by_its_name(name: str, message: str, module: str) -> None:
    with pytest.raises(UsageError, match=message):
        executor_of(name.format(module))


def test_nobody_at_the_address_is_refused_at_once() -> None:
    pytest.importorskip("ray")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"no Ray cluster answers at '{address}'"), connect(address):
            pass
    with pytest.raises(UsageError, match="is no address of Ray"), connect("ray://somewhere"):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'pluggable-q\[ray\]'"), cluster.connect(""):
        pass
