"""A connection to a Ray cluster: one that runs already, or one on this machine that lives as long as the connection.

Ray carries Python objects between processes of one user, by its own pickling. Nothing of that reaches a file of a run.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from framework.errors import UsageError, need

REACH_SECONDS = 5.0
"""How long the head node may take to accept a connection."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Variables for Ray: send no statistics, and leave the variables that hide GPUs as they are."""


@contextmanager
def connect(address: str, *, cores: int | None = None) -> Iterator[None]:
    """Connect this process to a Ray cluster. At the end, stop what this call started, and nothing else.

    If the process is connected already, that connection is used, and stays open.

    Args:
        address: "" starts a Ray on this machine, without a dashboard and without usage statistics. "auto" finds one
            that runs on this machine. HOST:PORT is the head node of a cluster to which this machine belongs.
        cores: how many cores a Ray that is started here offers; None: those of the machine.

    Raises:
        UsageError: if Ray is not installed, the address is none, or nothing answers there.
    """
    need("ray", "a cluster", "ray")
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield
        return
    if address not in ("", "auto"):
        _require_answer(address)
    with _signal_handlers_kept():
        try:
            if address:
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
            else:
                ray.init(
                    "local",
                    num_cpus=cores,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            where = f"the Ray cluster at '{address}'" if address else "a Ray on this machine"
            raise UsageError(f"{where} cannot be used: {str(error).strip().splitlines()[0]}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Ray itself waits for a long time, and then names no address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise UsageError(
            f"'{address}' is no address of a Ray cluster: give HOST:PORT of its head node, such as 10.0.0.1:6379, or "
            "auto for one that runs on this machine, or nothing to start one"
        )
    try:
        socket.create_connection((host, int(port)), REACH_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"no Ray cluster answers at '{address}' ({reason}): start its head node there with "
            f"'ray start --head --port={port}', or give no address to start one on this machine"
        ) from error


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Ray replaces the handler of SIGTERM; the run has one of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
