"""What `ray_envs` and `ray_collect` share: the cluster, the processes of actors, and their errors."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from framework.assembly.builder import Builder
from framework.assembly.configuration import configure
from framework.assembly.recipe import Recipe
from framework.environments.processes import end_with, own_random_state
from framework.errors import FrameworkError, UsageError
from framework.processes.cluster import connect
from framework.processes.lifeline import STOP_SIGNALS
from framework.processes.limits import usable_cores

ADDRESS = (
    "HOST:PORT of a Ray cluster's head node, or auto for a Ray that runs on this machine; empty: the run starts one "
    "here, and stops it"
)
"""The description of the option `address`."""

CORES = "cores that each actor reserves; 0: it takes what is left"
"""The description of the option `cores`."""

START_SECONDS = 120.0
"""How long an actor may need to start, beside the option `seconds`."""


@contextmanager
def cluster(section: str, address: str, actors: int, cores: float) -> Iterator[int]:
    """Connect this process to a cluster for actors, and tell how many cores it has.

    A Ray that is started for it has as many as the actors reserve, whatever the machine has.

    Args:
        section: the plugin's section, for messages.
        address: its option `address`.
        actors: how many actors there must be room for.
        cores: what each of them reserves.

    Raises:
        UsageError: if this process could only be a client of the cluster, nothing answers, or it has too few cores.
    """
    if address.startswith("ray://"):
        raise UsageError(
            f"{section}.address = {address} is for clients outside of a cluster, and every step would cross to it: "
            "start the run on a machine of the cluster, with HOST:PORT of its head node or with auto"
        )
    needed = actors * cores
    with connect(address, cores=max(usable_cores(), math.ceil(needed))):
        import ray

        there = float(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        if needed > there:
            raise UsageError(
                f"{actors} actors with {section}.cores = {cores:g} need {needed:g} cores, and the cluster has "
                f"{there:g}: lower {section}.actors or {section}.cores; with 0 cores, actors share what there is"
            )
        yield int(there)


def builder_of(recipe: Recipe) -> Builder:
    """The builder of the parts of a recipe, in an actor."""
    plugins, config, _ = configure(recipe.names, [recipe.source])
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
