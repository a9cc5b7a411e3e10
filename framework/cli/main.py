"""The command line as a process: wrong input is one clear message and exit code 2, and nothing has been written."""

from __future__ import annotations

import errno
import io
import sys
from contextlib import suppress

import typer

from framework.cli.app import app
from framework.errors import FrameworkError

REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)
"""What a disk that is full, broken or not ours says, to whatever is written: a file, or the output itself."""


def main() -> None:
    """Run the command line; errors that the framework raises on purpose end with a message and their exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # Greek letters and TOML files must not depend on the locale
    try:
        app()
    except FrameworkError as error:
        for line in getattr(error, "problems", None) or [str(error)]:
            typer.echo(f"error: {line}", err=True)
        if error.exit_code == 1 and not isinstance(error.__cause__, OSError | None):
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
