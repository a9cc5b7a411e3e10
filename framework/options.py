"""The engine's own options, one section for each thing that it does. Plugins read those that concern them."""

from __future__ import annotations

from typing import Literal

from framework.config import Field, Section
from framework.types import Unit


class RunOptions(Section, name="run"):
    """What to run, from which seed, and when to stop: at the first of the ends that are set."""

    plugins: tuple[str, ...] = Field((), description="the plugins by name, as on the command line")
    seed: int = Field(0, ge=0, lt=2**63, description="the root of every random stream of the run")
    steps: int | None = Field(None, ge=1, description="stop after this many environment steps")
    episodes: int | None = Field(None, ge=1, description="stop after this many episodes")
    until: float | None = Field(None, description="stop when an evaluation's mean return reaches this")
    num_envs: int = Field(1, ge=1, le=4096, description="environments side by side")
    env_processes: bool = Field(
        False,
        description="each environment in a process of its own, which may be silent for four fifths of run.watchdog; "
        "pays for slow ones, and does nothing for those that a plugin makes side by side",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where networks live; auto is CUDA where there is one"
    )
    deterministic: bool = Field(
        False, description="refuse algorithms that vary from run to run, and record a trace that 'replay' compares with"
    )
    watchdog: float = Field(
        600, ge=0, description="the command run ends after so many seconds without a step, and says where; 0: never"
    )


class EvaluationOptions(Section, name="evaluation"):
    """Periodic evaluation, in environments and with a random stream of its own."""

    every: int = Field(0, ge=0, description="environment steps between evaluations; 0 is never")
    episodes: int = Field(10, ge=1, description="episodes of each evaluation")
    confirm: int = Field(
        0,
        ge=0,
        description="fresh episodes that must reach run.until once an evaluation has, for the run to end; 0: none",
    )
    epsilon: float = Field(0.001, ge=0, le=1, description="probability of a uniformly random action")
    num_envs: int = Field(5, ge=1, le=1024, description="environments side by side, at most one an episode")


class ExplorationOptions(Section, name="exploration"):
    """ε-greedy: a uniformly random action with probability ε, else the one of the largest value."""

    start: float = Field(1.0, ge=0, le=1, description="ε at the start")
    final: float = Field(0.05, ge=0, le=1, description="ε in the end")
    shape: Literal["linear", "exponential"] = Field("linear", description="how ε falls")
    horizon: int = Field(1_000, ge=1, description="linear: ε is final from here on; exponential: the time constant")
    unit: Unit = Field("env_steps", description="what the horizon counts")


class ReturnsOptions(Section, name="returns"):
    """What a reward is worth later."""

    gamma: float = Field(0.99, ge=0, le=1, description="discount an environment step")


class ReplayOptions(Section, name="replay"):
    """The ring of frames."""

    capacity: int = Field(10_000, ge=2, description="frames kept, of all environments together; each is stored once")


class LearningOptions(Section, name="learning"):
    """How much to learn, and when."""

    batch_size: int = Field(32, ge=1, description="transitions in a batch")
    starts: int = Field(200, ge=0, description="environment steps before the first update")
    updates_per_step: float = Field(0.25, gt=0, le=1024, description="gradient updates an environment step, after that")


class TargetOptions(Section, name="target"):
    """When the target network is copied from the online one."""

    every: int = Field(250, ge=1, description="period of the copy")
    unit: Unit = Field("env_steps", description="what the period counts")


class CheckpointOptions(Section, name="checkpoint"):
    """What is kept of a recorded run, so that it can go on after a kill as if nothing had happened."""

    every: int = Field(
        10_000,
        ge=0,
        description="environment steps between checkpoints; one more is written at the end; 0: none at all",
    )
