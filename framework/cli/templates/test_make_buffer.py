"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_a_replay_in_a_folder_of_ones_choice_leaves_nothing_there(
    assembled: Callable[..., Parts], tmp_path: Path
) -> None:
    """The files of the replay are gone once nothing uses them."""
    parts = assembled(f"tabular,{PLUGIN},chain", {"my_variant.folder": str(tmp_path)})
    parts.collector.begin(parts.counters)
    step = parts.collector.finish()
    parts.buffer.add(step)
    batch = parts.buffer.sample(1, parts.counters)
    assert batch.obs == step.obs
    assert batch.next_obs == step.next_obs
    assert list(tmp_path.iterdir()) == []
