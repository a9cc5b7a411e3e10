"""The trials of a sweep, in a journal of Optuna. Any number of processes and machines may write to it.

A process that works on a trial holds a lock on a file in the trial's folder. When the process ends, however it ends,
the system releases the lock, and another process goes on with the trial.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from framework.errors import UsageError
from framework.search.definition import LOCK, Definition, trial_folder
from framework.search.samplers import distribution_of, make_pruner, make_sampler
from framework.search.space import Choice

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

JOURNAL = "journal.log"
NAME = "sweep"

State = Literal["running", "complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """A trial as the journal knows it."""

    number: int
    values: Mapping[str, Any]
    """Option → value."""
    state: State
    value: float | None = None
    """The objective, if it is complete; the last evaluation that was reported, if it was pruned."""
    of_seeds: tuple[float, ...] = ()
    """The objective of each seed, if it is complete."""
    reason: str = ""
    """Why it failed or was pruned."""


@dataclass(frozen=True)
class Claim:
    """A trial that this process works on, until it releases the lock."""

    trial: Trial
    lock: FileLock


class Ledger:
    """The trials of one sweep."""

    def __init__(self, folder: Path, definition: Definition) -> None:
        """
        Args:
            folder: of the sweep, which exists.

        Raises:
            UsageError: if the journal is damaged.
        """
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._folder, self._definition = folder, definition
        self._distributions = {path: distribution_of(space) for path, space in definition.space.items()}
        self._lock = FileLock(folder / LOCK)
        with self._lock:
            _without_half_a_line(folder / JOURNAL)
            # the lock is re-entrant; the journal's own one would stay behind after a kill
            lock: Any = self._lock
            self._pruner = make_pruner(definition.pruner)
            try:
                self._storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL), lock))
                self._study = optuna.create_study(
                    storage=self._storage,
                    study_name=NAME,
                    direction="maximize",
                    load_if_exists=True,
                    pruner=self._pruner,
                )
                self._frozen()
            except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
                raise UsageError(f"{folder / JOURNAL}: damaged: {error!r}") from error

    def trials(self) -> list[Trial]:
        """All trials, by number, without those that got no values because their process was killed."""
        return [self._trial(frozen) for frozen in self._frozen() if self._has_values(frozen)]

    def claim(self, most: int) -> Claim | Literal["others"] | None:
        """A trial to work on: one that a process left, else a new one.

        Args:
            most: the number of trials of the sweep.

        Returns:
            "others" if all that is left is being worked on by other processes; None if nothing is left.

        Raises:
            UsageError: if the folder of a new trial has runs in it.
        """
        with self._lock:
            others = False
            for frozen in self._frozen():
                if frozen.state.name != "RUNNING":
                    continue
                lock = self._locked(frozen.number)
                if lock is None:
                    others = True
                elif self._has_values(frozen):
                    return Claim(self._trial(frozen), lock)
                else:
                    self.fail(frozen.number, "stopped while its values were chosen")
                    lock.release()
            known = self.trials()
            if len(known) < most:
                self._refuse_foreign(trial_folder(self._folder, self._next_number()))
                trial = self._ask(known)
                lock = self._locked(trial.number)
                assert lock is not None
                return Claim(trial, lock)
            return "others" if others else None

    def report(self, number: int, evaluation: int, mean: float) -> bool:
        """Record an evaluation of a trial, numbered from 1, and return whether the trial should be pruned."""
        trial = self._id(number)
        self._storage.set_trial_intermediate_value(trial, evaluation, mean)
        return bool(self._pruner.prune(self._study, self._storage.get_trial(trial)))

    def reported(self, number: int) -> int:
        """How many evaluations of a trial were reported."""
        return len(self._storage.get_trial(self._id(number)).intermediate_values)

    def complete(self, number: int, of_seeds: Sequence[float]) -> None:
        """Record the objective of each seed. Their mean is the trial's value."""
        self._storage.set_trial_user_attr(self._id(number), "of_seeds", list(of_seeds))
        self._tell(number, "COMPLETE", sum(of_seeds) / len(of_seeds))

    def prune(self, number: int, reason: str) -> None:
        """Record that a trial was pruned."""
        self._storage.set_trial_user_attr(self._id(number), "reason", reason)
        self._tell(number, "PRUNED")

    def fail(self, number: int, reason: str) -> None:
        """Record that a trial failed. Samplers ignore it."""
        self._storage.set_trial_user_attr(self._id(number), "reason", reason)
        self._tell(number, "FAIL")

    def importances(self) -> dict[str, float]:
        """Option → its share of the importance, by PED-ANOVA (Watanabe et al. 2023); all 0 if it cannot be told.

        How much the distribution of an option's values among the best trials differs from that among all trials.
        """
        import warnings

        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        complete = sum(trial.state == "complete" for trial in self.trials())
        # of the best tenth, or of five trials where there are few
        share = min(0.5, max(0.1, 5 / max(1, complete)))
        if complete < 2:
            return dict.fromkeys(self._distributions, 0.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few trials, which our own text says
            found = get_param_importances(
                self._study,
                evaluator=PedAnovaImportanceEvaluator(target_quantile=share),
                params=list(self._distributions),
                normalize=False,
            )
        total = sum(found.values())
        return {path: found[path] / total if total else 0.0 for path in self._distributions}

    def _tell(self, number: int, state: str, value: float | None = None) -> None:
        from optuna.trial import TrialState

        self._study.tell(number, value, TrialState[state], skip_if_finished=True)

    def _frozen(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _id(self, number: int) -> int:
        study = self._storage.get_study_id_from_name(NAME)
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)

    def _has_values(self, frozen: FrozenTrial) -> bool:
        return frozen.params.keys() == self._distributions.keys()

    def _trial(self, frozen: FrozenTrial) -> Trial:
        names: Mapping[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        return Trial(
            number=frozen.number,
            values={path: self._value(path, frozen.params[path]) for path in self._distributions},
            state=names.get(frozen.state.name, "running"),
            value=frozen.value,
            of_seeds=tuple(frozen.user_attrs.get("of_seeds", ())),
            reason=frozen.user_attrs.get("reason", ""),
        )

    def _value(self, path: str, stored: Any) -> Any:
        space = self._definition.space[path]
        return space.values[space.labels.index(stored)] if isinstance(space, Choice) else stored

    def _locked(self, number: int) -> FileLock | None:
        """The lock of a trial, or None if another process holds it."""
        folder = trial_folder(self._folder, number)
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    def _next_number(self) -> int:
        """The number that a new trial gets: that of a point which a killed process has enqueued, else the next one."""
        frozen = self._frozen()
        return next((one.number for one in frozen if one.state.name == "WAITING"), len(frozen))

    def _refuse_foreign(self, folder: Path) -> None:
        """Refuse the folder of a new trial that has runs in it: their values are not those of the new trial."""
        if folder.is_dir() and any(file.name != LOCK for file in folder.iterdir()):
            raise UsageError(
                f"'{folder}' has runs of a trial that {JOURNAL} does not know: move the folder away, or put the "
                "journal back"
            )

    def _ask(self, known: Sequence[Trial]) -> Trial:
        self._study.sampler = make_sampler(self._definition.sampler, self._definition.seed, len(known))
        if self._definition.sampler == "grid":
            from optuna.trial import TrialState

            if not self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                self._study.enqueue_trial(self._next_point())
        asked = self._study.ask(self._distributions)
        return self._trial(next(frozen for frozen in self._frozen() if frozen.number == asked.number))

    def _next_point(self) -> dict[str, Any]:
        """The first point of the grid that no trial has, as Optuna stores it."""
        axes = {
            path: space.labels if isinstance(space, Choice) else space.points(self._definition.points)
            for path, space in self._definition.space.items()
        }
        have = [frozen.params for frozen in self._frozen() if self._has_values(frozen)]
        points = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
        return next(point for point in points if point not in have)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial with the largest objective; of equal ones, the first."""
    complete = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    return max(complete, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)


def _without_half_a_line(journal: Path) -> None:
    """Remove what a process that was killed while it wrote left at the end of the journal."""
    if not journal.exists():
        return
    content = journal.read_bytes()
    if not content.endswith(b"\n"):
        with journal.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
