"""What all tests share: one thread for torch, the settings of hypothesis, and Ctrl-C."""

import os
import signal

from hypothesis import settings

# Tests run side by side, and tiny networks gain nothing from more threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test may fail because a machine is slow or busy, so no example has a deadline.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

# A shell starts background jobs with Ctrl-C ignored, and processes inherit that: tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
