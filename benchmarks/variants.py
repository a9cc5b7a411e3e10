"""Judges every variant of dqn on two games of MinAtar and on CartPole, and writes docs/results/variants.md.

    python benchmarks/variants.py runs/variants

An arm is `dqn` with one more plugin, or a bundle; all have what the environment recommends and nothing else but
the values below. The runs go side by side and a study that was cut short goes on where it was, so the same command
writes the page again from runs that are there. What was concluded from it stands in variants_conclusions.md and is
copied to the top of the page.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from framework.errors import FrameworkError
from framework.study import Arm, Study, Summary, run_study, summarise
from framework.study.statistics import shown

PARTS = (
    "double",
    "dueling",
    "nstep",
    "per",
    "noisy",
    "c51",
    "qr",
    "iqn",
    "munchausen",
    "polyak",
    "online",
    "boltzmann",
    "layer_norm",
    "impala",
)
BUNDLES = ("rainbow", "data_efficient", "pqn")

STUDIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "cartpole": ("cartpole", {"run.steps": 30_000}),
    "breakout": ("minatar", {"minatar.game": "breakout", "run.steps": 50_000}),
    "space_invaders": ("minatar", {"minatar.game": "space_invaders", "run.steps": 50_000}),
    "second_look": ("cartpole", {"run.steps": 30_000}),
}
"""Name → the environment's plugin, and the values of all arms. Nothing is evaluated: every run has training returns."""

SECOND_LOOK: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "noisy_quiet": ("noisy", {"noisy.sigma": 0.1}),
    "boltzmann_cold": ("boltzmann", {"boltzmann.temperature": 0.02}),
    "boltzmann_warm": ("boltzmann", {"boltzmann.temperature": 0.5}),
    "munchausen_half": ("munchausen", {"munchausen.alpha": 0.5}),
    "iqn_fast": ("iqn", {"dqn.learning_rate": 2e-3}),
    "per_mild": ("per", {"per.alpha": 0.3}),
    "polyak_fast": ("polyak", {"polyak.tau": 0.02}),
    "online_normed": ("online,layer_norm", {}),
}
"""Arms with one value or part changed, of variants that were never above dqn, or below it where they should not be."""

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results" / "variants.md"
CONCLUSIONS = HERE / "variants_conclusions.md"


def arms_of(study: str) -> list[Arm]:
    """The arms of one of `STUDIES`."""
    if study == "second_look":
        return [
            Arm("dqn", "dqn,cartpole"),
            *(Arm(label, f"dqn,{parts},cartpole", values) for label, (parts, values) in SECOND_LOOK.items()),
        ]
    return arms(STUDIES[study][0])


def arms(environment: str) -> list[Arm]:
    """The composition to beat, then the others."""
    parts = [part for part in PARTS if part != "impala" or environment == "minatar"]
    return [
        Arm("dqn", f"dqn,{environment}"),
        *(Arm(part, f"dqn,{part},{environment}") for part in parts),
        *(Arm(bundle, f"{bundle},{environment}") for bundle in BUNDLES),
    ]


def verdict(summary: Summary, base: Summary) -> str:
    """Whether every seed of one arm is better than every seed of the other, by the area under the curve."""
    own, other = ([run.area for run in arm.runs if run.area is not None] for arm in (summary, base))
    if summary is base or len(own) < len(summary.runs) or len(other) < len(base.runs):
        return ""
    return "**above**" if min(own) > max(other) else "below" if max(own) < min(other) else "overlaps"


def table(summaries: Sequence[Summary]) -> str:
    """One row an arm, the best area first."""
    base = summaries[0]
    rows = [
        "| arm | area under the curve | of each seed | against dqn | final return | of each seed |",
        "| --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for summary in sorted(summaries, key=lambda arm: arm.area.value or -np.inf, reverse=True):
        areas, finals = (
            ", ".join(map(shown, column))
            for column in ([run.area for run in summary.runs], [run.final for run in summary.runs])
        )
        rows.append(
            f"| {summary.arm} | {summary.area} | {areas} | {verdict(summary, base)} | {summary.final} | {finals} |"
        )
    return "\n".join(rows)


def section(name: str, study: Study, seeds: int) -> str:
    """The part of the page that shows one study; its plots are copied beside the page."""
    environment, values = STUDIES[name]
    summaries = summarise(study.results)
    for plot in ("study", "curves"):
        shutil.copyfile(study.folder / f"{plot}.png", PAGE.parent / f"variants-{name}-{plot}.png")
    options = ", ".join(f"`{path}={value}`" for path, value in values.items())
    return "\n\n".join(
        [
            f"## {name}",
            f"`{environment}` with {options}; seeds 0 to {seeds - 1}.",
            table(summaries),
            f"![Final return and area under the curve of each arm on {name}](variants-{name}-study.png)",
            f"![The running mean return of each arm on {name}](variants-{name}-curves.png)",
        ]
    )


def page(studies: Mapping[str, Study], seeds: int) -> str:
    """The whole page."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "gymnasium", "MinAtar", "numpy"))
    return "\n\n".join(
        [
            "# Every variant on two games of MinAtar and CartPole",
            "Written by `python benchmarks/variants.py runs/variants`. An arm is `dqn` with one more plugin, or a "
            "bundle, with the values that the environment recommends: nothing was tuned for any arm.",
            CONCLUSIONS.read_text(encoding="utf-8").strip(),
            "*Area under the curve*: the mean raw return of the last 100 training episodes, averaged over the run. "
            "*Final return*: that mean in the end. Beside every seed's figure: the interquartile mean and the 95 % "
            "percentile bootstrap interval. *Against dqn*: **above** if every seed's area is larger than every "
            "one of dqn's, below if every one is smaller. Three seeds are few: what overlaps is not told apart.",
            *(section(name, study, seeds) for name, study in studies.items()),
            f"Python {platform.python_version()}, {packages}, one thread a run.",
        ]
    )


def main(
    folder: Annotated[Path, typer.Argument(help="Where the runs are, or go.")],
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Runs side by side.")] = 2,
    only: Annotated[list[str] | None, typer.Option(help="Run these studies alone, and write no page.")] = None,
) -> None:
    """Run what is missing, then write the page."""
    studies = {}
    for name, (_, values) in STUDIES.items():
        if only and name not in only:
            continue
        given = {"evaluation.every": 0, **values}
        studies[name] = run_study(
            arms_of(name), range(seeds), folder / name, values=given, jobs=jobs, show_progress=True
        )
        if studies[name].interrupted:
            raise typer.Exit(130)
        if studies[name].failures:
            raise FrameworkError("\n".join(map(str, studies[name].failures)))
    if not only:
        PAGE.write_text(page(studies, seeds) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
