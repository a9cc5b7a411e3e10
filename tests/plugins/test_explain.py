"""`explain` prints the true arithmetic of each update, and changes nothing that is learnt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import framework
from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.events import Callback
from framework.testing import enforce
from framework.training.loop import Loop
from framework.types import Batch, Counters, Loss, TDErrors
from plugins.explain import Explanations
from plugins.tabular.arithmetic import DIGITS, Term, Update
from tests.plugins.tabular_runs import RANDOM_MDP

LINE = re.compile(r"update (\d+): Q(_[AB])?\((\d+), ([^)]+)\) ← (.+) ([=≈]) (\S+?)( \| .+)?")
FAMILY = ("tabular", "tabular,sarsa", "tabular,expected_sarsa", "tabular,double_q")


def value_of(arithmetic: str) -> float:
    """What is written, computed in float64."""
    python = arithmetic.replace("−", "-").replace("·", "*")
    assert re.fullmatch(r"[-+*(),. \dmaxinfe]+", python), python
    return float(eval(python, {"__builtins__": {}, "max": max}))


class Watching(Callback):
    """Compares each line with the table before and after its update."""

    def __init__(self, parts: Any, capture: Any) -> None:
        self.parts, self.capture, self.before, self.lines = parts, capture, parts.policy.table.copy(), 0

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        lines = self.capture.readouterr().out.splitlines()
        after, known = self.parts.policy.table, self.before.copy()
        assert len(lines) == len(batch)
        for line in lines:
            found = LINE.fullmatch(line)
            assert found, line
            number, table, state, action, arithmetic, sign, result, _ = found.groups()
            assert int(number) == counters.updates
            names = [self.parts.spaces.name_of(one) for one in range(self.parts.spaces.num_actions)]
            cell = (*(["AB".index(table[1])] if table else []), int(state), names.index(action))
            near = {"rtol": 0, "atol": 1e-9} if sign == "=" else {"rtol": 0, "atol": 5e-5}
            assert np.isclose(float(arithmetic.split(" ")[0].replace("−", "-")), known[cell], **near), line
            computed, printed = value_of(arithmetic), float(result.replace("−", "-"))
            assert np.isclose(computed, printed, **near), line
            known[cell] = printed
            self.lines += 1
        assert np.allclose(known, after, rtol=0, atol=5e-5)
        changed = {tuple(cell) for cell in np.argwhere(after != self.before).tolist()}
        assert changed <= {tuple(cell) for cell in np.argwhere(known != self.before).tolist()}, (
            "every change is explained"
        )
        self.before = after.copy()


@pytest.mark.parametrize("names", FAMILY)
@pytest.mark.parametrize("more", [{}, {"learning.batch_size": 3}, {"run.num_envs": 3}, {"tabular.power": 0.7}])
def test_each_line_is_the_arithmetic_of_its_update(names: str, more: dict[str, Any], capsys: Any) -> None:
    values = {"run.steps": 60, "run.seed": 3, "random_mdp.max_steps": 4, "random_mdp.actions": 3}
    parts = assemble([*names.split(","), RANDOM_MDP, "explain"], {**values, "tabular.learning_rate": 0.3, **more})
    explanations = Explanations(parts.policy, parts.optimizer, parts.spaces, 0.9)
    watching = Watching(parts, capsys)
    Loop(parts, [explanations, watching]).run()
    assert watching.lines >= 50
    parts.close()


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), names=st.sampled_from(FAMILY), nstep=st.booleans(), max_steps=st.integers(0, 5))
def test_the_exact_numbers_give_the_exact_table(seed: int, names: str, nstep: bool, max_steps: int) -> None:
    """In float64, without the rounding of what is printed, and for several steps and any ends of episodes, too."""
    values = {"run.steps": 40, "run.seed": seed, "random_mdp.seed": seed, "random_mdp.max_steps": max_steps}
    composition = [*names.split(","), *(["nstep"] if nstep else []), RANDOM_MDP, "explain", "framework.testing"]
    parts = assemble(composition, {**values, "tabular.learning_rate": 0.3, "learning.batch_size": 2})
    policy: Any = parts.policy
    before, checked = policy.table.copy(), []

    class Exact(Callback):
        def on_update(self, batch: Batch, errors: Any, counters: Counters) -> None:
            nonlocal before
            known = before.copy()
            found = Explanations(policy, parts.optimizer, parts.spaces, 0.9).explain(batch, errors, counters.updates)
            for one in found:
                term = one.term
                bootstrap = (
                    sum(w * q for w, q in zip(term.weights, term.numbers, strict=True))
                    if term.weights
                    else max(term.numbers)
                )
                assert one.old == known[one.cell]
                target = one.reward + (one.discount * bootstrap if one.discount else 0.0)
                assert one.new == pytest.approx(one.old + one.rate * (target - one.old), rel=1e-12, abs=1e-12)
                known[one.cell] = one.new
                checked.append(one)
            assert np.array_equal(known, policy.table)
            before = policy.table.copy()

    Loop(parts, [Exact()]).run()
    assert checked
    parts.close()


@pytest.mark.parametrize("names", FAMILY)
def test_what_is_learnt_is_the_same_with_and_without(names: str) -> None:
    tables = []
    for more in ([], ["explain"]):
        parts = assemble([*names.split(","), "grid", *more], {"run.episodes": 30, "tabular.learning_rate": 0.4})
        Loop(parts).run()
        tables.append(parts.policy.table)
        parts.close()
    assert np.array_equal(*tables)


def test_without_it_nothing_is_in_its_place() -> None:
    parts = assemble("tabular,chain")
    assert type(parts.loss).__name__ == "QLearning"
    parts.close()


@pytest.mark.parametrize("names", ["dqn,explain,chain", "pqn,explain,chain"])
def test_what_it_cannot_explain_is_refused_in_one_sentence(names: str) -> None:
    with pytest.raises(UsageError, match=r"the loss of (dqn|pqn) cannot be written so: use it with tabular"):
        assemble(names)


STRANGER = """
import numpy as np
from framework.hooks import hookimpl
from plugins.tabular import temporal_difference
{more}

class Worst:
    def __init__(self, policy):
        self.policy = policy

    def __call__(self, batch, counters):
        values = self.policy.action_values(batch.next_obs, explore=False)
        cells = (self.policy.states(batch.obs), batch.action)
        return temporal_difference(self.policy, cells, batch, values.min(axis=1))
{method}

@hookimpl
def make_loss(policy):
    return Worst(policy)
"""

METHOD = """
    def bootstraps(self, batch, errors, counters):
        values = self.policy.action_values(batch.next_obs, explore=False)
        return [Term((float(row.min()),), (), "the smallest value") for row in values]
"""


def test_a_strangers_loss_is_explained_if_it_can_say_how(tmp_path: Path, capsys: Any) -> None:
    plugin = tmp_path / "worst.py"
    plugin.write_text(STRANGER.format(more="", method=""))
    with pytest.raises(UsageError, match="the loss of worst cannot be written so"):
        assemble(["tabular", "chain", "explain", str(plugin)])
    other = tmp_path / "told.py"
    other.write_text(STRANGER.format(more="from plugins.tabular.arithmetic import Term", method=METHOD))
    parts = assemble(["tabular", "chain", "explain", str(other)], {"run.steps": 20})
    watching = Watching(parts, capsys)
    Loop(parts, [Explanations(parts.policy, parts.optimizer, parts.spaces, 0.9), watching]).run()
    assert watching.lines == 20
    parts.close()


def test_a_decorator_around_its_loss_is_named(tmp_path: Path) -> None:
    plugin = tmp_path / "clipping.py"
    plugin.write_text(
        "from framework.hooks import hookimpl\nfrom framework.types import TDErrors\n\nclass Clipped:\n"
        "    def __init__(self, loss): self.loss = loss\n"
        "    def __call__(self, batch, counters):\n        found = self.loss(batch, counters)\n"
        "        return TDErrors(found.loss, found.priority, found.update)\n\n"
        "@hookimpl(wrapper=True)\ndef make_loss():\n    return Clipped((yield))\n"
    )
    parts = assemble(["tabular", "chain", "explain", str(plugin)], {"run.steps": 20})
    with pytest.raises(UsageError, match="Clipped stands around it"):
        framework.train(parts, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_a_discount_nothing_is_said_to_have_terminated() -> None:
    parts = assemble("tabular,chain")
    update = Update(7, (2, 1), 0.5, 0.1, 0.0, 0.0, Term((0.2, 0.81)), 0.45)
    assert "terminated" in update.describe(parts.spaces)
    assert update.describe(parts.spaces, gamma=0.0).endswith("| γ = 0: no next value counts")
    parts.close()


def test_an_optimiser_without_rates_is_refused(tmp_path: Path) -> None:
    plugin = tmp_path / "bold.py"
    plugin.write_text(
        "from framework.hooks import hookimpl\n\nclass Bold:\n    def apply(self, batch, errors): pass\n\n"
        "@hookimpl\ndef make_optimizer(): return Bold()\n"
    )
    with pytest.raises(UsageError, match="an optimiser with a method rates, and Bold has none"):
        assemble(["tabular", "chain", "explain", str(plugin)])


def test_the_example_of_the_textbook() -> None:
    parts = assemble("tabular,chain")
    line = Update(7, (2, 1), 0.5, 0.1, 0.0, 0.9, Term((0.2, 0.81)), 0.5229).describe(parts.spaces)
    assert line == "update 7: Q(2, right) ← 0.5 + 0.1 · (0 + 0.9 · max(0.2, 0.81) − 0.5) = 0.5229"
    line = Update(8, (1, 3, 0), -0.5, 1 / 3, -1.0, 0.0, Term((9.0,)), -2 / 3).describe(parts.spaces)
    wanted = "update 8: Q_B(3, left) ← −0.5 + 0.333333 · (−1 − (−0.5)) ≈ −0.666667 | the episode terminated: "
    assert line == f"{wanted}no next value counts"
    assert DIGITS == 6
    parts.close()


def test_the_state_of_a_run_is_that_of_the_loss_inside() -> None:
    parts = assemble("tabular,double_q,chain,explain", {"run.steps": 30})
    Loop(parts).run()
    loss: Any = enforce(parts.loss, Loss)
    assert "generator" in loss.state_dict()
    again = assemble("tabular,double_q,chain,explain")
    again.loss.load_state_dict(loss.state_dict())
    assert again.loss.state_dict() == loss.state_dict()
    for one in (parts, again):
        one.close()
