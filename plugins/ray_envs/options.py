"""The options of `ray_envs`."""

from __future__ import annotations

from framework.config import Field, Section
from plugins.remote import ADDRESS, CORES


class RayEnvsOptions(Section, name="ray_envs", free=("address", "actors", "cores", "seconds")):
    """Where the training environments play."""

    address: str = Field("", description=ADDRESS)
    actors: int | None = Field(
        None,
        ge=0,
        le=4096,
        description="processes that share the environments; not set: as many as there are cores, at most one for each "
        "environment; 0: none, the environments play in the run's process",
    )
    cores: float = Field(1.0, ge=0, le=1024, description=CORES)
    seconds: float = Field(
        60.0,
        gt=0,
        description="an actor that needs longer for a step or a reset is killed, and another one plays its episodes "
        "again",
    )
