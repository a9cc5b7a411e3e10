"""The card of a run on a hub: what learnt, what it reached, and how to use it. The hub shows it first."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from framework.comparison.recorded import RecordedRun

LIBRARY = "pluggable-q"


def card_of(run: RecordedRun, repository: str, steps: int | None) -> str:
    """The card in Markdown, with the metadata that the hub reads: tags, library and score.

    Args:
        run: the run.
        repository: its name on the hub.
        steps: environment steps of the best weights by evaluation; None if there are none.
    """
    from huggingface_hub import EvalResult, ModelCardData
    from jinja2 import Environment, StrictUndefined

    environment, score = _environment(run), _score(run, steps)
    results = [
        EvalResult(
            task_type="reinforcement-learning",
            dataset_type=environment,
            dataset_name=environment,
            metric_type="mean_reward",
            metric_name="mean return",
            metric_value=f"{score['mean']:.2f} +/- {score['deviation']:.2f}",
            verified=False,
        )
        for score in ([score] if score else [])
    ]
    metadata = ModelCardData(
        library_name=LIBRARY,
        pipeline_tag="reinforcement-learning",
        tags=["reinforcement-learning", "deep-q-learning", LIBRARY, environment],
        model_name=" ".join(run.plugins),
        eval_results=results or None,
    )
    template = files("framework.hub").joinpath("templates/card.md").read_text(encoding="utf-8")
    page = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False).from_string(template)  # noqa: S701  # Markdown
    return page.render(
        metadata=metadata.to_yaml().strip(),
        run=run,
        repository=repository,
        name=repository.rpartition("/")[2],
        environment=environment,
        score=score,
        plugins=run.manifest.get("plugins") or run.plugins,
        slots=run.told("slots"),
        protocol=run.told("environment"),
        versions={LIBRARY: "", **run.told("versions")},
    )


def _environment(run: RecordedRun) -> str:
    """The plugin that makes the environment, and the game if the plugin has several: "atari breakout"."""
    name = str(run.told("slots").get("make_env", "unknown"))
    game = run.options.get(f"{name}.game")
    return f"{name} {game}" if isinstance(game, str) else name


def _score(run: RecordedRun, steps: int | None) -> dict[str, Any] | None:
    """The evaluation of the best weights, else the last evaluation, with the key "confirmation"; None without one."""
    rows = [row for row in run.of_kind("evaluation") if isinstance(row.get("deviation"), int | float)]
    chosen = [row for row in rows if row["env_steps"] == steps] or rows[-1:]
    return {"confirmation": False, **chosen[-1]} if chosen else None
