"""One run of a study: its place in the study folder, and the command that starts it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.checkpoints.folder import FOLDER as CHECKPOINTS
from framework.study.arms import CheckedArm

RESULT = "result.json"
"""The file in a run folder with the results. A run that has it is complete."""


@dataclass(frozen=True)
class Run:
    """An arm with a seed."""

    arm: CheckedArm
    seed: int
    folder: Path

    @property
    def label(self) -> str:
        """The arm and the seed, for people."""
        return f"{self.arm.label}, seed {self.seed}"

    @property
    def output(self) -> Path:
        """The file for the process's output. It is beside the run folder, which must be empty when the run starts."""
        return self.folder.with_name(f"{self.folder.name}.output.txt")

    @property
    def is_complete(self) -> bool:
        """Whether the run has its result."""
        return (self.folder / RESULT).is_file()

    @property
    def has_checkpoint(self) -> bool:
        """Whether the run has written a checkpoint, which may be damaged."""
        return (self.folder / CHECKPOINTS).is_dir()

    @property
    def threads(self) -> int:
        """How many cores it uses."""
        return self.arm.threads

    @property
    def memory(self) -> int:
        """Bytes that its replay takes when full."""
        return self.arm.memory

    @property
    def command(self) -> list[str]:
        """`python -m framework run …`, in a process that ends when this one ends; with a checkpoint, `run --resume`."""
        child = [sys.executable, "-m", "framework.cli.child", "run"]
        if self.has_checkpoint:
            return [*child, f"--resume={self.folder}"]
        assignments = [f"--set={path}={as_toml(value)}" for path, value in self.arm.values.items()]
        return [
            *(*child, f"--plugins={','.join(self.arm.plugins)}", *assignments),
            *(f"--seed={self.seed}", f"--run-dir={self.folder}"),
        ]

    def drop_checkpoints(self) -> None:
        """Remove the checkpoints of a complete run, unless its arm asks for checkpoints: nothing else needs them."""
        if "checkpoint.every" not in self.arm.values:
            shutil.rmtree(self.folder / CHECKPOINTS, ignore_errors=True)


def runs_of(arms: Sequence[CheckedArm], seeds: Sequence[int], folder: Path) -> list[Run]:
    """Every arm with the first seed, then with the second, and so on: even an unfinished study compares all arms."""
    return [Run(arm, seed, folder / folder_name(arm.label) / f"seed-{seed}") for seed in seeds for arm in arms]


def folder_name(label: str) -> str:
    """The name of the folder for a label."""
    return "".join(sign if sign.isalnum() or sign in "_." else "-" for sign in label).lstrip(".")


def as_toml(value: Any) -> str:
    """A value as `--set` reads it."""
    import tomlkit

    return "none" if value is None else tomlkit.item(value).as_string()
