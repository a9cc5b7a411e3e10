"""What a plugin says about itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Literal

from framework.assembly.catalogue import describe, describe_section
from framework.config import Field, Section
from framework.hooks import hookimpl


class Sample(Section, name="sample"):
    """Of every kind."""

    size: int = Field(3, ge=1, description="how large")
    rate: float | None = Field(None, gt=0, le=1, description="how fast")
    shape: Literal["linear", "exponential"] = Field("linear", description="how it falls")
    layers: tuple[int, ...] = Field((64,), description="how many")
    on: bool = Field(True, description="whether")


@hookimpl
def config_sections() -> list[type[Section]]:
    return [Sample]


@hookimpl
def make_exploration() -> None:
    """Not called."""


def test_types_and_defaults_are_words_that_can_be_typed() -> None:
    options = {option.name: (option.type, option.default) for option in describe_section(Sample).options}
    assert options == {
        "sample.size": ("integer ≥ 1", "3"),
        "sample.rate": ("number > 0 ≤ 1 or none", "none"),
        "sample.shape": ("linear or exponential", "linear"),
        "sample.layers": ("array", "[64]"),
        "sample.on": ("boolean", "true"),
    }


def test_a_plugin_is_its_docstring_what_it_fills_and_its_options() -> None:
    plugin = SimpleNamespace(
        __doc__="One\nsentence.\n\nMore.", make_exploration=make_exploration, config_sections=config_sections, other=1
    )
    entry = describe(plugin)
    assert (entry.summary, entry.paragraphs, entry.fills) == ("One sentence.", ("More.",), ("make_exploration",))
    assert [(section.name, section.summary) for section in entry.sections] == [("sample", "Of every kind.")]


def test_a_plugin_may_say_nothing() -> None:
    entry = describe(SimpleNamespace(__doc__=None))
    assert (entry.summary, entry.paragraphs, entry.fills, entry.sections) == ("", (), (), ())
