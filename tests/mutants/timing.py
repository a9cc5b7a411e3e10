"""How long the command `check` takes with all cores of the machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

LARGEST = ("dqn,pong", "rainbow,pong", "chapter,pong")
"""The compositions that take longest: large networks, and the emulator."""


@dataclass(frozen=True)
class Timing:
    """Seconds that the command takes: for a whole composition, and for its slowest component."""

    plugins: str
    whole: float
    component: str
    alone: float


def time_check(plugins: str) -> Timing:
    """Run the command twice: with everything, and with the component in which the most time was spent."""
    whole, report = _timed(plugins)
    spent: Counter[str] = Counter()
    for finding in report["compositions"][0]["findings"]:
        spent[finding["component"]] += finding["seconds"]
    component = max(spent, key=lambda name: spent[name])
    return Timing(plugins, whole, component, _timed(plugins, "--component", component)[0])


def _timed(plugins: str, *options: str) -> tuple[float, Any]:
    command = [sys.executable, "-m", "framework", "check", plugins, "--json", *options]
    began = time.perf_counter()
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return time.perf_counter() - began, json.loads(printed)
