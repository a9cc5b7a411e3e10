"""The page of hooks: it documents every argument, and the builder has one method for each slot of it."""

from __future__ import annotations

import inspect
import re
from typing import Any, get_type_hints

import pytest

from framework import hookspecs
from framework.assembly.builder import Builder
from framework.hooks import PROJECT
from plugins.dqn import hookspecs as of_dqn

PAGES = (hookspecs, of_dqn)
HOOKS = [
    pytest.param(page, hook, id=name)
    for page in PAGES
    for name, hook in vars(page).items()
    if hasattr(hook, f"{PROJECT}_spec")
]
SLOTS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("make_") and name != "make_callbacks"}
BUILDS_NOTHING = {"of", "altered", "uses", "single_environments", "spaces", "stream"}
"""Methods of the builder that fill no slot themselves."""


@pytest.mark.parametrize(("page", "hook"), HOOKS)
def test_every_argument_is_documented_once(page: Any, hook: Any) -> None:
    """Arguments of several hooks stand in the page's own docstring, the others in the hook's."""
    shared = {
        name for each in {hookspecs, page} for name in re.findall(r"^    (\w+) {2,}\S", each.__doc__, re.MULTILINE)
    }
    own = set(re.findall(r"^ +(\w+): \S", inspect.getdoc(hook) or "", re.MULTILINE))
    arguments = set(inspect.signature(hook).parameters)
    assert arguments <= shared | own, "an argument is documented nowhere"
    assert own & shared <= {"names"}, (
        "an argument is documented twice; which plugins names holds differs from hook to hook"
    )


def test_the_builder_has_a_method_for_each_slot_and_fills_it_with_its_type() -> None:
    names = {slot: "environments" if slot == "make_env" else slot.removeprefix("make_") for slot in SLOTS}
    methods = {name for name, member in vars(Builder).items() if callable(member) and not name.startswith("_")}
    assert methods - BUILDS_NOTHING == set(names.values())
    for slot, name in names.items():
        if slot != "make_env":
            expected = get_type_hints(SLOTS[slot])["return"]
            assert get_type_hints(getattr(Builder, name))["return"] is expected
