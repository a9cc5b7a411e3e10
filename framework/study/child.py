"""`python -m framework.study.child run …`: the command `run`, in a process that never outlives its study.

The study holds the other end of standard input. However the study ends, the system closes that end, and this
process ends, too.
"""

from __future__ import annotations

import os
import signal
import threading

from framework.cli import main

STDIN = 0


def _end_with_the_study() -> None:
    os.read(STDIN, 1)  # nothing is ever written: this returns when the pipe is closed
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_study, daemon=True).start()
    main()
