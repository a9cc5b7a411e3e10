"""Checks of what a checkpoint holds: a restored run continues bit for bit as if it had never stopped.

The environments have no state to save, so a script replaces them: it gives every run the same observations and
transitions, whatever its actions are. The checks record everything that the parts answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, cast

import numpy as np

from framework.conformance.check import Cause, NotApplicable, Violation, check, require
from framework.conformance.fixtures.scripted_runs import answers, expect_same_answers, scripted_steps, two_seeds
from framework.conformance.fixtures.snapshots import Snapshot, digest, digests, leaves, restore, snapshot, stateful
from framework.conformance.fixtures.spies import SHORT, run_with_spy, short
from framework.conformance.subject import Subject
from framework.types import Segmented, State

BEFORE, AFTER = 32, 16
"""Steps of two environments before and after a state is saved. At the save the ring has wrapped around, and no period
or episode has just ended."""

EARLY = 7
"""Steps before an earlier save: all transitions are still there, the first one included."""

CUTS = ((1, False), (5, True), (5, False), (13, False), (29, True), (32, False), (36, True), (36, False), (48, False))
"""Checkpoints that write segments: after how many steps, and whether what was loaded goes on, or what was saved. They
are before, while and after the ring wraps around, and twice where a run ends at once after it went on."""

VALUES: Mapping[str, Any] = {
    **SHORT,
    "run.num_envs": 2,
    "replay.capacity": 70,
    "target.every": 8,
    "target.unit": "updates",
    "exploration.horizon": 90,
}

RANDOM = Cause("the state of a random generator is not restored", "DLR-RM/stable-baselines3#1526")


@check(
    "state",
    "make_buffer",
    Cause("the replay is not saved", "pfnet/pfrl#183"),
    Cause("priorities, or the largest priority, are not saved"),
    RANDOM,
)
def memory_goes_on_where_it_was_saved(subject: Subject) -> None:
    """A restored buffer and sampler give the same batches as the saved ones that continue, early and late."""
    for before in (EARLY, BEFORE):
        with two_seeds(subject, VALUES) as (one, other):
            steps = scripted_steps(one, before + AFTER)
            answers(one, steps[:before], agent=False)
            restore(other, snapshot(one))
            wanted, got = (answers(parts, steps[before:], agent=False) for parts in (one, other))
            expect_same_answers(got, wanted, f"after the state of step {before} was loaded")


@check(
    "state",
    "make_buffer",
    Cause("a segment lacks frames, or one that is needed is no longer among the pieces"),
    Cause("a segment changes, or its name is used again"),
    Cause("after a load, segments begin elsewhere than where the loaded ones end"),
)
def segments_of_checkpoints_give_the_whole_state(subject: Subject) -> None:
    """Checkpoints that write only new segments give back the state, also where a run goes on from one of them."""
    with ExitStack() as every:
        going_on = every.enter_context(ExitStack())
        one = going_on.enter_context(subject.probed("ledger", VALUES))
        disks: dict[str, dict[str, State]] = {
            name: {} for name, part in stateful(one).items() if isinstance(part, Segmented)
        }
        if not disks:
            raise NotApplicable("no part is saved in segments")
        steps, begin = scripted_steps(one, BEFORE + AFTER), 0
        for end, reloaded in CUTS:
            answers(one, steps[begin:end], agent=False)
            loaded = every.enter_context(ExitStack())
            other = loaded.enter_context(subject.probed("ledger", {**VALUES, "run.seed": subject.seed + 1}))
            for name, loading in stateful(other).items():
                part = stateful(one)[name]
                if isinstance(part, Segmented):
                    state, kept = _pieces(part, disks[name])
                    cast(Segmented, loading).join(state, (disks[name][each] for each in kept))
                else:
                    loading.load_state_dict(part.state_dict())
            wanted, got = (digests(snapshot(parts), ordered=False) for parts in (one, other))
            _expect_equal(got, wanted, f"a checkpoint after {end} steps")
            begin, dropped = end, going_on if reloaded else loaded
            one, going_on = (other, loaded) if reloaded else (one, going_on)
            dropped.close()


def _pieces(part: Segmented, disk: dict[str, State]) -> tuple[State, list[str]]:
    """A checkpoint of a part: its state, and the names of its segments. Those that `disk` lacks are added to it."""
    state, segments = part.cut()
    for name in set(disk) - set(segments):
        del disk[name]  # no checkpoint needs it any more
    disk |= {name: read() for name, read in segments.items() if name not in disk}
    return state, list(segments)


@check(
    "state",
    "make_optimizer",
    Cause("the optimiser's state or the step counter is not saved", "pfnet/pfrl#183"),
    Cause("the target network is saved as the online one, or its period starts again"),
    Cause("ε starts again, because the part counts its own calls", "ray-project/ray#28289"),
    RANDOM,
)
def learning_goes_on_where_it_was_saved(subject: Subject) -> None:
    """Parts of another seed, once restored, give the values, actions, batches and losses of the saved run."""
    with two_seeds(subject, VALUES) as (one, other):
        steps = scripted_steps(one, BEFORE + AFTER)
        answers(one, steps[:BEFORE])
        restore(other, snapshot(one))
        wanted, got = (answers(parts, steps[BEFORE:]) for parts in (one, other))
        expect_same_answers(got, wanted, "after the state was loaded")
        # the entries of a dict or a set may be in another order after loading
        ended, wanted_end = (digests(snapshot(parts), ordered=False) for parts in (other, one))
        _expect_equal(ended, wanted_end, "some steps after the state was loaded")


@check("state", "make_policy", Cause("a field that changes during a run is not part of the state"), RANDOM)
def loading_takes_everything_back(subject: Subject) -> None:
    """Parts that load their own earlier state repeat bit for bit what they did after they saved it."""
    with subject.probed("ledger", VALUES) as parts:
        steps = scripted_steps(parts, BEFORE + AFTER)
        answers(parts, steps[:BEFORE])
        saved = snapshot(parts)
        wanted = answers(parts, steps[BEFORE:])
        ended = digests(snapshot(parts), ordered=False)
        restore(parts, saved)
        expect_same_answers(answers(parts, steps[BEFORE:]), wanted, "after an earlier state was loaded")
        _expect_equal(digests(snapshot(parts), ordered=False), ended, "some steps after an earlier state was loaded")


@check("state", "make_policy", Cause("the state refers to arrays that training changes"))
def a_saved_state_stays_as_it_is(subject: Subject) -> None:
    """A saved state is a copy: training after a save or a load does not change it, and loading it restores it."""
    with two_seeds(subject, VALUES) as (one, other):
        steps = scripted_steps(one, BEFORE + AFTER)
        answers(one, steps[:BEFORE])
        saved = snapshot(one)
        before = digests(saved)
        answers(one, steps[BEFORE:])
        _expect_equal(digests(saved), before, "the saved state, after more training of the parts that saved it")
        restore(other, saved)
        _expect_equal(digests(snapshot(other)), before, "what other parts save after they loaded the state")
        answers(other, steps[BEFORE:])
        _expect_equal(digests(saved), before, "the saved state, after other parts loaded it and trained")


@check("state", "make_policy", Cause("the state holds tensors, generators or other objects"))
def a_saved_state_is_plain(subject: Subject) -> None:
    """A state is a nested dict whose keys are strings and whose values are numpy arrays or JSON scalars."""
    with subject.probed("ledger", VALUES) as parts:
        answers(parts, scripted_steps(parts, BEFORE))
        for name, state in snapshot(parts).items():
            require(isinstance(state, Mapping), example=f"state of {name}", expected="a dict", got=type(state).__name__)
            for path, value in leaves(state):
                plain = value is None or isinstance(value, bool | int | float | str)
                plain = plain or (isinstance(value, np.ndarray) and value.dtype != object)
                where = f"{path} in the state of {name}"
                require(plain, example=where, expected="an array or a JSON scalar", got=type(value).__name__)
            _expect_names(state, name)


def _expect_names(state: Mapping[Any, Any], where: str) -> None:
    for key, value in state.items():
        require(isinstance(key, str), example=f"keys of the state of {where}", expected="strings", got=key)
        if isinstance(value, Mapping):
            _expect_names(value, f"{where}, {key}")


@check("state", "make_policy", Cause("random numbers come from a generator without a seed"))
def one_seed_is_one_final_state(subject: Subject) -> None:
    """Two runs with the same seed end with every part in the same state, bit for bit."""
    one, other = (_run(subject) for _ in range(2))
    _expect_equal(digests(other), digests(one), "a second run with the same seed, at its end")


@check("state", "make_policy", Cause("a seed that is not passed on", "hill-a/stable-baselines#675"))
def another_seed_is_another_run(subject: Subject) -> None:
    """With another seed, every saved random generator and all randomly drawn weights differ."""
    with two_seeds(subject, VALUES) as (one, other):
        found = [dict(leaves(snapshot(parts))) for parts in (one, other)]
        generators = {path.rpartition(".")[0] for path in found[0] if path.endswith(".bit_generator")}
    for generator in generators:
        states = [
            digest({path: leaf for path, leaf in saved.items() if path.startswith(f"{generator}.")}) for saved in found
        ]
        require(states[0] != states[1], example=generator, expected="another state with another seed", got="the same")
    drawn = [path for path, leaf in found[0].items() if path.startswith("policy.") and _is_drawn(leaf)]
    if drawn and all(np.array_equal(found[0][path], found[1][path]) for path in drawn):
        raise Violation("initial weights with two seeds", "different weights", f"the same weights in {drawn[0]}")


def _is_drawn(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" and leaf.size > 1 and np.unique(leaf).size > 1


def _run(subject: Subject) -> Snapshot:
    with subject.probed("ledger", short(subject, 2)) as parts:
        run_with_spy(parts)
        return snapshot(parts)


def _expect_equal(got: Mapping[str, str], wanted: Mapping[str, str], when: str) -> None:
    for name, state in wanted.items():
        require(got.get(name) == state, example=when, expected=f"the same state of {name}", got="a different state")
