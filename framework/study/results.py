"""The results of a run: its curve, its final return and the area under the curve, defined in one way for every arm.

The curve is the running mean of the raw returns of the last 100 training episodes (of all, if there are fewer) against
environment steps. It changes at the end of each episode and is constant in between. Unfinished episodes do not count.

* *final return*: the last value of the curve: the mean of the last 100 finished episodes.
* *area under the curve*: the average of the curve over the run's environment steps, where the first value also counts
  for the steps before it. It is a mean return, too. The sooner the agent is good, the higher it is. Only runs of the
  same length can be compared by it.

The command `compare` draws the same curve against frames or hours, too, and a curve of evaluations (`curve_of`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Real

from framework.errors import FrameworkError, UsageError
from framework.recording.files import replacing
from framework.recording.metrics import METRICS
from framework.recording.rows import read_rows, to_json
from framework.study.folder import read_arms
from framework.study.runs import RESULT, Run, folder_name


@dataclass(frozen=True)
class Axis:
    """A measure of how far a run is, against which curves are drawn."""

    key: str
    """The key of the rows in metrics.jsonl."""
    label: str
    unit: float = 1
    """How many of the recorded units are one of the axis."""

    def of(self, row: Mapping[str, Any]) -> float:
        """Where a row is on this axis."""
        return row[self.key] / self.unit if self.unit != 1 else row[self.key]

    def text(self, place: float) -> str:
        """A place on the axis: "12,000" steps or "0.25" hours."""
        return f"{place:,.0f}" if self.unit == 1 else f"{place:.3g}"


AXES = {
    "steps": Axis("env_steps", "environment steps"),
    "frames": Axis("frames", "frames"),
    "hours": Axis("seconds", "hours of training, without evaluations", 3600),
}


@dataclass(frozen=True)
class Curve:
    """A return as a function of how far a run is: a step function with a value from each episode's end on."""

    x: Real[np.ndarray, " E"]
    """Where each episode ends on the axis: int64 for steps and frames, float64 for hours. Several may end at once."""
    values: Float64[np.ndarray, " E"]
    end: float
    """Where the run ends on the axis."""

    def at(self, x: Real[np.ndarray, " S"]) -> Float64[np.ndarray, " S"]:
        """The values at these places; NaN before the first episode's end and after the run's end."""
        latest = np.searchsorted(self.x, x, side="right") - 1
        known = (latest >= 0) & (x <= self.end)
        if not len(self.x):
            return np.full(len(x), np.nan)
        return np.where(known, self.values[latest], np.nan)

    def area(self) -> float | None:
        """The average from 0 to the run's end; None without a finished episode."""
        if not len(self.x):
            return None
        counts = np.append(np.diff(self.x) > 0, True)  # if episodes end at the same place, the last one counts
        x, values = self.x[counts], self.values[counts]
        if not self.end:  # the clock's resolution is coarser than the whole run
            return float(values[-1])
        return float(np.average(values, weights=np.diff([0, *x[1:].tolist(), self.end])))


@dataclass(frozen=True)
class RunResult:
    """The results of one run of a study. Returns are raw. None is unknown, for example without a finished episode."""

    arm: str
    seed: int
    final: float | None
    area: float | None
    evaluation: float | None
    """The mean return of the last periodic evaluation, if there was one."""
    steps: int
    episodes: int
    seconds: float | None
    """Training time until the last recorded row, without evaluations."""
    folder: Path
    curve: Curve = field(repr=False, compare=False)
    human_normalised: float | None = None
    """`evaluation` on a scale from a random agent (0) to a human (1), if the environment declares their scores."""

    def row(self) -> dict[str, Any]:
        """All results except the curve, for JSON and CSV."""
        return {
            item.name: str(value) if isinstance(value := getattr(self, item.name), Path) else value
            for item in fields(self)
            if item.name != "curve"
        }


def finish(run: Run) -> RunResult:
    """Read the result of a run that has ended in good order. From now on, the run is complete."""
    result = read_run(run.folder, run.arm.label, run.seed)
    with replacing(run.folder / RESULT) as temporary:
        temporary.write_text(to_json(result.row()) + "\n", encoding="utf-8")
    run.drop_checkpoints()
    return result


def read_run(folder: Path, arm: str, seed: int) -> RunResult:
    """Read the results of a finished run from its folder.

    Raises:
        FrameworkError: if a file of the run is missing or damaged.
    """
    rows = read_rows(folder / METRICS)
    try:
        end = int(json.loads((folder / "last.json").read_text(encoding="utf-8"))["env_steps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FrameworkError(f"{folder / 'last.json'}: cannot be read: {error!r}") from error
    episodes = [row for row in rows if row["kind"] == "episode"]
    evaluations = [row for row in rows if row["kind"] == "evaluation"]
    curve = curve_of(episodes, "mean_100", AXES["steps"], end)
    return RunResult(
        arm=arm,
        seed=seed,
        final=_finite(float(curve.values[-1])) if episodes else None,
        area=_finite(curve.area()),
        evaluation=_finite(evaluations[-1]["mean"]) if evaluations else None,
        steps=end,
        episodes=len(episodes),
        seconds=float(rows[-1]["seconds"]) if rows else None,
        folder=folder,
        curve=curve,
        human_normalised=_finite(evaluations[-1].get("human_normalised")) if evaluations else None,
    )


def curve_of(rows: Sequence[Mapping[str, Any]], key: str, axis: Axis, end: float) -> Curve:
    """The curve of one key of some rows. A null becomes NaN.

    Args:
        rows: episodes for "mean_100", evaluations for "mean".
        end: where the run ends on the axis.

    Raises:
        KeyError, TypeError, ValueError: if a row lacks a number.
    """
    return Curve(
        np.array([axis.of(row) for row in rows], np.int64 if axis.unit == 1 else np.float64),
        np.array([math.nan if row[key] is None else row[key] for row in rows], np.float64),
        end,
    )


def read_study(folder: str | Path) -> list[RunResult]:
    """The results of every complete run of a study, in the order of its arms, then of the seeds.

    Raises:
        UsageError: if this is not a study folder, or it has no complete run.
        FrameworkError: if a file of a run is missing or damaged.
    """
    path = Path(folder)
    found = []
    for label in read_arms(path):
        complete = [file.parent for file in (path / folder_name(label)).glob(f"seed-*/{RESULT}")]
        seeds = sorted((int(run.name.removeprefix("seed-")), run) for run in complete)
        found += [read_run(run, label, seed) for seed, run in seeds]
    if not found:
        raise UsageError(f"'{path}' has no complete run")
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
