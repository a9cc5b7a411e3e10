"""An error in a run names the plugin that raised it."""

from __future__ import annotations

from pathlib import Path

import pytest

import framework
from framework.assembly.manager import PluginError
from framework.events import Callback, Episode
from framework.types import Counters
from tests.framework.training.misbehaving import EXPLORES, LISTENS, WRAPS, line_of, plugin


@pytest.mark.parametrize(("hook", "slot"), [(EXPLORES, "make_exploration"), (WRAPS, "make_env")])
def test_a_plugin_that_raises_is_named_with_its_hook_and_its_line(hook: str, slot: str, tmp_path: Path) -> None:
    path = plugin(tmp_path, hook, "raise ValueError('no way')")
    parts = framework.assemble(f"tabular,chain,{path}", {"run.steps": 100})
    with pytest.raises(PluginError) as caught:
        framework.train(parts, tmp_path / "run")
    line = line_of(path, "no way")
    place = f"(at mine.py:{line}, in misbehave)"
    assert str(caught.value) == f"plugin 'mine' raised an error in the part of {slot} {place}: ValueError: no way"
    assert isinstance(caught.value.__cause__, ValueError)
    assert (tmp_path / "run" / "last.safetensors").exists(), "what was learnt is kept"


def test_a_run_continues_without_a_plugin_s_callback_that_raises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tracker without a network must not cost the run."""
    path = plugin(tmp_path, LISTENS, "raise ConnectionError('no network')")
    outcome = framework.train(framework.assemble(f"tabular,chain,{path}", {"run.steps": 100}), tmp_path / "run")
    assert outcome.counters.env_steps == 100 and not outcome.interrupted
    assert capsys.readouterr().err == (
        "warning: plugin 'mine' raised ConnectionError: no network "
        f"(at mine.py:{line_of(path, 'no network')}); the run continues without its Listener\n"
    )
    assert (tmp_path / "run" / "checkpoints" / "LATEST").exists()


def test_an_error_outside_of_plugins_is_raised_unchanged() -> None:
    class Breaks(Callback):
        def on_episode(self, episode: Episode, counters: Counters) -> None:
            raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        framework.train(framework.assemble("tabular,chain", {"run.steps": 100}), callbacks=[Breaks()])
