"""What a run sets for its whole process: torch's threads and determinism, and how the C library keeps memory."""

from __future__ import annotations

import ctypes
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""

KEPT = 256 << 20
"""How many bytes of freed memory the process keeps."""

LARGE = 32 << 20
"""Arrays of at least so many bytes, such as a replay, come from the system one by one and go back to it."""


def prepare_process(threads: int, deterministic: bool) -> None:
    """Set torch's number of threads and whether it refuses algorithms that vary, and let the process keep memory."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next update, up to `KEPT` bytes; do nothing with another C library.

    An update allocates and frees several megabytes. By default, glibc may return them to the system each time, and the
    next update then has a page fault for every 4 KB.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, LARGE)
            mallopt(M_TRIM_THRESHOLD, KEPT)
