"""`python -m framework.cli.child run …`: the command `run`, in a process that ends when its study ends."""

from __future__ import annotations

import os
import signal
import time

from framework.cli.main import main
from framework.processes.lifeline import end_with_parent

GRACE_SECONDS = 10.0
"""How long a run may take to end normally before it is killed."""


def end() -> None:
    """End the run normally; kill it if it does not end in time."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    end_with_parent(end)
    # Ray blocks Ctrl-C in its processes, and their children inherit that
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    main()
