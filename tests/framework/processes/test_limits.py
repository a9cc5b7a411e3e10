"""Limits of containers: control groups of versions 1 and 2, read from a folder that looks like the system's."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from framework.processes import limits

MB = 1 << 20


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 GB and four cores, and no control groups yet."""
    monkeypatch.setattr(limits, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(limits, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
    memory = psutil.virtual_memory()._replace(available=8_000 * MB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    return tmp_path


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_without_control_groups_it_is_the_machine(system: Path) -> None:
    assert limits.available_memory() == 8_000 * MB
    assert limits.usable_cores() == 4


@pytest.mark.parametrize("place", ["", "system.slice/run.scope"])
def test_version_2(system: Path, place: str) -> None:
    (system / "membership").write_text(f"0::/{place}\n")
    write(
        system / "cgroup" / place,
        memory__max=str(500 * MB),
        memory__current=str(200 * MB),
        memory__stat=f"anon 5\ninactive_file {50 * MB}",
        cpu__max="250000 100000",
    )
    assert limits.available_memory() == 350 * MB
    assert limits.usable_cores() == 2


def test_the_narrowest_group_counts(system: Path) -> None:
    (system / "membership").write_text("0::/outer/inner\n")
    write(system / "cgroup" / "outer" / "inner", memory__max="max", cpu__max="max 100000")
    write(system / "cgroup" / "outer", memory__max=str(100 * MB), memory__current="0", cpu__max="50000 100000")
    assert limits.available_memory() == 100 * MB
    assert limits.usable_cores() == 1


def test_a_container_whose_path_is_the_hosts(system: Path) -> None:
    (system / "membership").write_text("0::/docker/0123456789\n")
    write(system / "cgroup", memory__max=str(300 * MB), memory__current=str(MB), cpu__max="100000 100000")
    assert limits.available_memory() == 299 * MB
    assert limits.usable_cores() == 1


def test_version_1(system: Path) -> None:
    (system / "membership").write_text("5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n3:pids:/docker/1\n")
    write(
        system / "cgroup" / "memory" / "docker" / "1",
        memory__limit_in_bytes=str(400 * MB),
        memory__usage_in_bytes=str(100 * MB),
        memory__stat=f"total_inactive_file {20 * MB}",
    )
    write(system / "cgroup" / "cpu,cpuacct" / "docker" / "1", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    assert limits.available_memory() == 320 * MB
    assert limits.usable_cores() == 3


def test_no_limit_is_none(system: Path) -> None:
    (system / "membership").write_text("5:memory:/\n4:cpu:/\n")
    write(system / "cgroup" / "memory", memory__limit_in_bytes=str(2**63 - 4096), memory__usage_in_bytes="5")
    write(system / "cgroup" / "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert limits.available_memory() == 8_000 * MB
    assert limits.usable_cores() == 4


@pytest.mark.parametrize("text", ["", "nonsense", "0::", "::::", "0::/\n\x00"])
def test_files_that_are_none_are_no_limit(system: Path, text: str) -> None:
    (system / "membership").write_text(text)
    write(system / "cgroup", memory__max="lots", cpu__max="many 100000", memory__stat="inactive_file")
    assert limits.available_memory() == 8_000 * MB
    assert limits.usable_cores() == 4
