"""The trials of a sweep: handed out once, taken over after a kill, and the same whoever asks. No run starts here."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from framework.errors import UsageError
from framework.search.definition import Definition
from framework.search.ledger import JOURNAL, Claim, Ledger, Trial
from framework.search.pruning import Pruning
from framework.search.samplers import PRUNERS, SAMPLERS
from framework.search.space import parse_space

pytest.importorskip("optuna")

SPACE = {"a.x": "log(1e-3, 1)", "a.n": "int(1, 9, 2)", "b.way": "choice(none, 1, true, up, [1, 2])"}


def definition(sampler: str = "tpe", pruner: str = "none", seed: int = 3, space: dict[str, str] = SPACE) -> Definition:
    parsed = {path: parse_space(text) for path, text in space.items()}
    return Definition(("p",), {}, parsed, "final", seed, 2, sampler, pruner, 3)


def objective(trial: Trial) -> float:
    return -abs(math.log10(trial.values["a.x"]) + 1.5) + 0.1 * trial.values["a.n"]


class Sweeping(RuleBasedStateMachine):
    """Processes claim, finish, die and come back, in any order."""

    MOST = 4

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name)
        self.ledgers = [self.opened()]
        self.held: list[Claim] = []
        self.ended: dict[int, Trial] = {}
        self.values: dict[int, Any] = {}

    def opened(self) -> Ledger:
        return Ledger(self.folder, definition("grid", space={"a.x": "log(0.001, 1)", "b.way": "choice(up, down)"}))

    @rule()
    def another_process(self) -> None:
        if len(self.ledgers) < 3:
            self.ledgers.append(self.opened())

    @rule(who=st.integers(0, 2))
    def claim(self, who: int) -> None:
        claim = self.ledgers[who % len(self.ledgers)].claim(self.MOST)
        if claim == "others":
            assert self.held
            assert len(self.ended) + len(self.held) == self.MOST
        elif claim is None:
            assert not self.held
            assert len(self.ended) == self.MOST
        else:
            number = claim.trial.number
            assert number not in self.ended, "a trial that has ended is never made again"
            assert number not in [other.trial.number for other in self.held], "no two processes make one trial"
            assert self.values.setdefault(number, claim.trial.values) == claim.trial.values, "its values stay"
            self.held.append(claim)

    @precondition(lambda self: self.held)
    @rule(who=st.integers(0, 2), which=st.integers(0, 9), how=st.sampled_from(["complete", "pruned", "failed"]))
    def end(self, who: int, which: int, how: str) -> None:
        claim = self.held.pop(which % len(self.held))
        ledger, number = self.ledgers[who % len(self.ledgers)], claim.trial.number
        if how == "complete":
            ledger.complete(number, [1.0, 2.0])
        elif how == "pruned":
            ledger.report(number, 1, 0.5)
            ledger.prune(number, "low")
        else:
            ledger.fail(number, "diverged")
        claim.lock.release()
        self.ended[number] = next(trial for trial in ledger.trials() if trial.number == number)
        assert self.ended[number].state == how

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 9), half=st.booleans())
    def die(self, which: int, half: bool) -> None:
        """The system releases the locks of a process that is killed, even in the middle of a line."""
        self.held.pop(which % len(self.held)).lock.release()
        if half:
            with (self.folder / JOURNAL).open("ab") as file:
                file.write(b'{"op_code": 6, "work')
            self.ledgers = [self.opened()]

    @invariant()
    def what_has_ended_stays(self) -> None:
        trials = {trial.number: trial for trial in self.ledgers[0].trials()}
        assert len(trials) <= self.MOST
        assert {number: trials[number] for number in self.ended} == self.ended
        points = [repr(trial.values) for trial in trials.values()]
        assert len(set(points)) == len(points), "a point of the grid is made once"

    def teardown(self) -> None:
        for claim in self.held:
            claim.lock.release()
        self.place.cleanup()


TestSweeping = Sweeping.TestCase
TestSweeping.settings = settings(max_examples=20, stateful_step_count=25)


def made(folder: Path, one: Definition, most: int, kills: frozenset[int] = frozenset()) -> list[Trial]:
    """All trials of a sweep with one process at a time, which is killed in each trial of `kills`."""
    ledger, killed = Ledger(folder, one), set[int]()
    while (claim := ledger.claim(most)) is not None:
        assert claim != "others"
        number = claim.trial.number
        if number in kills - killed:
            killed.add(number)
            claim.lock.release()
            ledger = Ledger(folder, one)
            continue
        value = objective(claim.trial)
        pruned = one.pruner != "none" and any(ledger.report(number, k, value * k / 5) for k in range(1, 6))
        if pruned:
            ledger.prune(number, "low")
        else:
            ledger.complete(number, [value - 0.1, value + 0.1])
        claim.lock.release()
    return ledger.trials()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_process_finds_the_same_trials_however_often_it_is_killed(sampler: str, tmp_path: Path) -> None:
    if sampler == "gp":
        pytest.importorskip("torch")
    one = definition(sampler)
    most = one.grid if sampler == "grid" else 13
    for name in ("straight", "killed", "other"):
        (tmp_path / name).mkdir()
    straight = made(tmp_path / "straight", one, most)
    assert len(straight) == most
    assert made(tmp_path / "killed", one, most, frozenset({0, 4, 5, 12})) == straight
    if sampler != "grid":
        assert made(tmp_path / "other", definition(sampler, seed=4), most) != straight
    for trial in straight:
        assert 1e-3 <= trial.values["a.x"] <= 1
        assert trial.values["a.n"] in (1, 3, 5, 7, 9)
        assert repr(trial.values["b.way"]) in ("None", "1", "True", "'up'", "[1, 2]")
        assert trial.value == pytest.approx(objective(trial))


def test_a_grid_has_every_point_once(tmp_path: Path) -> None:
    one = definition("grid")
    trials = made(tmp_path, one, one.grid)
    assert one.grid == 3 * 3 * 5
    assert len({repr(trial.values) for trial in trials}) == one.grid


def test_tpe_finds_better_values_than_chance(tmp_path: Path) -> None:
    found = {}
    for sampler in ("tpe", "random"):
        (tmp_path / sampler).mkdir()
        trials = made(tmp_path / sampler, definition(sampler), 40)
        found[sampler] = sum(trial.value or 0.0 for trial in trials[20:]) / 20
    assert found["tpe"] > found["random"] + 0.2


@pytest.mark.parametrize("pruner", PRUNERS)
def test_pruners_end_trials_that_are_behind(pruner: str, tmp_path: Path) -> None:
    states = [trial.state for trial in made(tmp_path, definition("random", pruner), 25)]
    assert ("pruned" in states) == (pruner != "none")
    assert "complete" in states


def test_importances_tell_which_option_matters(tmp_path: Path) -> None:
    made(tmp_path, definition("random"), 60)
    found = Ledger(tmp_path, definition("random")).importances()
    assert sum(found.values()) == pytest.approx(1)
    assert min(found["a.x"], found["a.n"]) > found["b.way"]


def test_a_trial_whose_process_was_killed_before_it_had_values_is_not_counted(tmp_path: Path) -> None:
    one = definition()
    ledger = Ledger(tmp_path, one)
    ledger._study.ask()
    assert ledger.trials() == []
    assert [trial.number for trial in made(tmp_path, one, 3)] == [1, 2, 3]


@given(st.lists(st.integers(1, 40), max_size=30))
@settings(max_examples=25)
def test_pruning_does_not_depend_on_when_the_file_is_read(sizes: list[int]) -> None:
    """In pieces of any size, with incomplete lines, the same evaluations are reported and the decision is the same."""
    rows = [{"kind": "evaluation", "mean": mean} for mean in (0.5, None, 0.4, 0.3, -1.0, -2.0)]
    rows.insert(1, {"kind": "episode", "return": 3.0})
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()

    class Remembering:
        def __init__(self) -> None:
            self.calls: list[tuple[int, int, float]] = []

        def reported(self, number: int) -> int:
            return 0

        def report(self, number: int, evaluation: int, mean: float) -> bool:
            self.calls.append((number, evaluation, mean))
            return mean < 0

    ledger: Any = Remembering()
    with tempfile.TemporaryDirectory() as place:
        pruning = Pruning(ledger, 7, Path(place))
        assert not pruning.is_pruned(), "the file does not exist yet"
        for size in [*sizes, len(content)]:
            with (Path(place) / "metrics.jsonl").open("ab") as file:
                file.write(content[:size])
            content = content[size:]
            pruning.is_pruned()
        assert pruning.is_pruned()
    assert ledger.calls == [(7, 1, 0.5), (7, 2, 0.4), (7, 3, 0.3), (7, 4, -1.0)]
    assert pruning.reason == "after evaluation 4, with a mean return of -1"


def rows(*means: tuple[str, float], seconds: float = 0.0) -> bytes:
    lines = [{"kind": kind, "mean": mean, "seconds": seconds} for kind, mean in means]
    for line in lines:
        if line["kind"] == "confirmation":
            line |= {"kind": "evaluation", "confirmation": True}
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_rows_that_a_run_writes_anew_are_reported_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, definition(pruner="median"))
    claim = ledger.claim(1)
    assert isinstance(claim, Claim)
    run = tmp_path / "run"
    run.mkdir()
    file = run / "metrics.jsonl"
    kept = rows(("evaluation", 1.0), ("episode", 2.0))
    file.write_bytes(kept + rows(("evaluation", 3.0), ("evaluation", 5.0), ("episode", 2.0), seconds=1.5))

    pruning = Pruning(ledger, claim.trial.number, run)
    assert not pruning.is_pruned()
    # the run goes on from its checkpoint, with other seconds in its rows, and another process takes the trial over
    for number in range(2):
        reader = pruning if number == 0 else Pruning(ledger, claim.trial.number, run)
        file.write_bytes(kept)
        assert not reader.is_pruned()
        again = rows(("evaluation", 3.0), ("confirmation", 9.0), ("evaluation", 5.0), seconds=22.25 + number)
        file.write_bytes(kept + again + rows(("evaluation", 7.0 + number)))
        assert not reader.is_pruned()

    (frozen,) = ledger._frozen()
    assert frozen.intermediate_values == {1: 1.0, 2: 3.0, 3: 5.0, 4: 7.0}


def test_the_runs_of_another_trial_are_not_taken_for_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "trial-0" / "seed-3").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"trial-0' has runs of a trial that journal.log does not know"):
        Ledger(tmp_path, definition()).claim(2)
    assert not Ledger(tmp_path, definition()).trials(), "no trial was begun"


@pytest.mark.parametrize("damage", [b"{not json\n", b"\0" * 30 + b"\n", b"[]\n", b'{"op_code": 99}\n'])
def test_a_damaged_journal_is_named(tmp_path: Path, damage: bytes) -> None:
    claim = Ledger(tmp_path, definition()).claim(1)
    assert isinstance(claim, Claim)
    claim.lock.release()
    whole = (tmp_path / JOURNAL).read_bytes()
    half = whole.index(b"\n") + 1
    (tmp_path / JOURNAL).write_bytes(whole[:half] + damage + whole[half:])
    with pytest.raises(UsageError, match=r"journal\.log: damaged"):
        Ledger(tmp_path, definition())
