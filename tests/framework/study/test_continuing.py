"""How unfinished runs of a study start again. Here, no process runs: files are made as runs would leave them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from framework.errors import UsageError
from framework.processes.executor import LOST
from framework.study import continuing
from framework.study.arms import CheckedArm
from framework.study.continuing import MOST_LOSSES, Continuation
from framework.study.runs import Run
from framework.training.run_folder import locked

ARM = CheckedArm("mine", ("tabular", "chain"), {}, 0, 1)


def run_in(place: Path) -> Run:
    return Run(ARM, 3, place / "mine" / "seed-3")


def checkpoint(run: Run, name: str = "LATEST") -> Path:
    file = run.folder / "checkpoints" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def test_a_run_that_has_not_begun_is_new_and_so_is_its_output(tmp_path: Path) -> None:
    run, said = run_in(tmp_path), list[str]()
    run.folder.parent.mkdir(parents=True)
    run.output.write_text("of a run that was refused")
    Continuation(said.append).prepare(run)
    assert (said, run.output.exists()) == ([], False)


def test_without_a_checkpoint_the_folder_is_put_aside_with_its_output(tmp_path: Path) -> None:
    run, said = run_in(tmp_path), list[str]()
    run.folder.mkdir(parents=True)
    run.output.write_text("so far")
    Continuation(said.append).prepare(run)
    assert not run.folder.exists()
    assert (run.folder.with_name("seed-3.unfinished-1") / "output.txt").read_text() == "so far"
    assert "is unfinished and has no checkpoint: it is now seed-3.unfinished-1" in said[0]


def test_a_refused_checkpoint_is_put_aside_and_the_reason_is_said(tmp_path: Path) -> None:
    run, said = run_in(tmp_path), list[str]()
    checkpoint(run)
    continuation = Continuation(said.append)
    continuation.prepare(run)
    assert "goes on from its checkpoint" in said[0]
    run.output.write_text("step 7\nerror: it cannot continue\nerror: tabular 1 there, 2 here\n")
    assert continuation.starts_again(run, 2)
    assert "cannot go on (it cannot continue; tabular 1 there, 2 here): it is now seed-3.unfinished-1" in said[1]
    assert not run.folder.exists()


def test_if_a_new_run_is_refused_too_the_unfinished_one_is_there_again(tmp_path: Path) -> None:
    run, said = run_in(tmp_path), list[str]()
    kept = checkpoint(run)
    continuation = Continuation(said.append)
    continuation.prepare(run)
    run.output.write_text("error: the replay needs more memory than there is\n")
    assert continuation.starts_again(run, 2)
    run.output.write_text("error: the replay needs more memory than there is\n")
    assert not continuation.starts_again(run, 2)
    assert kept.exists()
    assert run.has_checkpoint


def test_a_run_that_another_process_writes_to_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuing, "PATIENCE", 0.1)
    run = run_in(tmp_path)
    checkpoint(run)
    continuation = Continuation(lambda text: None)
    continuation.prepare(run)
    with locked(run.folder):
        assert not continuation.starts_again(run, 2)
        assert not continuation.starts_again(run, LOST)
        with pytest.raises(UsageError, match="another process is writing"):
            continuation.prepare(run)
    assert run.has_checkpoint


def test_a_run_that_is_lost_starts_again_but_not_for_ever(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    continuation = Continuation(lambda text: None)
    continuation.prepare(run)
    assert [continuation.starts_again(run, LOST) for _ in range(MOST_LOSSES + 1)] == [True] * MOST_LOSSES + [False]


@pytest.mark.parametrize("code", [1, 70, 143, -9])
def test_a_run_that_fails_does_not_start_again(code: int, tmp_path: Path) -> None:
    run = run_in(tmp_path)
    checkpoint(run)
    continuation = Continuation(lambda text: None)
    continuation.prepare(run)
    assert not continuation.starts_again(run, code)
    assert run.has_checkpoint


class NothingIsLost(RuleBasedStateMachine):
    """Whatever happens to a run, every checkpoint that it has ever written is still on the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.run = run_in(self.place)
        self.written = set[str]()

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    @rule(attempts=st.lists(st.tuples(st.sampled_from([1, 2, LOST, -9]), st.booleans()), max_size=5))
    def study(self, attempts: list[tuple[int, bool]]) -> None:
        """A study begins or continues, and its run is attempted as long as it starts again."""
        continuation, before = Continuation(lambda text: None), self.in_the_folder()
        continuation.prepare(self.run)
        for number, (code, writes) in enumerate(attempts):
            resumes = any("--resume" in word for word in self.run.command)
            assert resumes == self.run.has_checkpoint
            assert resumes or not self.run.folder.exists(), "a new run needs a new folder"
            self.run.output.parent.mkdir(parents=True, exist_ok=True)
            self.run.output.write_text("error: refused\n")
            if code != 2:
                self.run.folder.mkdir(exist_ok=True)
                if writes:
                    self.written.add(checkpoint(self.run, f"{len(self.written):06}").name)
            had = self.in_the_folder()
            if not continuation.starts_again(self.run, code):
                assert had <= self.in_the_folder()
                if all(code == 2 for code, _ in attempts[: number + 1]):
                    assert self.in_the_folder() == before, "whoever only refuses changes nothing"
                return

    def in_the_folder(self) -> set[str]:
        """The checkpoints of the run that would go on."""
        return {path.name for path in self.run.folder.rglob("0*")}

    @invariant()
    def every_checkpoint_is_there(self) -> None:
        assert {path.name for path in self.place.rglob("0*")} == self.written


TestNothingIsLost = NothingIsLost.TestCase
TestNothingIsLost.settings = settings(max_examples=40, stateful_step_count=8)
