"""Drawn changes: each is another program, which compiles and can be planted, and a seed draws the same ones again."""

from __future__ import annotations

import ast

import pytest

from tests.mutants import unseen
from tests.mutants.mutant import planted
from tests.mutants.operators import MODULES, as_mutant, changed, changes, drawn, source_of

EXAMPLE = '''
def halves(values, low: int = 1, *, key=None):
    """Not this -1."""
    if low < 0 and not key:
        raise ValueError(f"{low - 1}")
    values[0] = low // 2
    total = 0
    for value in values:
        total += value
    return sorted([total, -low], key=key) if low else round(total, low)

def delegates(part):
    part.forget()

def is_abstract(part):
    """Nothing here."""
    raise NotImplementedError(1)
'''


def test_every_kind_of_change_is_found_and_nothing_else() -> None:
    lines = EXAMPLE.splitlines()
    found = {(lines[change.line - 1].strip(), change.operator, change.new) for change in changes(EXAMPLE)}
    guard, total, last = lines[3].strip(), "total += value", lines[9].strip()
    assert found == {
        (guard, "logic", "(low < 0 or not key)"),
        (guard, "comparison", "(low <= 0)"),
        (guard, "constant", "1"),
        (guard, "sign or negation left out", "(key)"),
        ("values[0] = low // 2", "statement left out", "pass"),
        ("values[0] = low // 2", "constant", "1"),
        ("values[0] = low // 2", "constant", "3"),
        ("values[0] = low // 2", "arithmetic", "(low * 2)"),
        ("total = 0", "constant", "1"),
        (total, "statement left out", "pass"),
        (total, "arithmetic", "total -= value"),
        (last, "logic", "(round(total, low) if low else sorted([total, -low], key=key))"),
        (last, "keyword left out", "sorted([total, -low])"),
        (last, "sign or negation left out", "(low)"),
        (last, "arguments exchanged", "round(low, total)"),
        ("part.forget()", "statement left out", "pass"),
    }


@pytest.mark.parametrize("module", MODULES)
def test_changes_of_the_parts_are_other_programs_that_can_be_planted(module: str) -> None:
    source = source_of(module)
    found = changes(source)
    assert found
    before = ast.dump(ast.parse(source))
    for change in found[:: max(1, len(found) // 10)]:
        mutant = as_mutant(module, source, change)
        after = planted(source, mutant)
        assert after == changed(source, change)
        assert ast.dump(ast.parse(after)) != before, change
        compile(after, module, "exec")


def test_a_seed_draws_the_same_changes_and_more_of_them() -> None:
    few, more, other = drawn(20, 0), drawn(40, 0), drawn(40, 1)
    assert few == more[:20]
    assert len({mutant.name for mutant in more}) == 40
    assert more != other


def test_tests_near_a_module_are_those_that_name_it() -> None:
    assert unseen.near("plugins.per.sumtree")[0] == "tests/plugins/test_per.py"
    assert "tests/framework/replay/test_lanes.py" in unseen.near("framework.replay.lanes")
    assert all(unseen.near(module) for module in MODULES)


def test_the_page_is_that_of_the_table() -> None:
    rows = unseen.read_table(unseen.TABLE)
    assert unseen.PAGE.read_text(encoding="utf-8") == unseen.page_of(rows)
    assert all(row.verdict != unseen.UNTESTED for row in rows)
    assert all(row.sorted for row in rows if row.verdict == unseen.SURVIVED), "what nothing catches is sorted by hand"
