"""Collection by actors on a Ray cluster, in the manner of Ape-X (Horgan et al. 2018), for one learner.

Each actor owns some of the environments, a copy of the policy on the CPU and an exploration. It gets the newest weights
with a request, makes steps, and returns them as a fragment in which each frame is there once. The learner rebuilds the
true transitions. So replay, returns, priorities and checks see what they see without this plugin.

* Actor i of N explores with ε_i = ε^(1 + i/(N − 1) · α), for its whole life (section 4). The exploration of another
  plugin (`noisy`, `boltzmann`, …) takes the place of these ε; each actor has its own random numbers.
* If a plugin such as `per` fills `make_sampler`, actors compute the priorities of new transitions with the run's own
  loss (algorithm 1), and new transitions do not wait for their first update with the largest priority.
* Weights have versions. The learner puts each into the object store once, for all actors.
* At most two fragments of an actor are under way or waiting. The learner waits where it has no steps, and actors wait
  where the learner has not used up theirs. So there are as many updates for each step as `learning.updates_per_step`
  says, unlike in the paper, and memory has a bound, which the manifest states.
* An actor that ends or hangs is replaced, up to a limit. The episode that was under way stops at the last step that the
  learner has. No window leads over the gap, its return is not reported, and nothing is counted twice.

Which fragment comes first is a matter of time, so two runs with one seed differ, and `--deterministic` is refused.
After `--resume`, the learner is in the exact state of the checkpoint, and collection begins new episodes.

Paper → here (Horgan et al. 2018, section 4 and appendix):

| option | paper | here | why |
| --- | --- | --- | --- |
| `ray_collect.epsilon` | 0.4 | 0.4 | |
| `ray_collect.alpha` | 7 | 7.0 | |
| `ray_collect.fragment` | 50 | 50 | |
| `ray_collect.publish` | 400 frames of an actor | 100 | counted in updates here, as one version serves all |
| `ray_collect.actors` | 360 | null | one for each environment |
| `ray_collect.cores` | 1 | 1.0 | |
| `ray_collect.staleness` | – | 10000 | the paper drops nothing |
| `ray_collect.seconds` | – | 60.0 | the paper says nothing of failures |
| `ray_collect.restarts` | – | 10 | the same |
| `ray_collect.address` | – | | a cluster is not needed |
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from gymnasium.vector import VectorEnv

from framework.assembly.manager import ENGINE
from framework.assembly.slots import Slots
from framework.config import Config, Section
from framework.environments.stream import TransitionStream
from framework.errors import UsageError, need
from framework.hooks import hookimpl
from framework.options import RunOptions
from framework.seeding import Seeds
from framework.types import Collector, Exploration, Policy, Role, SideBySide
from plugins.ray_collect.ladder import Ladder
from plugins.ray_collect.options import RayCollectOptions


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [RayCollectOptions]


@hookimpl(wrapper=True)
def make_env(config: Config, role: Role, num_envs: int, slots: Slots) -> Generator[None, Any, Any]:
    made = yield
    if role != "train" or config[RayCollectOptions].actors == 0:
        return made
    need("ray", "ray_collect", "ray")
    if isinstance(made, SideBySide):
        raise UsageError("ray_collect and another plugin both put the environments side by side: drop one of them")
    from plugins.ray_collect.elsewhere import Elsewhere, ElsewhereFactory

    return Elsewhere(made, num_envs) if isinstance(made, VectorEnv) else ElsewhereFactory(made)


@hookimpl(trylast=True)
def make_exploration(config: Config, seeds: Seeds) -> Exploration:
    options = config[RayCollectOptions]
    return Ladder(options.epsilon, options.alpha, seeds.generator("exploration"))


@hookimpl
def make_collector(
    stream: TransitionStream, policy: Policy, exploration: Exploration, config: Config, seeds: Seeds, slots: Slots
) -> Collector:
    """Connect to the cluster, or refuse what cannot be collected by actors."""
    options, run = config[RayCollectOptions], config[RunOptions]
    if options.actors == 0:
        from framework.defaults.collector import InProcess

        return InProcess(stream, policy, exploration)
    problems = _problems(options, run, slots)
    if problems:
        raise UsageError(problems)
    from plugins.ray_collect.elsewhere import Elsewhere
    from plugins.ray_collect.start import start

    if not isinstance(stream.env, Elsewhere):
        raise UsageError("ray_collect needs the environments of make_env as they are: another plugin wraps them")
    prioritised = slots.filled.get("make_sampler") != ENGINE
    return start(stream.env, stream.spaces, policy, options, config, seeds, prioritised)


@hookimpl
def conformance_values() -> Mapping[str, Any]:
    return {"ray_collect.actors": 0}  # the harness looks at each step, which only this process can show


def _problems(options: RayCollectOptions, run: RunOptions, slots: Slots) -> list[str]:
    """Why this composition cannot be collected by actors."""
    found = []
    if run.deterministic:
        found.append(
            "ray_collect cannot repeat a run, because which actor delivers first is a matter of time: drop "
            "--deterministic, or use ray_envs, which can"
        )
    if run.env_processes:
        found.append("ray_collect plays its environments in actors: drop run.env_processes")
    if options.staleness < options.publish:
        found.append(
            f"ray_collect.staleness = {options.staleness} is less than ray_collect.publish = {options.publish}, so "
            "weights would be too old before there are newer ones: raise it, or lower ray_collect.publish"
        )
    if options.actors is not None and options.actors > run.num_envs:
        found.append(
            f"ray_collect.actors = {options.actors} is more than run.num_envs = {run.num_envs}: lower it, or raise "
            "--num-envs"
        )
    if not slots.uses("make_buffer", "sampler"):
        found.append(
            f"ray_collect needs a replay with a sampler, and the buffer of {slots.filled['make_buffer']} learns from "
            "steps in their order with the newest weights: use ray_envs, or drop ray_collect"
        )
    if slots.uses("make_loss", "exploration"):
        found.append(
            f"the loss of {slots.filled['make_loss']} asks how the agent itself explores (it learns on-policy), and "
            "each actor of ray_collect explores in another way: use ray_envs, or drop ray_collect"
        )
    return found
