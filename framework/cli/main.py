"""The entry point of the command line. Wrong input gives one clear message and exit code 2, and writes nothing."""

from __future__ import annotations

import errno
import io
import sys
from contextlib import suppress

import typer

from framework.cli.app import app
from framework.errors import FrameworkError

REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)
"""Errors of a disk that is full, broken or not writable. A file or the output itself may raise them."""


def main() -> None:
    """Run the command line. An error that the framework raises on purpose gives a message and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # Greek letters and TOML files must not depend on the locale
    try:
        app()
    except FrameworkError as error:
        for line in getattr(error, "problems", None) or [str(error)]:
            typer.echo(f"error: {line}", err=True)
        if error.of_a_plugin and error.__cause__:
            import traceback

            traceback.print_exception(error.__cause__)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        with suppress(OSError):
            typer.echo(f"error: the system refuses: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
