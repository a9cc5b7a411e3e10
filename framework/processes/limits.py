"""How much memory and how many cores this process may use: the machine's, or less where a container says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from framework.errors import UsageError

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")

UNLIMITED = 1 << 60
"""Version 1 of control groups writes "no limit" as a number near 2^63."""


def available_memory() -> int:
    """Bytes that this process can still take, from the machine and from every control group that it is in."""
    free = [psutil.virtual_memory().available]
    for folder in _groups("memory"):
        for limit, usage in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            most, used = _number(folder / limit), _number(folder / usage)
            if most is not None and most < UNLIMITED:
                # the page cache counts as used and is given back when somebody needs it
                free.append(max(0, most - (used or 0) + _page_cache(folder)))
    return min(free)


def require_memory(needed: int, what: str, fix: str) -> None:
    """Refuse what would not fit into memory, before it is allocated.

    Args:
        needed: bytes.
        what: what takes them, as the beginning of a sentence.
        fix: what the user can do.

    Raises:
        UsageError: if fewer bytes are free.
    """
    free = available_memory()
    if needed > free:
        raise UsageError(f"{what} needs {needed / 1e9:,.2f} GB, and {free / 1e9:.2f} GB of memory are free: {fix}")


def usable_cores() -> int:
    """Cores that this process may use, at least one: by its affinity and by the quota of its control groups."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(int(quota) for quota in _quotas())]))


def _quotas() -> Iterator[float]:
    """The cores that each control group leaves to the process, as a fraction of its period."""
    for folder in _groups("cpu"):
        words = _text(folder / "cpu.max").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            yield int(words[0]) / max(1, int(words[1]))
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota is not None and period and quota > 0:
            yield quota / period


def _groups(controller: str) -> Iterator[Path]:
    """The folders of the process's control groups that limit this resource, up to the root of each hierarchy."""
    for line in _text(MEMBERSHIP).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUPS / controllers if controllers else CGROUPS
        base = root if root.exists() else CGROUPS / controller
        folder = base / path.lstrip("/")
        # in a container, the path is often that of the host, and the group's files stand in the root
        yield from (each for each in (folder, *folder.parents) if each.is_relative_to(base))


def _page_cache(folder: Path) -> int:
    """Bytes of files that the kernel keeps in memory and gives back when somebody needs the room."""
    figures = dict(line.partition(" ")[::2] for line in _text(folder / "memory.stat").splitlines())
    prefix = "total_" if "total_inactive_file" in figures else ""
    found = [figures.get(f"{prefix}{kind}_file", "") for kind in ("inactive", "active")]
    return sum(int(text) for text in found if text.isdigit())


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
