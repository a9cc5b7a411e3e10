"""Compare every variant of dqn on two games of MinAtar and on CartPole, and write docs/results/variants.md.

    python benchmarks/variants.py runs/variants

An arm is `dqn` with one more plugin, or a bundle. Every arm has the values that the environment recommends and the
values below. Several runs are made side by side. The command makes only the runs that are missing, so it continues
after an interruption, and it can write the page again from complete runs. The conclusions are in
variants_conclusions.md; the command copies them to the top of the page.
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
"""Name → the environment's plugin, and the values of all arms. There are no evaluations, only training returns."""

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
"""Arms with one changed value or part, for variants that were never above dqn or unexpectedly below it."""

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results" / "variants.md"
CONCLUSIONS = HERE / "variants_conclusions.md"


def arms_of(study: str) -> list[Arm]:
    """Returns the arms of a study."""
    if study == "second_look":
        return [
            Arm("dqn", "dqn,cartpole"),
            *(Arm(label, f"dqn,{parts},cartpole", values) for label, (parts, values) in SECOND_LOOK.items()),
        ]
    return arms(STUDIES[study][0])


def arms(environment: str) -> list[Arm]:
    """Returns the arms for an environment. The first one is the baseline, dqn."""
    parts = [part for part in PARTS if part != "impala" or environment == "minatar"]
    return [
        Arm("dqn", f"dqn,{environment}"),
        *(Arm(part, f"dqn,{part},{environment}") for part in parts),
        *(Arm(bundle, f"{bundle},{environment}") for bundle in BUNDLES),
    ]


def verdict(summary: Summary, base: Summary) -> str:
    """Returns whether all seeds of an arm are above or below all seeds of the baseline, by the area under the curve."""
    own, other = ([run.area for run in arm.runs if run.area is not None] for arm in (summary, base))
    if summary is base or len(own) < len(summary.runs) or len(other) < len(base.runs):
        return ""
    return "**above**" if min(own) > max(other) else "below" if max(own) < min(other) else "overlaps"


def table(summaries: Sequence[Summary]) -> str:
    """Returns the table of a study: a row for each arm, the largest area first."""
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
    """Returns the part of the page about one study, and copies the study's plots beside the page."""
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
    """Returns the whole page."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "gymnasium", "MinAtar", "numpy"))
    return "\n\n".join(
        [
            "# Every variant on two games of MinAtar and CartPole",
            "Written by `python benchmarks/variants.py runs/variants`. An arm is `dqn` with one more plugin, or a "
            "bundle, with the values that the environment recommends: nothing was tuned for any arm.",
            CONCLUSIONS.read_text(encoding="utf-8").strip(),
            "*Area under the curve*: the mean raw return of the last 100 training episodes, averaged over the run. "
            "*Final return*: that mean at the end. The table shows the interquartile mean, its 95 % percentile "
            "bootstrap interval, and the value of each seed. *Against dqn*: **above** if every seed's area is larger "
            "than every one of dqn's, below if every one is smaller. Three seeds are few: arms that overlap may still "
            "differ.",
            *(section(name, study, seeds) for name, study in studies.items()),
            f"Python {platform.python_version()}, {packages}, one thread a run.",
        ]
    )


def main(
    folder: Annotated[Path, typer.Argument(help="Folder for the studies. Complete runs in it are kept.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each arm.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Runs side by side.")] = 2,
    only: Annotated[
        list[str] | None, typer.Option(help="Run only this study, and write no page; may be repeated.")
    ] = None,
) -> None:
    """Make the runs that are missing, and write the page."""
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
