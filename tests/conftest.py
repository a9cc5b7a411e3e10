"""What all tests share: one thread for torch, the settings of hypothesis, Ctrl-C, and runs without figures."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Tests run side by side, and tiny networks gain nothing from more threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test may fail because a machine is slow or busy, so no example has a deadline.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

# A shell starts background jobs with Ctrl-C ignored, and processes inherit that: tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def no_figures() -> Iterator[None]:
    """Runs draw no figures: they take most of the time of a short one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("framework.recording.figures.draw_figures", lambda folder: [])
        yield


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """A Ray on this machine for all tests of a module: starting one takes seconds. Runs join it.

    It ends with the module, because tests of other modules have clusters of their own, and a process joins only one.
    """
    pytest.importorskip("ray")
    from framework.processes.cluster import connect

    with connect("", cores=64):
        yield
