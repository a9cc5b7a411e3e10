"""The options of `ray_collect`."""

from __future__ import annotations

from framework.config import Field, Section
from plugins.remote import ADDRESS, CORES


class RayCollectOptions(Section, name="ray_collect", free=("address", "cores", "seconds", "restarts")):
    """Who collects, and how far actors may be behind the learner."""

    address: str = Field("", description=ADDRESS)
    actors: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="actors that share run.num_envs environments; not set: one for each environment; 0: none, the "
        "run's process collects, with the ε of the first actor",
    )
    cores: float = Field(1.0, ge=0, le=1024, description=CORES)
    epsilon: float = Field(0.4, ge=0, le=1, description="ε of the first actor; see alpha")
    alpha: float = Field(7.0, ge=0, description="α: actor i of N explores with ε^(1 + i/(N − 1) · α)")
    fragment: int = Field(50, ge=1, le=100_000, description="steps of each environment in a fragment")
    publish: int = Field(100, ge=1, description="gradient updates between two versions of the weights")
    staleness: int = Field(
        10_000,
        ge=0,
        description="largest number of updates that the learner may be ahead of the weights of a fragment when it "
        "arrives; an older fragment is dropped, and its actor begins new episodes",
    )
    seconds: float = Field(
        60.0, gt=0, description="an actor that needs longer for a fragment is killed, and counts as lost"
    )
    restarts: int = Field(
        10, ge=0, description="how often each actor is replaced; after that, the run goes on without it"
    )
