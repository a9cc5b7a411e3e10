"""What dqn sets for the whole process: updates do not fetch their memory anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from plugins.dqn.process import keep_freed_memory
%s
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def update():
    return [np.ones(1 << 18) for _ in range(4)]
update()
before = faults()
for _ in range(50):
    update()
print((faults() - before) // 50)
"""


def printed(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's setting")
def test_freed_memory_is_used_again() -> None:
    kept, given_back = (int(printed(FAULTS % call)) for call in ("keep_freed_memory()", ""))
    assert kept < 20
    assert given_back > 10 * (kept + 1)
