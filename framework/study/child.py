"""`python -m framework.study.child run …`: the command `run`, in a process that never outlives its study."""

from __future__ import annotations

import os
import signal

from framework.entry import main
from framework.lifeline import end_with_parent

if __name__ == "__main__":
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    main()
