"""The training environments in actors of a Ray cluster: slow ones step on as many cores as the cluster has.

The agent acts and learns in the run's process, as without this plugin. Each episode is a function of its seed and its
actions, so the run is the same, bit for bit, on any number of actors: weights, metrics, checkpoints and the trace of
`--deterministic`. An actor that dies, with its machine or alone, or that does not answer in time, is replaced. Its
running episodes are played again from their seeds and actions, and the run goes on. Where other frames appear then, the
run ends, because it would no longer be the same.

Each process of an actor imports the plugins of the run. On other machines, the same versions must be installed, and
plugins that are files must lie at the same place.

| option | meaning |
| --- | --- |
| `ray_envs.address` | "": the run starts a Ray on this machine and stops it at its end |
| `ray_envs.actors` | how many processes share the environments |
| `ray_envs.cores` | what each reserves; 0 where environments wait rather than compute |
| `ray_envs.seconds` | the limit for an answer, and for each step that is played again |
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from framework.assembly.slots import Slots
from framework.config import Config, Section
from framework.errors import UsageError, need
from framework.hooks import hookimpl
from framework.options import RunOptions
from framework.types import Role, SideBySide
from plugins.ray_envs.options import RayEnvsOptions


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [RayEnvsOptions]


@hookimpl(wrapper=True)
def make_env(config: Config, role: Role, slots: Slots) -> Generator[None, Any, Any]:
    """Put the training environments into actors, and leave all others where they are."""
    made = yield
    options = config[RayEnvsOptions]
    if role != "train" or options.actors == 0:
        return made
    need("ray", "ray_envs", "ray")
    owner = slots.filled["make_env"]
    if not callable(made):
        if hasattr(made, "close"):
            made.close()
        raise UsageError(
            f"ray_envs puts single environments into actors, and {owner} makes a vector environment: drop ray_envs, or "
            f"let {owner} make single ones (atari and pong: backend = wrappers)"
        )
    if isinstance(made, SideBySide):
        raise UsageError("ray_envs and another plugin both put the environments side by side: drop one of them")
    if config[RunOptions].env_processes:
        raise UsageError("ray_envs and run.env_processes both put the environments into processes: drop one of them")
    from plugins.ray_envs.factory import RemoteFactory

    return RemoteFactory(made, options, config)


@hookimpl
def conformance_values() -> Mapping[str, Any]:
    return {"ray_envs.actors": 0}  # the harness looks into its environments, which only this process can show
