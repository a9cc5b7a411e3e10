"""What all tests share: one thread for torch, and the settings of hypothesis."""

import os

from hypothesis import settings

# Tests run side by side, and tiny networks gain nothing from more threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test may fail because a machine is slow or busy, so no example has a deadline.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
