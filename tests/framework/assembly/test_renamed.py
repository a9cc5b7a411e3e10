"""Options that became plugins work by their old names, with a warning."""

from __future__ import annotations

import pytest

from framework.assembly.configuration import configure
from framework.config import Source


@pytest.mark.parametrize(
    ("names", "values", "plugins", "rate"),
    [
        ("dqn,chain", {"dqn.averaging": 0.25}, ["dqn", "chain", "averaging"], 0.25),
        ("dqn,chain", {"dqn.averaging": 0.0, "replay.mirror": True}, ["dqn", "chain"], None),
        ("dqn,averaging,chain", {"dqn.averaging": 0.0}, ["dqn", "chain"], None),
        ("dqn,pong", {"dqn.averaging": 0.25}, ["dqn", "pong", "nstep", "per", "mirror", "averaging"], 0.25),
        ("dqn,pong", {"dqn.averaging": 0.0}, ["dqn", "pong", "nstep", "per", "mirror"], None),
        ("dqn,pong", {"replay.mirror": False}, ["dqn", "pong", "nstep", "per", "averaging"], 5e-4),
        ("dqn,pong", {"replay.mirror": True}, ["dqn", "pong", "nstep", "per", "mirror", "averaging"], 5e-4),
    ],
)
def test_an_old_option_means_the_plugin(
    names: str, values: dict[str, object], plugins: list[str], rate: float | None
) -> None:
    loaded, config, notes = configure(names, [Source("--set", values)])
    assert loaded.names == plugins
    assert config.flat().get("averaging.rate") == rate
    assert [note.split(" is the plugin")[0] for note in notes] == [f"warning: {path}" for path in values]


def test_the_strongest_source_decides() -> None:
    weak, strong = Source("file", {"dqn.averaging": 0.5}), Source("--set", {"dqn.averaging": 0.125})
    assert configure("dqn,chain", [weak, strong])[1].flat()["averaging.rate"] == 0.125
    assert configure("dqn,chain", [weak, Source("--set", {"dqn.averaging": 0.0})])[0].names == ["dqn", "chain"]


def test_a_mirror_that_is_not_there_any_more_is_said() -> None:
    """An environment of one's own may declare a mirror, and the old option was on by default."""
    (note,) = configure("dqn,cartpole", [Source("--set", {"replay.mirror": True})])[2]
    assert "which this composition does not have: add mirror" in note
    (note,) = configure("dqn,pong", [Source("--set", {"replay.mirror": True})])[2]
    assert "add mirror" not in note
