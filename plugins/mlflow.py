"""Sends a run's metrics and options to MLflow, while it trains.

The curves have the names of metrics.jsonl: `episode/return`, `evaluation/mean`, `learning/loss`. MLflow's step is the
number of environment steps. If the server cannot be reached, the run says so once and continues.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from framework.assembly.parts import RunInfo
from framework.config import Config, Field, Section
from framework.errors import need
from framework.events import Callback
from framework.hooks import hookimpl
from plugins.tracking import Row, Tracker

CHECK_WITH = "tabular,chain"

MOST_METRICS, MOST_OPTIONS = 1000, 100
"""The most that MLflow takes in one call."""

LONGEST = 6000
"""The most characters of an option's value."""


class MlflowOptions(Section, name="mlflow"):
    """Where MLflow keeps the run."""

    uri: str = Field(
        "",
        description="server or store, such as http://localhost:5000 or sqlite:///mlflow.db; empty: as the variable "
        "MLFLOW_TRACKING_URI says",
    )
    experiment: str = Field("pluggable-q", description="experiment of the run; it is created if there is none")


class Mlflow:
    """A run of MLflow. It uses a client of its own and changes nothing of MLflow's global state."""

    def __init__(self, options: MlflowOptions) -> None:
        self._options = options
        self._client: Any = None
        self._run = ""

    def begin(self, name: str, options: Mapping[str, Any]) -> None:
        """Begin the run. Raises whatever MLflow raises."""
        from mlflow import MlflowClient
        from mlflow.entities import Param

        for library in ("mlflow", "alembic"):  # they report the making of a database
            logging.getLogger(library).setLevel(logging.WARNING)
        self._client = MlflowClient(self._options.uri or None)
        experiment = self._client.get_experiment_by_name(self._options.experiment)
        place = experiment.experiment_id if experiment else self._client.create_experiment(self._options.experiment)
        self._run = self._client.create_run(place, run_name=name).info.run_id
        params = [Param(key, str(value)[:LONGEST]) for key, value in options.items()]
        for start in range(0, len(params), MOST_OPTIONS):
            self._client.log_batch(self._run, params=params[start : start + MOST_OPTIONS])

    def send(self, rows: Sequence[Row]) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        points = [Metric(tag, value, now, env_steps) for env_steps, scalars in rows for tag, value in scalars.items()]
        for start in range(0, len(points), MOST_METRICS):
            self._client.log_batch(self._run, metrics=points[start : start + MOST_METRICS])

    def end(self, failed: bool) -> None:
        self._client.set_terminated(self._run, "FAILED" if failed else "FINISHED")


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MlflowOptions]


@hookimpl
def make_callbacks(config: Config, run: RunInfo) -> Sequence[Callback]:
    options = config[MlflowOptions]
    if run.folder is None:
        return []
    for module in ("mlflow", "sqlalchemy", "alembic"):
        need(module, "the plugin mlflow", "mlflow")
    return [Tracker("mlflow", Mlflow(options), run.folder, config.flat())]
