"""The engine's own options, one section for each topic. Plugins may read them."""

from __future__ import annotations

from typing import Literal

from framework.config import Field, Section
from framework.types import Unit


class RunOptions(
    Section, name="run", free=("steps", "episodes", "until", "patience", "hours", "watchdog", "env_processes")
):
    """What to run, with which seed, and when to stop. The run stops at the first of the ends that are set."""

    plugins: tuple[str, ...] = Field((), description="the plugins by name, as on the command line")
    seed: int = Field(0, ge=0, lt=2**63, description="the seed of every random generator of the run")
    steps: int | None = Field(None, ge=1, description="stop after this many environment steps")
    planned: int | None = Field(
        None,
        ge=1,
        description="environment steps for which schedules over the run are planned, such as exploration.share; not "
        "set: run.steps",
    )
    episodes: int | None = Field(None, ge=1, description="stop after this many episodes")
    until: float | None = Field(None, description="stop when an evaluation's mean return reaches this")
    patience: int | None = Field(
        None,
        ge=0,
        description="stop when so many evaluations in a row did not improve the best mean return; an evaluation whose "
        "confirmation failed is no improvement; 0: never",
    )
    hours: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="stop after this time by the clock, evaluations included, with a checkpoint; other ends remain; a "
        "run that continues has this time anew",
    )
    init_from: str | None = Field(
        None,
        description="start with the weights of another run, and nothing else of it: a run folder, the name of a plugin "
        "with a trained agent, or a file of weights; the run keeps a copy",
    )
    init_weights: Literal["evaluation", "last", "mean_100"] | None = Field(
        None, description="which weights of run.init_from; default: the first of these that it saved"
    )
    num_envs: int = Field(1, ge=1, le=4096, description="environments side by side")
    env_processes: bool = Field(
        False,
        description="run each environment in a process of its own, which must answer within 4/5 of run.watchdog; "
        "useful for slow environments, without effect if a plugin makes a vector environment",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="device of the networks; auto is CUDA if it is available"
    )
    deterministic: bool = Field(
        False, description="refuse algorithms that vary from run to run, and record a trace for the command 'repeat'"
    )
    watchdog: float = Field(
        600, ge=0, description="the command 'run' ends after this many seconds without a step, and says where; 0: never"
    )


class EvaluationOptions(Section, name="evaluation"):
    """Periodic evaluation. It has its own environments and its own random generator."""

    every: int = Field(0, ge=0, description="environment steps between evaluations; 0: never")
    episodes: int = Field(10, ge=1, description="episodes of each evaluation")
    first: int = Field(
        0,
        ge=0,
        description="an evaluation ends after this many of its episodes if none of them reaches run.until, or if the "
        "others cannot raise the mean to it; 0: all are played. If half of an agent's episodes reach the goal, none of "
        "them does with a probability of 1/2 to the power of this number",
    )
    confirm: int = Field(
        0,
        ge=0,
        description="after an evaluation reaches run.until, the run ends only if the mean of this many fresh episodes "
        "reaches it too; 0: no confirmation",
    )
    lag: int = Field(
        0,
        ge=0,
        description="a process of its own plays the evaluations while training goes on, and a result counts this many "
        "environment steps later, but not after the next evaluation is due or the run ends; 0: training waits",
    )
    epsilon: float = Field(0.001, ge=0, le=1, description="probability of a uniformly random action")
    num_envs: int = Field(5, ge=1, le=1024, description="environments side by side, at most one for each episode")
    groups: int = Field(
        1,
        ge=1,
        le=64,
        description="with more than 1, the environments of one group step while the agent acts in another: saves time "
        "where environments work in threads or processes of their own",
    )
    max_steps: int = Field(
        27_000,
        ge=0,
        description="steps after which an episode is cut off and counted as unfinished, in evaluations, 'evaluate' and "
        "'watch'; 27,000 steps are half an hour of an Atari game; 0: never",
    )


SUM = "sum:"
"""In record.info, the prefix of a metric that is a sum over an episode's steps."""

SUCCESS = "is_success"
"""The key of `info` that evaluations report without being asked, if the environment gives it."""


class RecordOptions(Section, name="record"):
    """What metrics and evaluations report beside returns and lengths."""

    info: tuple[str, ...] = Field(
        (),
        description="keys of the environment's info that are metrics of an episode, such as "
        f'["{SUCCESS}", "{SUM}reward_forward"]: a key is its number in the last step of the episode, and "{SUM}key" '
        f"the sum over all its steps; evaluations report their means, and {SUCCESS} without being asked",
    )


class ExplorationOptions(Section, name="exploration", searched={"final": "log(0.01, 0.2)"}):
    """ε-greedy: a uniformly random action with probability ε, else the action with the largest value."""

    start: float = Field(1.0, ge=0, le=1, description="ε at the start")
    final: float = Field(0.05, ge=0, le=1, description="ε at the end")
    shape: Literal["linear", "exponential"] = Field("linear", description="how ε falls")
    horizon: int = Field(1_000, ge=1, description="linear: ε is final from here on; exponential: the time constant")
    unit: Unit = Field("env_steps", description="what the horizon counts")
    share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="the horizon as a share of the run's planned steps; 0, or a run without them: horizon and unit "
        "count",
    )


class ReturnsOptions(Section, name="returns"):
    """How much later rewards count."""

    gamma: float = Field(0.99, ge=0, le=1, description="discount γ per environment step")


class ReplayOptions(Section, name="replay"):
    """The replay: a ring of frames."""

    capacity: int = Field(10_000, ge=2, description="frames kept, of all environments together; each is stored once")


class LearningOptions(Section, name="learning"):
    """How much to learn, and when."""

    batch_size: int = Field(32, ge=1, description="transitions in a batch")
    starts: int = Field(200, ge=0, description="environment steps before the first update")
    updates_per_step: float = Field(0.25, gt=0, le=1024, description="gradient updates per environment step after that")


class TargetOptions(Section, name="target", searched={"every": "logint(50, 5000)"}):
    """When the target network is copied from the online network."""

    every: int = Field(250, ge=1, description="period between copies")
    unit: Unit = Field("env_steps", description="what the period counts")


class CheckpointOptions(Section, name="checkpoint", free=("every",)):
    """Checkpoints of a recorded run. A run that was killed continues from its last checkpoint exactly as before."""

    every: int = Field(
        10_000,
        ge=0,
        description="environment steps between checkpoints; one more is written at the end; 0: no checkpoints",
    )
