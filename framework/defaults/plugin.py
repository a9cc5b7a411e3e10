"""The engine's own plugin: defaults for the slots that most algorithms do not change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from framework.assembly.slots import Slots
from framework.config import Config, Section
from framework.defaults.collector import InProcess
from framework.defaults.exploration import EpsilonGreedy, epsilon_schedule
from framework.defaults.pacing import HardSync, ReplayRatio
from framework.defaults.schedules import with_share
from framework.environments.stream import TransitionStream
from framework.errors import UsageError
from framework.events import Callback
from framework.hooks import hookimpl
from framework.options import (
    CheckpointOptions,
    EvaluationOptions,
    ExplorationOptions,
    LearningOptions,
    RecordOptions,
    ReplayOptions,
    ReturnsOptions,
    RunOptions,
    TargetOptions,
)
from framework.processes.limits import available_memory, require_memory
from framework.replay.lanes import FrameReplay, bytes_needed
from framework.replay.returns import NStepReturns
from framework.replay.samplers import UniformSampler
from framework.seeding import Seeds
from framework.types import (
    Buffer,
    Cadence,
    Collector,
    Exploration,
    Policy,
    Returns,
    Sampler,
    Spaces,
    Targeted,
    TargetSync,
)

if TYPE_CHECKING:
    from framework.assembly.parts import RunInfo


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [
        RunOptions,
        EvaluationOptions,
        RecordOptions,
        ExplorationOptions,
        ReturnsOptions,
        ReplayOptions,
        LearningOptions,
        TargetOptions,
        CheckpointOptions,
    ]


@hookimpl
def make_exploration(config: Config, seeds: Seeds) -> Exploration:
    options = with_share(config[ExplorationOptions], config[RunOptions])
    return EpsilonGreedy(epsilon_schedule(options), seeds.generator("exploration"))


@hookimpl
def make_returns(config: Config) -> Returns:
    return NStepReturns(config[ReturnsOptions].gamma)


@hookimpl
def make_sampler(seeds: Seeds) -> Sampler:
    return UniformSampler(seeds.generator("sampler"))


@hookimpl
def make_buffer(spaces: Spaces, sampler: Sampler, returns: Returns, config: Config) -> Buffer:
    capacity = config[ReplayOptions].capacity
    needed = bytes_needed(spaces, capacity)
    fits = capacity * available_memory() // needed // 2
    what = f"replay.capacity = {capacity} with {spaces.describe()}"
    require_memory(needed, what, f"lower it with --set replay.capacity={fits}")
    return FrameReplay(spaces, capacity, sampler, returns)


@hookimpl
def make_target_sync(policy: Policy, config: Config, slots: Slots) -> TargetSync:
    if not isinstance(policy, Targeted):
        raise UsageError(f"{type(policy).__name__} has no update_target, so its plugin must fill make_target_sync too")
    options, envs = config[TargetOptions], config[RunOptions].num_envs
    if options.unit == "env_steps" and options.every < envs:
        slots.note(
            f"target.every = {options.every} is less than run.num_envs = {envs}. The environments step together, so "
            f"the target network is copied every {envs} steps"
        )
    return HardSync(policy, options.every, options.unit)


@hookimpl
def make_cadence(config: Config) -> Cadence:
    options = config[LearningOptions]
    return ReplayRatio(options.batch_size, options.starts, options.updates_per_step, overlap=True)


@hookimpl
def make_collector(stream: TransitionStream, policy: Policy, exploration: Exploration) -> Collector:
    return InProcess(stream, policy, exploration)


@hookimpl
def libraries() -> Sequence[str]:
    return ["numpy", "gymnasium"]


@hookimpl
def make_callbacks(run: RunInfo) -> Sequence[Callback]:
    from framework.recording import standard_callbacks

    return standard_callbacks(run)
