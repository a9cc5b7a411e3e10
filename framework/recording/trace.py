"""Checksums of every step of a run. They show at which step another run begins to differ, and in what."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from framework.errors import FrameworkError, UsageError
from framework.events import Callback, EvaluationResult
from framework.recording.files import readable, refusals_named, require_bytes
from framework.types import Batch, Counters, Policy, State, Step, TDErrors

FILE = "trace.bin"

ASPECTS = {
    "learning": "the sampled batches and their losses since the previous step",
    "actions": "the actions",
    "observations": "the observations that followed",
    "rewards": "the rewards and the ends of episodes",
    "evaluation": "the returns and lengths of an evaluation",
    "weights": "the policy's state",
}
"""What a row has a CRC-32 of, in the order in which it happens → its name in messages."""

ROW = np.dtype([("env_steps", "<u8"), *((name, "<u4") for name in ASPECTS)])

WEIGHTS_EVERY = 1_000
"""Environment steps between two checksums of the weights, which take longer than all the others."""


class Trace(Callback):
    """Makes a row of each step of the environments and passes it to `take`.

    An evaluation belongs to the row of the step after it. The state is the unfinished row.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._learning = self._evaluation = 0
        self._looked = 0

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        """Add the update to the unfinished row."""
        for array in (batch.ids, errors.loss, errors.priority):
            self._learning = _crc(array, self._learning)

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        """Add the evaluation to the unfinished row."""
        self._evaluation = _crc(np.array([result.returns, result.lengths]), self._evaluation)

    def on_step(self, step: Step, counters: Counters) -> None:
        """Finish the row."""
        row = np.zeros(1, ROW)
        row["env_steps"] = counters.env_steps
        row["learning"], row["evaluation"] = self._learning, self._evaluation
        row["actions"] = _crc(step.action)
        row["observations"] = _crc(step.next_obs)
        row["rewards"] = _crc(step.truncated, _crc(step.terminated, _crc(step.raw_reward)))
        if counters.env_steps // WEIGHTS_EVERY > self._looked:
            row["weights"] = _crc_of_state(self._policy.state_dict())
        self._looked = counters.env_steps // WEIGHTS_EVERY
        self._learning = self._evaluation = 0
        self.take(row)

    def take(self, row: np.ndarray) -> None:
        """Use a finished row, an array [1] of `ROW`."""
        raise NotImplementedError

    def state_dict(self) -> State:
        return {"learning": self._learning, "evaluation": self._evaluation, "looked": self._looked}

    def load_state_dict(self, state: State) -> None:
        self._learning, self._evaluation = int(state["learning"]), int(state["evaluation"])
        self._looked = int(state["looked"])


class TraceWriter(Trace):
    """Appends every row to RUN/trace.bin."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        super().__init__(policy)
        self._path, self._rows = folder / FILE, 0
        self._file: Any = None

    def on_start(self, counters: Counters) -> None:
        """Continue after the rows that belong to the run. Remove later rows, which a kill may leave."""
        self._file = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
        self._file.truncate(self._rows * ROW.itemsize)
        self._file.seek(0, os.SEEK_END)

    def take(self, row: np.ndarray) -> None:
        with refusals_named(self._path):
            self._file.write(row.tobytes())
        self._rows += 1

    def on_end(self, counters: Counters) -> None:
        if self._file is not None:
            self._file.close()

    def state_dict(self) -> State:
        with refusals_named(self._path):
            os.fsync(self._file.fileno())
        return {**super().state_dict(), "rows": self._rows}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self._rows = int(state["rows"])
        require_bytes(self._path, self._rows * ROW.itemsize)


class Difference(FrameworkError):
    """A step differs from the recorded run."""


class TraceComparer(Trace):
    """Compares every row with those of a recorded run.

    Raises, in the loop:
        Difference: at the first step that differs; the message names everything that differs in it.
    """

    def __init__(self, recorded: np.ndarray, policy: Policy) -> None:
        """Args:
        recorded: from `read_trace`.
        policy: the policy of the run that is compared.
        """
        super().__init__(policy)
        self._recorded = recorded
        self.compared = 0

    def take(self, row: np.ndarray) -> None:
        if self.compared == len(self._recorded):
            raise Difference(f"the recorded run ended before step {row['env_steps'][0]:,}")
        recorded = self._recorded[self.compared : self.compared + 1]
        if row != recorded:
            raise Difference(_told(row, recorded))
        self.compared += 1


def read_trace(folder: Path) -> np.ndarray:
    """The rows of a recorded run, [steps] of `ROW`. An incomplete last row, which a kill may leave, is ignored.

    Raises:
        UsageError: if the run has no trace, or it cannot be read.
    """
    path = folder / FILE
    with readable(path):
        if not path.exists():
            raise UsageError(f"'{folder}' has no {FILE} to compare with: record a run with --deterministic")
        content = path.read_bytes()
    return np.frombuffer(content[: len(content) // ROW.itemsize * ROW.itemsize], ROW)


def _told(row: np.ndarray, recorded: np.ndarray) -> str:
    differing = [name for name in ASPECTS if row[name] != recorded[name]]
    step = f"step {recorded['env_steps'][0]:,} differs from the recorded run"
    if not differing:
        return f"{step}: it is step {row['env_steps'][0]:,} here"
    return f"{step} in {', and '.join(ASPECTS[name] for name in differing)}"


def _crc(array: np.ndarray, start: int = 0) -> int:
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, start)


def _crc_of_state(state: Mapping[str, Any], start: int = 0) -> int:
    for name in sorted(state):
        value, start = state[name], zlib.crc32(name.encode(), start)
        if isinstance(value, Mapping):
            start = _crc_of_state(value, start)
        elif isinstance(value, np.ndarray):
            start = _crc(value, start)
        else:
            start = zlib.crc32(repr(value).encode(), start)
    return start
