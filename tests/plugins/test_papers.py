"""The tables *paper → here* on the plugins' pages say what the defaults are."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from framework.assembly.discovery import installed, resolve
from framework.config import Section
from framework.defaults import plugin as defaults

OWN_INVENTIONS = {
    "mlflow": "a tracker of experiments",
    "pong": "its protocol has a page of its own",
    "ray_envs": "environments on a cluster",
    "video": "films",
    "wandb": "a tracker of experiments",
}
"""Plugins with options whose values come from no paper."""


def sections_of(plugin: Any) -> list[type[Section]]:
    return [*(plugin.config_sections() if hasattr(plugin, "config_sections") else ())]


def table_of(plugin: Any) -> dict[str, list[str]]:
    """option → the cells behind it: paper, here, why."""
    rows = [line for line in (inspect.getdoc(plugin) or "").splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {name.strip("`"): rest for name, *rest in cells}


def defaults_of(*plugins: Any) -> dict[str, Any]:
    return {
        f"{section.section_name}.{key}": info.default
        for plugin in plugins
        for section in sections_of(plugin)
        for key, info in section.model_fields.items()
    }


NAMES = [
    name for name in installed() if resolve(name)[1].__name__.startswith("plugins.") and name not in OWN_INVENTIONS
]


@pytest.mark.parametrize("name", [name for name in NAMES if sections_of(resolve(name)[1])])
def test_every_option_of_a_plugin_is_in_its_table(name: str) -> None:
    plugin = resolve(name)[1]
    assert set(defaults_of(plugin)) <= set(table_of(plugin))


@pytest.mark.parametrize("name", [name for name in NAMES if table_of(resolve(name)[1])])
def test_a_table_has_the_defaults_and_a_reason_where_they_differ(name: str) -> None:
    plugin = resolve(name)[1]
    known = defaults_of(defaults, resolve("dqn")[1], plugin)
    for option, (paper, here, why) in table_of(plugin).items():
        wanted = known[option]
        assert here == (wanted if isinstance(wanted, str) else json.dumps(wanted)), option
        same = paper.replace("−", "-").split(" ")[0].rstrip(",") in (here, here.removesuffix(".0"))
        assert why or same or "arbitrary" in paper or paper == "no pooling", f"{option}: why {here}, and not {paper}?"
