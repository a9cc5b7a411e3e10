"""What `ray_envs` and `ray_collect` share: a composition that is built again in an actor, and its errors."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from framework.assembly.builder import Builder
from framework.assembly.configuration import configure, is_file
from framework.config import Config, Source
from framework.environments.processes import end_with, own_random_state
from framework.errors import FrameworkError, UsageError
from framework.options import RunOptions
from framework.processes.cluster import connect
from framework.processes.lifeline import STOP_SIGNALS


def cluster(address: str, cores: int) -> AbstractContextManager[None]:
    """A connection of this process to a cluster for actors (`framework.processes.cluster.connect`).

    Raises:
        UsageError: if this process could only be a client of the cluster.
    """
    if address.startswith("ray://"):
        raise UsageError(
            f"'{address}' is for clients outside of a cluster, and every step would cross to it: start the run on a "
            "machine of the cluster, with HOST:PORT of its head node or with auto"
        )
    return connect(address, cores=cores)


@dataclass(frozen=True)
class Recipe:
    """The plugins and the options from which an actor builds parts of the run again."""

    names: Sequence[str]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, config: Config, changes: Mapping[str, Any]) -> Recipe:
        """The recipe of a run, with other values for some options. Plugins that are files get absolute paths.

        Nothing counts as read for that: see `framework.assembly.readings`.
        """
        names = [str(Path(name).resolve()) if is_file(name) else name for name in config[RunOptions].plugins]
        values = {path: value for path, value in config.for_later().flat().items() if path != "run.plugins"}
        return cls(names, {**values, **changes})

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """The same recipe with other values for some options."""
        return replace(self, values={**self.values, **changes})

    def builder(self) -> Builder:
        """The builder of the parts."""
        plugins, config, _ = configure(self.names, [Source("the run", self.values)])
        return Builder.of(plugins, config)


@dataclass(frozen=True)
class Failure:
    """An error that the code of a plugin or of an environment raised in an actor."""

    text: str
    problems: tuple[str, ...] = ()
    """The problems, if it was a `UsageError`."""

    def error(self, where: str) -> Exception:
        """The error to raise in the run."""
        if self.problems:
            return UsageError(self.problems)
        return RemoteError(f"{where}: {self.text}")


class RemoteError(RuntimeError):
    """Code in an actor raised an error, or no actor can do the work."""


def answered(function: Callable[[], Any]) -> Any:
    """Call a function in an actor. Return its result, or the `Failure`: Ray would wrap the error in one of its own."""
    try:
        return function()
    except UsageError as error:
        return Failure(str(error), error.problems)
    except FrameworkError as error:
        return Failure(str(error))
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}")


def prepare_actor(seed: int) -> None:
    """Prepare the process of an actor: signals are for the run, and global random states are the actor's own.

    Ray ends the process when the run's process ends. Should Ray itself be killed, this process ends, too.
    """
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    own_random_state(seed)
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
