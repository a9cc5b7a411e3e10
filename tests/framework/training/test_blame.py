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
        f"(at mine.py:{line_of(path, 'no network')}, in misbehave); the run continues without its Listener\n"
    )
    assert (tmp_path / "run" / "checkpoints" / "LATEST").exists()


TWINS = """
from dataclasses import dataclass, field
from framework.events import Callback
from framework.hooks import hookimpl

def hears(event):
    def method(self, *arguments):
        print(event, file=self.heard)
        if self.heard.first and event == EVENT:
            raise ConnectionError
    return method

class Heard(list):
    first = False
    def write(self, text):
        self.extend(text.split())

@dataclass
class Twin(Callback):
    heard: Heard = field(compare=False)

for event in EVENTS:
    setattr(Twin, event, hears(event))

MADE = [Twin(Heard()), Twin(Heard())]
MADE[0].heard.first = True

@hookimpl
def make_callbacks():
    return MADE
"""

EVENTS = ["on_start", "on_step", "on_update", "on_episode", "on_evaluation_start", "on_evaluation", "on_end"]


@pytest.mark.parametrize("event", EVENTS)
def test_a_callback_that_raised_hears_only_the_end_and_an_equal_one_hears_everything(
    event: str, tmp_path: Path
) -> None:
    path = tmp_path / "twins.py"
    path.write_text(f"EVENT, EVENTS = {event!r}, {EVENTS!r}\n{TWINS}")
    parts = framework.assemble(f"tabular,chain,{path}", {"run.steps": 30, "evaluation.every": 10})
    module = parts.plugins.manager.get_plugin("twins")
    framework.train(parts)
    raised, other = (list(twin.heard) for twin in module.MADE)
    assert set(other) == set(EVENTS)
    assert raised == other[: other.index(event) + 1] + (["on_end"] if event != "on_end" else [])


def test_an_error_outside_of_plugins_is_raised_unchanged() -> None:
    class Breaks(Callback):
        def on_episode(self, episode: Episode, counters: Counters) -> None:
            raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        framework.train(framework.assemble("tabular,chain", {"run.steps": 100}), callbacks=[Breaks()])
