"""Sends a run's metrics and options to Weights & Biases, while it trains.

The curves have the names of metrics.jsonl: `episode/return`, `evaluation/mean`, `learning/loss`, against environment
steps. The option `wandb.mode` = offline writes them to RUN/wandb alone, for `wandb sync`. If the service cannot be
reached, the run says so once and continues.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from framework.assembly.parts import RunInfo
from framework.config import Config, Field, Section
from framework.errors import need
from framework.events import Callback
from framework.hooks import hookimpl
from plugins.tracking import Row, Tracker

CHECK_WITH = "tabular,chain"


class WandbOptions(Section, name="wandb"):
    """Where Weights & Biases keeps the run."""

    project: str = Field("pluggable-q", description="project of the run")
    entity: str = Field("", description="user or team of the project; empty: your default")
    mode: Literal["auto", "online", "offline"] = Field(
        "auto", description="auto: as the variable WANDB_MODE says, else online; offline: only the folder RUN/wandb"
    )


class Wandb:
    """A run of Weights & Biases."""

    def __init__(self, options: WandbOptions, folder: Path) -> None:
        self._options, self._folder = options, folder
        self._run: Any = None

    def begin(self, name: str, options: Mapping[str, Any]) -> None:
        """Begin the run. Raises whatever wandb raises, and RuntimeError if nobody has logged in."""
        import wandb

        chosen = self._options.mode
        mode: Any = os.environ.get("WANDB_MODE", "online") if chosen == "auto" else chosen
        settings = wandb.Settings(console="off", silent=True)  # the run has an output of its own
        if mode == "online" and not wandb.api.api_key:
            # wandb would ask for the key, and nobody can answer a thread
            raise RuntimeError("nobody has logged in: type 'wandb login', or set wandb.mode=offline")
        self._run = wandb.init(
            project=self._options.project,
            entity=self._options.entity or None,
            name=name,
            dir=str(self._folder),
            mode=mode,
            config=dict(options),
            settings=settings,
        )
        self._run.define_metric("env_steps")
        self._run.define_metric("*", step_metric="env_steps")

    def send(self, rows: Sequence[Row]) -> None:
        for env_steps, scalars in rows:
            self._run.log({"env_steps": env_steps, **scalars})

    def end(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [WandbOptions]


@hookimpl
def make_callbacks(config: Config, run: RunInfo) -> Sequence[Callback]:
    options = config[WandbOptions]
    if run.folder is None:
        return []
    need("wandb", "the plugin wandb", "wandb")
    return [Tracker("wandb", Wandb(options, run.folder), run.folder, config.flat())]
