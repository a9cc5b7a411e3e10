"""For every test: one thread for torch, because tests run side by side and tiny networks gain nothing from more."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
