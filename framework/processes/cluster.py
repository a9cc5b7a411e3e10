"""A connection to Ray: to a cluster that runs already, or to a Ray of this machine that lives as long as it does.

Ray carries Python objects between the processes of one user, by a pickling of its own. None of that reaches a file.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from framework.errors import UsageError, need

ANSWER_SECONDS = 5.0
"""How long the machine at an address may take to accept a connection."""

ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""For Ray: send no statistics about its use, and hide no GPU from processes that ask for none."""

CLIENT = "ray://"
"""Begins the address of a cluster that this machine does not belong to."""

MODE = "RAY_AUTH_MODE"
"""The variable that tells Ray whether to use tokens."""

_users = 0
"""How many uses of the connection that `connect` has opened go on; 0 without one."""


@contextmanager
def connect(address: str, *, cores: int | None = None) -> Iterator[None]:
    """Connect this process to Ray. At the end, stop what was started for it, and nothing else.

    If the process is connected already, that connection is used. It ends with the last of its users; one that was
    opened in another way stays open.

    Args:
        address: "" starts a Ray on this machine, without a dashboard and without statistics about its use. "auto" joins
            the one that runs on this machine, HOST:PORT a cluster that this machine belongs to, and ray://HOST:PORT a
            cluster that it does not belong to.
        cores: how many cores a Ray that is started offers; None: those of the machine.

    Raises:
        UsageError: if Ray is not installed, nothing answers at the address within `ANSWER_SECONDS`, Ray refuses, or
            this process is connected to another cluster.
    """
    need("ray", "a cluster", "ray")
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with _token_shown(address):
        import ray

        if address and address != "auto":
            _require_answer(address)
        global _users
        if ray.is_initialized():
            _refuse_another(address)
            _users += bool(_users)  # somebody else's connection stays open
        else:
            _join(address, cores)
            _users = 1
        try:
            yield
        finally:
            _leave()


@contextmanager
def _token_shown(address: str) -> Iterator[None]:
    """Let Ray's client show the user's token. For other addresses, Ray does; a cluster that wants none ignores it."""
    shown = address.startswith(CLIENT) and _has_token() and MODE not in os.environ
    if shown:
        os.environ[MODE] = "token"
    try:
        yield
    finally:
        if shown:
            del os.environ[MODE]


def _has_token() -> bool:
    """Whether this user has one of the tokens by which Ray knows who may use a cluster."""
    given = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return given or (Path.home() / ".ray" / "auth_token").is_file()


def _join(address: str, cores: int | None) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if not address:
        quiet |= {"num_cpus": cores, "include_dashboard": False}
    if address.startswith(CLIENT):
        logging.getLogger("ray.client_builder").setLevel(logging.ERROR)
    with _handlers_kept():
        try:
            ray.init(address or "local", **({} if address.startswith(CLIENT) else quiet))
        except ImportError as error:
            raise UsageError(f"'{address}' needs Ray's client: pip install 'ray[client]' ({error})") from error
        except Exception as error:  # Ray raises a bare one where it does not start in time
            what = f"the Ray cluster at '{address}'" if address else "a Ray of this machine"
            why = " ".join(str(error).split())
            if address.startswith(CLIENT):
                why += "; if the cluster asks for a token, put that of its head node (ray get-auth-token) into "
                why += "~/.ray/auth_token here, and see that this machine has the same Ray and Python"
            raise UsageError(f"{what} cannot be used: {why}") from error


def _refuse_another(address: str) -> None:
    """A process has one connection. "" and "auto" are content with any."""
    import ray

    known = str(ray.get_runtime_context().gcs_address)
    if address not in ("", "auto") and _endpoint(address) != _endpoint(known):
        raise UsageError(
            f"this process is connected to the Ray cluster at '{known}' already, and cannot join '{address}' as well"
        )


def _endpoint(address: str) -> tuple[str, str]:
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    try:
        return socket.gethostbyname(host.strip("[]")), port
    except OSError:  # an address of IPv6, or a name that nobody knows
        return host, port


def _leave() -> None:
    """End the connection with its last user."""
    global _users
    if _users:
        _users -= 1
        if not _users:
            import ray

            ray.shutdown()


def _require_answer(address: str) -> None:
    """Ray itself would wait for minutes."""
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"'{address}' is no address of Ray: write HOST:PORT, ray://HOST:PORT or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"no Ray cluster answers at '{address}' ({error}): start its head there with 'ray start --head', and see "
            "the address that it prints"
        ) from error


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
