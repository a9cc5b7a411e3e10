"""Checks of PQN's rollout: they compare its λ-returns with their definition, the mixture of all n-step returns.

Others play the loop's part with `pqn.overlap`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import product

import gymnasium
import numpy as np

from framework.conformance.check import Cause, check, expect, require
from framework.conformance.fixtures.replay.plain_history import History, PlainTransition
from framework.conformance.subject import Subject
from framework.types import Batch, Buffer, Cadence, Counters, Spaces, State, Step

GAMMA = 0.5
LAMBDAS = (0.0, 0.25, 1.0)
PATTERNS = [signs for signs in product(".tub", repeat=3) if signs <= signs[::-1]] + [tuple(".t..u"), tuple("..b..")]
"""Signs of an environment's steps, as in `History`. A second environment makes them in reverse order."""

ROLLOUT = 6
MANY = 150
"""Environments that 8 bits with a sign cannot number; their transitions are more than 8 bits without one can count."""

OVERLAPPED = ("tututbtutt" * 3, "..t..-.u.b....-t.............u", ".u....t-....-.b..-.........-..")
"""Signs of the steps of three environments: with the largest number of frames, and with steps that they miss."""
FIELDS = ("ids", "obs", "action", "reward", "discount", "weights", "next_obs", "next_action")


class SquaredValues:
    """A policy with different values in all states: max_a Q = scale · s². In forbidden states the values are NaN."""

    def __init__(self, forbidden: Sequence[int] = ()) -> None:
        self._forbidden = forbidden
        self.scale = 1.0

    def action_values(self, obs: np.ndarray, explore: bool) -> np.ndarray:
        values = self.scale * obs.astype(np.float64) ** 2
        values[np.isin(obs, self._forbidden)] = np.nan
        return np.stack([values, values / 2], axis=1)

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """Do nothing: there is no state."""


def mixture(steps: Sequence[PlainTransition], lam: float, scale: float = 1.0) -> float:
    """Return (1 − λ) Σ_n λ^(n−1) G^(n) over the n-step returns from the first step.

    The longest return gets the rest of the weight, λ^(n−1). G^(n) = Σ_{j<n} γ^j r_j + γ^n · max_a Q(s_n), without the
    last term where the episode terminated.
    """
    total = 0.0
    for n, last in enumerate(steps, start=1):
        returns = sum(GAMMA**j * step.reward for j, step in enumerate(steps[:n]))
        returns += 0.0 if last.terminated else GAMMA**n * scale * float(last.successor) ** 2
        total += (lam ** (n - 1) if n == len(steps) else (1 - lam) * lam ** (n - 1)) * returns
    return total


def _collected(subject: Subject, patterns: Sequence[Sequence[str]], **options: float) -> tuple[Buffer, History]:
    """Return a buffer with a rollout, one environment for each pattern, and the history of these environments."""
    space = gymnasium.spaces.Discrete(1_000)
    spaces = Spaces(space, gymnasium.spaces.Discrete(2), space, 1, "repeat", len(patterns))
    history = History(spaces)
    steps = [history.step(signs) for signs in zip(*patterns, strict=True)]
    over = [step.successor for made in history.made for step in made if step.terminated]
    values = {f"pqn.{name}": value for name, value in {"rollout": len(steps), **options}.items()}
    builder = subject.builder({"returns.gamma": GAMMA, **values})
    buffer = builder.buffer(spaces, policy=SquaredValues(over))
    for step in steps:
        buffer.add(step)
        # the caller may change its arrays after `add`
        step.env_id[...], step.terminated[...], step.truncated[...] = 0, False, False
    return buffer, history


def _expect_returns(batch: Batch, history: History, lam: float, **more: object) -> None:
    starts = {step.seen[-1]: (made, place) for made in history.made for place, step in enumerate(made)}
    for row, number in enumerate(batch.obs.tolist()):
        made, place = starts[number]
        steps = history.from_start(made, place, len(made))
        example = {"γ": GAMMA, "λ": lam, "frames": history.shown(), "rewards": "the frames' successors"}
        values = {"max Q": "the frame squared, NaN after a termination", "start": number, **more}
        expect(batch.reward[row], mixture(steps, lam), example={**example, **values}, rtol=1e-6)
        expect(batch.discount[row], 0.0, example={**example, **values, "compared": "discount"})


@check(
    "buffer",
    "make_buffer",
    Cause("the recursion starts from the wrong bootstrap", "purejaxql pqn_gymnax.py"),
    Cause("the return of the next episode or of another environment is used"),
    Cause("NaN · 0 is NaN: a value after a termination has an effect", "anthonytorlucci/rlevo#192"),
    Cause("a truncation sets the bootstrap to 0", "openai/baselines#436"),
)
def pqn_lambda_returns_mix_all_n_step_returns(subject: Subject) -> None:
    """A target is (1 − λ) Σ λ^(n−1) G^(n) up to the end of the rollout or of the episode, and its discount is 0."""
    for lam, pattern in product(LAMBDAS, PATTERNS):
        buffer, history = _collected(subject, (pattern, pattern[::-1]), lam=lam, epochs=1, minibatches=1)
        _expect_returns(buffer.sample(99, Counters()), history, lam)
    many = [OVERLAPPED[environment % 3][environment % 7 :][:14] for environment in range(MANY)]
    buffer, history = _collected(subject, many, lam=0.25, epochs=1, minibatches=1)
    _expect_returns(buffer.sample(99, Counters()), history, 0.25)


@check(
    "buffer",
    "make_buffer",
    Cause("a transition is missing in the last minibatch, or occurs twice in an epoch"),
    Cause("the returns and the observations are from different minibatches"),
)
def pqn_learns_each_transition_once_an_epoch(subject: Subject) -> None:
    """The minibatches of an epoch contain each transition of the rollout once, and their sizes differ by at most 1."""
    for minibatches in (1, 2, 3):
        pattern = (".", "t", ".", "u", ".")
        buffer, history = _collected(subject, (pattern, pattern[::-1]), lam=0.25, epochs=2, minibatches=minibatches)
        made = sorted(step.seen[-1] for steps in history.made for step in steps)
        for epoch in range(2):
            batches = [buffer.sample(99, Counters()) for _ in range(minibatches)]
            sizes = [len(batch) for batch in batches]
            example = {"epoch": epoch, "minibatches": minibatches, "frames": history.shown()}
            require(max(sizes) - min(sizes) <= 1, example=example, expected="sizes that differ by at most 1", got=sizes)
            found = sorted(number for batch in batches for number in batch.obs.tolist())
            expect(found, made, example={**example, "compared": "starts"})
            for batch in batches:
                _expect_returns(batch, history, 0.25, minibatches=minibatches)
        expect(len(buffer), 0, example={"minibatches": minibatches, "compared": "len(buffer) after the last epoch"})


class Overlap:
    """Collects and learns in turn, as the loop does with `pqn.overlap`. The policy changes after each update.

    history: what was collected.
    rollouts: the transitions of each rollout, in order. The last rollout is not whole.
    rounds: the minibatches of each round, in order, as (batch, scale of the policy when the round began).
    """

    def __init__(self, subject: Subject, envs: int, epochs: int, minibatches: int, lam: float) -> None:
        options = {"rollout": ROLLOUT, "epochs": epochs, "minibatches": minibatches, "lam": lam, "overlap": True}
        values = {f"pqn.{name}": value for name, value in options.items()}
        self._builder = subject.builder({"returns.gamma": GAMMA, "run.num_envs": envs, **values})
        space = gymnasium.spaces.Discrete(1_000)
        self._spaces = Spaces(space, gymnasium.spaces.Discrete(2), space, 1, "repeat", envs)
        self._steps, self._updates = ROLLOUT * envs, epochs * minibatches
        self._envs, self._total, self._made = envs, 0, 0
        self._policy = SquaredValues()
        self.history = History(self._spaces)
        self.rollouts: list[list[PlainTransition]] = [[]]
        self.rounds: list[list[tuple[Batch, float]]] = []
        self.buffer = self._new_buffer()

    def play(self, restored: bool = False) -> None:
        """Make all steps. If `restored`, a new buffer with the state of the last one takes its place after each."""
        for signs in zip(*(OVERLAPPED[environment % 3] for environment in range(self._envs)), strict=True):
            self._learn()
            step = self.history.step(signs)
            self.buffer.add(step)
            self._count(step)
            if restored:
                state = deepcopy(self.buffer.state_dict())  # type: ignore[attr-defined]
                self.buffer = self._new_buffer()
                self.buffer.load_state_dict(state)  # type: ignore[attr-defined]

    def _new_buffer(self) -> Buffer:
        return self._builder.buffer(self._spaces, policy=self._policy)

    def _learn(self) -> None:
        """Make the updates that are due. The counters are those from before a step."""
        due = max(0, self._total - self._steps + self._envs) * self._updates // self._steps
        while self._made < due and len(self.buffer):
            if self._made % self._updates == 0:
                self.rounds.append([])
                self._scale = self._policy.scale
            self.rounds[-1].append((self.buffer.sample(99, Counters()), self._scale))
            self._made += 1
            self._policy.scale += 0.25

    def _count(self, step: Step) -> None:
        self.rollouts[-1] += [self.history.made[env][-1] for env in step.env_id]
        whole = self._total // self._steps
        self._total += len(step)
        if self._total // self._steps > whole:
            self.rollouts.append([])


LOOPS = ((1, 1, 1, 0.25), (2, 1, 1, 1.0), (2, 2, 2, 0.25), (3, 3, 4, 0.75), (MANY, 1, 2, 0.5))
"""Environments, epochs, minibatches and λ of `Overlap`."""


@check(
    "buffer",
    "make_buffer",
    Cause("a round takes transitions of the rollout that is being collected, or loses some of its own"),
    Cause("the returns of a round change with the weights during the round"),
    Cause("minibatches point to rows that the next rollout has overwritten"),
)
def pqn_learns_a_whole_rollout_while_it_collects_the_next(subject: Subject) -> None:
    """With overlap, round k learns each transition of rollout k once an epoch, and no other.

    The λ-returns end with the rollout, and are those of the weights with which the round began.
    """
    for envs, epochs, minibatches, lam in LOOPS:
        loop = Overlap(subject, envs, epochs, minibatches, lam)
        loop.play()
        options = {"environments": envs, "rollout": ROLLOUT, "epochs": epochs, "minibatches": minibatches, "λ": lam}
        example = {**options, "frames": loop.history.shown()}
        whole = len(loop.rollouts) - 1
        rounds = len(loop.rounds)
        require(rounds >= whole - 1, example=example, expected=f"{whole - 1} rounds or more", got=rounds)
        for number, (batches, rollout) in enumerate(zip(loop.rounds, loop.rollouts, strict=False)):
            place = {**example, "round": number}
            found = sorted(start for batch, _ in batches for start in batch.obs.tolist())
            if len(batches) == epochs * minibatches:
                wanted = sorted(step.seen[-1] for step in rollout for _ in range(epochs))
                expect(found, wanted, example={**place, "compared": "starts"})
            for batch, scale in batches:
                _expect_returns_of(rollout, batch, lam, scale, place)


def _expect_returns_of(
    rollout: Sequence[PlainTransition], batch: Batch, lam: float, scale: float, example: Mapping[str, object]
) -> None:
    starts = {step.seen[-1]: step for step in rollout}
    for start, got, successor in zip(batch.obs.tolist(), batch.reward, batch.next_obs.tolist(), strict=True):
        require(start in starts, example=example, expected="a transition of this rollout", got=start)
        lane = [step for step in rollout if step.env == starts[start].env]
        steps = History.from_start(lane, lane.index(starts[start]), len(lane))
        values = {**example, "start": start, "γ": GAMMA, "max Q": f"{scale} · the frame squared"}
        expect(got, mixture(steps, lam, scale), example=values, rtol=1e-6)
        expect(successor, starts[start].successor, example={**values, "compared": "next_obs"})


@check(
    "state",
    "make_buffer",
    Cause("the state lacks the rollout that is being learnt, or the rest of its minibatches"),
    Cause("the state does not say where the rollout that is being collected ends"),
)
def pqn_goes_on_in_the_middle_of_a_round(subject: Subject) -> None:
    """With overlap, a buffer that is saved and restored after each step gives the same minibatches."""
    for envs, epochs, minibatches, lam in LOOPS:
        loops = [Overlap(subject, envs, epochs, minibatches, lam) for _ in range(2)]
        for loop, restored in zip(loops, (False, True), strict=True):
            loop.play(restored)
        example = {"environments": envs, "rollout": ROLLOUT, "epochs": epochs, "minibatches": minibatches}
        pairs = zip(*([batch for batches in loop.rounds for batch, _ in batches] for loop in loops), strict=False)
        for number, (one, other) in enumerate(pairs):
            for name in FIELDS:
                place = {**example, "update": number, "compared": name}
                expect(getattr(other, name), getattr(one, name), example=place)
        counts = [[len(batches) for batches in loop.rounds] for loop in loops]
        expect(counts[1], counts[0], example={**example, "compared": "the number of updates in each round"})


def _cadences(subject: Subject, overlap: bool) -> Iterator[tuple[Cadence, int, int, int, dict[str, object]]]:
    """Yield cadences with their environments, the steps of a rollout, the updates of a round, and an example."""
    for envs, rollout, epochs, minibatches in product((1, 3), (2, 5), (1, 3), (1, 2)):
        options = {"rollout": rollout, "epochs": epochs, "minibatches": minibatches, "overlap": overlap}
        values = {f"pqn.{name}": value for name, value in options.items()}
        cadence = subject.builder({"run.num_envs": envs, **values}).cadence()
        expect(cadence.overlap, overlap, example={**values, "compared": "overlap"})
        yield cadence, envs, rollout, epochs * minibatches, {**values, "environments": envs}


@check(
    "cadence",
    "make_cadence",
    Cause("the updates of a round come in one step, or too late for the next rollout"),
    Cause("the counters are those from before the step during which the updates are made"),
)
def pqn_spreads_a_round_over_the_next_rollout(subject: Subject) -> None:
    """With overlap, ⌊i · updates / rollout⌋ updates of a round are due during step i of the next rollout, from 1 on."""
    for cadence, envs, rollout, updates, example in _cadences(subject, overlap=True):
        for collected in range(4 * rollout):
            rounds, step = divmod(collected, rollout)
            wanted = (rounds - 1) * updates + (step + 1) * updates // rollout if rounds else 0
            counters = Counters(env_steps=collected * envs)
            expect(cadence.due(counters), wanted, example={**example, "counters": counters})


@check("cadence", "make_cadence", Cause("a round is due before its rollout is whole, or once for each environment"))
def pqn_learns_a_round_after_each_rollout(subject: Subject) -> None:
    """Without overlap, the updates of a round are due when the steps of a whole rollout are made."""
    for cadence, envs, rollout, updates, example in _cadences(subject, overlap=False):
        for collected in range(4 * rollout):
            counters = Counters(env_steps=collected * envs)
            expect(cadence.due(counters), collected // rollout * updates, example={**example, "counters": counters})
