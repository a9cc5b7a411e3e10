"""`python -m framework.cli.child run …`: the command `run`, in a process that ends when its study ends."""

from __future__ import annotations

import os
import signal

from framework.cli.main import main
from framework.processes.lifeline import end_with_parent

if __name__ == "__main__":
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    main()
