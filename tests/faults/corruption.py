"""Damage to the files of a run: the file is refused by its name, or an earlier checkpoint takes its place."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import framework
from framework.errors import FrameworkError
from tests.faults.runs import LATER, Recorded, hash_of, sha256_of, without_figures

FORBIDDEN = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect")
"""Events of the interpreter that the reading of a file must never cause."""

MOST_MEMORY = 1 << 28
"""Bytes by which reading a damaged run may let the process grow; the run has less than 2**20."""

BOMBS = (
    b"[" * 100_000,
    b'{"body": ' * 30_000,
    b"9" * 50_000,
    b"a = " + b"[" * 50_000,
    (1 << 62).to_bytes(8, "little") + b"{}",
    (1 << 25).to_bytes(8, "little") + b" " * 64,
    (64).to_bytes(8, "little") + b'{"x":{"dtype":"U8","shape":[999999999999],"data_offsets":[0,9]}}',
    b"\x80\x04\x95\x15\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85R.",
)
"""Files that ask for much memory or for code to be run: deep nesting, wrong sizes, a pickle."""


@dataclass
class Tally:
    """How often each outcome and each kind of damage came."""

    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Damage:
    """Damage to one file, which is given by its place in the list of the run's files."""

    kind: str
    file: int
    at: float
    amount: int
    other: int

    def apply(self, run: Path) -> Path:
        """Damage the file, and return its path."""
        files = files_of(run)
        path = files[self.file % len(files)]
        content = path.read_bytes()
        place = int(self.at * len(content))
        path.unlink()  # two checkpoints may share a file, and only this name gets the damage
        path.write_bytes(self._damaged(content, place, files[self.other % len(files)]))
        return path

    def _damaged(self, content: bytes, place: int, other: Path) -> bytes:
        if self.kind == "flip" and content:
            place = min(place, len(content) - 1)
            return content[:place] + bytes([content[place] ^ (1 << self.amount % 8)]) + content[place + 1 :]
        if self.kind == "cut":
            return content[:place]
        if self.kind == "zeros":
            return content[:place] + bytes(len(content[place : place + self.amount])) + content[place + self.amount :]
        if self.kind == "insert":
            return content[:place] + bytes([self.amount % 256]) * (self.amount % 40 + 1) + content[place:]
        if self.kind == "swap":
            return other.read_bytes() if other.exists() else b""
        if self.kind == "bomb":
            return BOMBS[self.amount % len(BOMBS)]
        return content


def files_of(run: Path) -> list[Path]:
    """Every file of a run that the engine reads."""
    return sorted(path for path in run.rglob("*") if path.is_file() and path.suffix != ".png" and path.name != ".lock")


DAMAGES = st.builds(
    Damage,
    kind=st.sampled_from(["flip", "flip", "flip", "cut", "zeros", "insert", "swap", "bomb"]),
    file=st.integers(0, 99),
    at=st.floats(0, 1, exclude_max=True),
    amount=st.integers(0, 4_096),
    other=st.integers(0, 99),
)


def judge(recorded: Recorded, run: Path, damage: Damage, tally: Tally) -> None:
    """Damage a copy of the run, load its agent, and resume it: each works as before, or names the damaged file."""
    shutil.copytree(recorded.folder, run)
    try:
        path = damage.apply(run)
        tally.kinds[damage.kind] += 1
        same = path.read_bytes() == (recorded.folder / path.relative_to(run)).read_bytes()
        before = resident()
        _loads(recorded, run, path)
        outcome = "nothing had changed" if same else _went_on(recorded, run, path)
        assert resident() - before < MOST_MEMORY, "reading it took far more memory than the run has"
        tally.outcomes[outcome] += 1
    finally:
        shutil.rmtree(run)


def _went_on(recorded: Recorded, run: Path, path: Path) -> str:
    """Resume the run. Except for the damaged file, it must end like the undamaged run."""
    try:
        framework.resume(run, {"run.steps": LATER})
    except FrameworkError as error:
        _names(error, path, "LATEST")
        return f"refused, in {path.relative_to(run).parts[0]}"
    for other, content in recorded.later.items():
        assert run / other == path or sha256_of(run / other) == content, f"{other} came out as another"
    return "went on as it would have"


def _loads(recorded: Recorded, run: Path, path: Path) -> None:
    """Load the agent. It must be the one that was saved, or be refused."""
    try:
        loaded = hash_of(run)
    except FrameworkError as error:
        _names(error, path)
    else:
        assert loaded == recorded.agent, "another agent was loaded"


def _names(error: FrameworkError, path: Path, *others: str) -> None:
    assert any(name in str(error) for name in (path.name, *others)), f"another file is named: {error}"


def resident() -> int:
    """Bytes of this process in memory."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def corrupt(recorded: Recorded, place: Path, times: int, seed: int = 0, shrink: bool = True) -> Tally:
    """Damage the run `times` times, each time another copy of it.

    Raises:
        AssertionError: with the smallest damage that changed the agent or the run, or that ran code.
    """
    tally, ran = Tally(), []

    def watch(event: str, arguments: Any) -> None:
        if active and event.startswith(FORBIDDEN):
            ran.append(event)

    active = True
    sys.addaudithook(watch)

    @settings(
        max_examples=times,
        database=None,
        derandomize=False,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
    )
    @given(damage=DAMAGES)
    def run(damage: Damage) -> None:
        judge(recorded, place / "damaged", damage, tally)
        assert not ran, f"reading it came to {ran}"

    seeded: Callable[[], None] = _seeded(run, seed)
    try:
        with without_figures():
            seeded()
    finally:
        active = False
    return tally


def _seeded(run: Callable[[], None], number: int) -> Callable[[], None]:
    from hypothesis import seed

    return seed(number)(run)
