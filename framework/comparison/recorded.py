"""A recorded run as its folder tells it: options with their sources, the manifest, and the rows of its metrics."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.assembly.configuration import is_file
from framework.errors import FrameworkError, UsageError
from framework.recording.files import readable
from framework.recording.metrics import METRICS
from framework.recording.rows import read_rows
from framework.study.results import AXES, Axis, Curve, curve_of
from framework.study.runs import RESULT
from framework.training.identity import leaves
from framework.training.run_folder import CONFIG, SOURCES, recorded_manifest, recorded_options

LAST = "last.json"
"""The run's counters at its end. A run that was killed has none."""

NO_RESULT = ("checkpoint.every", "run.watchdog", "run.env_processes", "run.seed", "run.plugins")
"""Options that runs of one arm may differ in: they change nothing that is learnt, or are compared in another way."""

POSITIONS = tuple(axis.key for axis in AXES.values())

NUMBERS = {
    "episode": (*POSITIONS, "return", "mean_100"),
    "evaluation": (*POSITIONS, "mean"),
    "learning": (*POSITIONS, "loss"),
}
"""The numbers that each kind of row must have. All of them but the axes may be null."""

KEYS = {"return": ("episode", "mean_100"), "evaluation": ("evaluation", "mean")}
"""What a curve shows → the kind of the rows and their key."""


@dataclass(frozen=True)
class RecordedRun:
    """A run, finished or not."""

    folder: Path
    options: Mapping[str, Any]
    """ "section.key" → value, as config.toml has it."""
    manifest: Mapping[str, Any]
    """Empty if the folder has none."""
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    steps: int
    """Environment steps at its end, or those of the last row if it has not ended."""
    ended: bool
    """Whether it ended in good order, by itself or by a signal."""

    @property
    def seed(self) -> int | None:
        """The option run.seed."""
        seed = self.options.get("run.seed")
        return seed if isinstance(seed, int) else None

    @property
    def plugins(self) -> list[str]:
        """The plugins by the names that the user gave, files without their folders."""
        return [Path(name).name if is_file(name) else name for name in self.options.get("run.plugins", ())]

    def told(self, name: str) -> Mapping[str, Any]:
        """An entry of the manifest that is an object, such as "slots"; empty if there is none."""
        found = self.manifest.get(name)
        return found if isinstance(found, Mapping) else {}

    def of_kind(self, kind: str) -> list[Mapping[str, Any]]:
        """The rows of a kind: "episode", "evaluation" or "learning".

        A confirmation has the same step as the evaluation that it confirms or refutes, and stands in its place.
        """
        rows = [row for row in self.rows if row.get("kind") == kind]
        return list({row["env_steps"]: row for row in rows}.values()) if kind == "evaluation" else rows

    def end(self, axis: Axis) -> float:
        """Where the run ends on an axis: at its last row, and for steps at its last step."""
        latest = max((axis.of(row) for row in self.rows if row.get("kind") in NUMBERS), default=0)
        return max(latest, self.steps) if axis is AXES["steps"] else latest

    def curve(self, axis: Axis, what: str) -> Curve:
        """The curve of a key of `KEYS` against an axis."""
        kind, key = KEYS[what]
        return curve_of(self.of_kind(kind), key, axis, self.end(axis))

    def state(self) -> str:
        """How the run ended, in words."""
        if not self.ended and not self.rows:
            return "without metrics: it has just begun, it was killed at once, or only its agent was kept"
        if not self.ended:
            return f"not ended: it is running, or it was killed; its last row is of step {self.steps:,}"
        if (self.folder / RESULT).is_file():
            return f"complete: {self.steps:,} environment steps, in a study"
        if self.missed_its_end():
            return f"ended after {self.steps:,} environment steps, before the end that its options set"
        return f"ended after {self.steps:,} environment steps"

    def composition(self) -> str:
        """A digest of all that decides what is learnt, except the seed: plugins, their files, options, the protocol."""
        files = {}
        with readable(self.folder):
            for file in sorted((self.folder / SOURCES).glob("*")):
                if file.is_file():
                    files[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        options = {path: value for path, value in self.options.items() if path not in NO_RESULT}
        told = [
            self.plugins,
            self.manifest.get("plugins"),
            files,
            sorted(leaves(options)),
            sorted(leaves(self.told("environment"))),
        ]
        return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()

    def missed_its_end(self) -> bool:
        """Whether it stopped before each of its ends. Ends that rows cannot tell count as reached."""
        if self.options.get("run.patience") or self.options.get("run.hours"):
            return False
        steps, episodes, until = (self.options.get(f"run.{name}") for name in ("steps", "episodes", "until"))
        ends = []
        if isinstance(steps, int):
            ends.append(self.steps >= steps)
        if isinstance(episodes, int):
            ends.append(len(self.of_kind("episode")) >= episodes)
        if isinstance(until, int | float):
            means = [row["mean"] for row in self.of_kind("evaluation")]
            ends.append(any(mean is not None and mean >= until for mean in means))
        return bool(ends) and not any(ends)


def read_recorded(folder: Path) -> RecordedRun:
    """Read a run from its folder. Nothing is imported or run.

    Raises:
        UsageError: if this is not a run folder, or a file is missing, damaged or cannot be read.
    """
    with readable(folder):
        if not (folder / CONFIG).is_file():
            raise UsageError(f"'{folder}' is not a run folder: it has no {CONFIG}")
        options, manifest = recorded_options(folder), recorded_manifest(folder)
        ended = (folder / LAST).is_file()
        try:
            rows = read_rows(folder / METRICS) if (folder / METRICS).exists() else []
        except FrameworkError as error:
            raise UsageError(str(error)) from error
    for number, row in enumerate(rows, start=1):
        for key in NUMBERS.get(row.get("kind", ""), ()):
            value = row.get(key, "nothing")
            if not _fits(value, key in POSITIONS):
                raise UsageError(
                    f"{folder / METRICS}, line {number}: damaged: {key} is {value!r}, and must be a number"
                )
    steps = max((row["env_steps"] for row in rows if row.get("kind") in NUMBERS), default=0)
    last = _last_step(folder / LAST) if ended else steps
    # the last weights of a run that was continued are there while it goes on
    ended = ended and last >= steps
    return RecordedRun(folder, options, manifest, rows, max(last, steps), ended)


def option_sources(folder: Path) -> dict[str, str]:
    """Where the value of each option came from, as config.toml says behind its description: "section.key" → source.

    Raises:
        UsageError: if the file cannot be read.
    """
    with readable(folder / CONFIG):
        lines = (folder / CONFIG).read_text(encoding="utf-8", errors="replace").splitlines()
    return dict(_sources(lines))


def _sources(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    section, comment = "", ""
    for line in lines:
        header = re.fullmatch(r"\[(\w+)(?:\.(\w+))?\]", line)
        option = re.match(r"(?:# )?(\w+) = ", line)
        if header and not header[2]:
            section, comment = header[1], ""
        elif comment and (found := header or option):  # an option that is a table has a header of its own
            yield f"{section}.{found[2] if header else found[1]}", comment.rpartition(" [")[2].removesuffix("]")
            comment = ""
        else:
            comment = line if line.startswith("# ") and line.endswith("]") else ""


def _fits(value: Any, position: bool) -> bool:
    """Whether a value is a finite number that numpy can hold, or a null where no position is needed."""
    if isinstance(value, int | float):
        return 0 <= value < 2**62 if position else abs(value) < 1e300
    return value is None and not position


def _last_step(path: Path) -> int:
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["env_steps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: damaged: {error!r}") from error
