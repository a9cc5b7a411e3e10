"""Every pair of shipped plugins: a table of claims, written by hand, predicts the messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from framework import hookspecs
from framework.assembly.assemble import assemble
from framework.assembly.discovery import installed
from framework.assembly.loading import load_plugins
from framework.errors import UsageError, listed
from framework.spaces import FINITE
from plugins.dqn import hookspecs as of_dqn

FAMILIES = {
    "dqn": ("make_policy", "make_loss", "make_optimizer"),
    "tabular": ("make_policy", "make_sampler", "make_loss", "make_optimizer", "make_target_sync", "make_cadence"),
}
ENVIRONMENTS = ("atari", "cartpole", "chain", "grid", "minatar", "pong")
CLAIMS: dict[str, tuple[str, ...]] = {
    "averaging": (),
    "boltzmann": ("make_exploration",),
    "ez_greedy": ("make_exploration",),
    "c51": ("dqn_head",),
    "chapter": (),
    "data_efficient": ("dqn_torso",),
    "double": ("dqn_bootstrap",),
    "double_q": ("make_policy", "make_loss"),
    "dqn": (),
    "dueling": ("dqn_stream",),
    "expected_sarsa": ("make_loss",),
    "explain": (),
    "impala": ("dqn_torso",),
    "iqn": ("dqn_head",),
    "layer_norm": (),
    "mirror": (),
    "mlflow": (),
    "munchausen": ("dqn_bootstrap", "dqn_bonus"),
    "noisy": ("make_exploration", "dqn_linear"),
    "normalise": (),
    "nstep": ("make_returns",),
    "online": ("make_target_sync",),
    "packed": ("make_buffer",),
    "per": ("make_sampler",),
    "polyak": ("make_target_sync",),
    "pqn": ("make_buffer", "make_loss", "make_optimizer", "make_target_sync", "make_cadence"),
    "qr": ("dqn_head",),
    "rainbow": (),
    "ray_collect": ("make_collector",),
    "ray_envs": (),
    "sarsa": ("make_loss",),
    "tabular": (),
    "ucb": ("make_exploration",),
    "video": (),
    "wandb": (),
    **dict.fromkeys(ENVIRONMENTS, ("make_env",)),
}
EXTENDS_DQN = {
    *("c51", "data_efficient", "double", "dueling", "impala", "iqn", "layer_norm", "munchausen", "noisy", "normalise"),
    "qr",
}
RAINBOW = ("dqn", "double", "dueling", "nstep", "per", "noisy", "c51")
BUNDLES = {"pqn": ("dqn", "layer_norm"), "rainbow": RAINBOW, "data_efficient": RAINBOW}

SLOTS = [name for page in (hookspecs, of_dqn) for name in vars(page) if name.startswith(("make_", "dqn_"))]
PAIRS = list(combinations(sorted(CLAIMS), 2))


def test_the_table_has_every_plugin() -> None:
    assert set(installed()) == set(CLAIMS)


@dataclass(frozen=True)
class Composition:
    """The plugins of some names, with the plugins of their bundles."""

    names: frozenset[str]
    named: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> Composition:
        named = frozenset(names)
        given = set(named)
        for name in named:
            given |= set(BUNDLES.get(name, ()))
        if "chapter" in given:
            given |= {"dqn"} if {"atari", "pong"} & given else {"tabular"} if "chain" in given else set()
        if {"dqn", "pong"} <= named:
            given |= {"averaging", "mirror", "nstep", "per"}
        if "pong" in named and not any((*CLAIMS[name], *FAMILIES.get(name, ())) for name in given - set(ENVIRONMENTS)):
            given |= {"pqn", *BUNDLES["pqn"]}
        if {"pqn", "pong"} <= given:
            given |= {"averaging", "mirror"}
        return cls(frozenset(given), named)

    def problems(self) -> set[str]:
        """The problems that are found before anything is built."""
        if {"data_efficient", "rainbow"} <= self.names:
            return {
                f"data_efficient and rainbow give {option} different values ({one} and {other}): drop one of them"
                for option, one, other in (("nstep.n", 20, 3), ("noisy.sigma", 0.1, 0.5))
            }
        if "chapter" in self.names and not {"atari", "chain", "pong"} & self.names:
            return {"chapter has values for the chain and for Atari only: add chain, pong or atari"}
        return {*self._conflicts(), *self._missing()}

    def _conflicts(self) -> Iterable[str]:
        groups: dict[tuple[str, ...], list[str]] = {}
        for table in (CLAIMS, FAMILIES):
            for slot in SLOTS:
                rivals = tuple(sorted(name for name in self.names if slot in table.get(name, ())))
                if len(rivals) > 1:
                    groups.setdefault(rivals, []).append(slot)
        for rivals, slots in groups.items():
            brought = [f"no:{name}" for name in rivals if name not in self.named]
            way = f" ({listed(brought)} takes out what a bundle adds)" if brought else ""
            yield f"{listed(rivals)} {'both' if len(rivals) == 2 else 'all'} provide {listed(slots)}: keep one{way}"

    def _missing(self) -> Iterable[str]:
        extending = sorted(self.names & EXTENDS_DQN) if "dqn" not in self.names else []
        if extending:
            verb = {1: "extends", 2: "both extend"}.get(len(extending), "all extend")
            yield f"{listed(extending)} {verb} 'dqn': add dqn"
        gaps = [
            slot
            for slot in FAMILIES["dqn"]
            if not any(slot in (*CLAIMS[name], *FAMILIES.get(name, ())) for name in self.names)
        ]
        if gaps and not extending:
            yield f"nothing provides {listed(gaps, 'or')}: add dqn or tabular"
        if not self.names & set(ENVIRONMENTS):
            yield f"nothing provides make_env: add {listed([*ENVIRONMENTS, 'gym:ID'], 'or')}"


def found(names: Iterable[str]) -> set[str]:
    try:
        load_plugins(list(names))
    except UsageError as error:
        return set(error.problems)
    return set()


@pytest.mark.parametrize("pair", PAIRS, ids=",".join)
def test_a_pair_alone_is_refused_with_its_conflicts_and_gaps(pair: tuple[str, str]) -> None:
    assert found(pair) == Composition.of(pair).problems()


def whole(pair: tuple[str, str]) -> list[str]:
    """The pair with the family and the environment that it lacks."""
    names = list(pair)
    given = Composition.of(pair).names
    if not given & set(FAMILIES):
        wants_a_table = {"double_q", "expected_sarsa", "explain", "sarsa", "ucb"} & given and not EXTENDS_DQN & given
        names.append("tabular" if wants_a_table else "dqn")
    if not given & set(ENVIRONMENTS):
        names.append("chain")
    return names


OBSERVATIONS = {
    "atari": "4 stacked (84, 84) uint8 frames",
    "cartpole": "(4,) float32 observations",
    "chain": "Discrete(5) observations",
    "grid": "Discrete(12) observations",
    "minatar": "(4, 10, 10) uint8 observations",
    "pong": "2 stacked (42, 42) uint8 frames",
}


def problems_when_built(names: frozenset[str]) -> set[str]:
    """The problems of a composition without conflicts and gaps that are found while it is built."""
    (environment,) = names & set(ENVIRONMENTS)
    seen = OBSERVATIONS[environment]
    if {"ray_collect", "ray_envs"} <= names:
        return {"ray_envs and another plugin both put the environments side by side: drop one of them"}
    if "ray_envs" in names and environment in ("atari", "pong"):
        return {
            f"ray_envs puts single environments into actors, and {environment} makes a vector environment: drop "
            f"ray_envs, or let {environment} make single ones (atari and pong: backend = wrappers)"
        }
    if "double_q" in names and "tabular" not in names:
        return {"double_q extends 'tabular': add tabular"}
    if "impala" in names and environment not in ("atari", "minatar", "pong"):
        return {f"dqn needs uint8 images [channels, height, width] for impala; {environment} gives {seen}"}
    if "tabular" in names and environment not in ("chain", "grid"):
        table = "double_q" if "double_q" in names else "tabular"
        fewer = "" if environment == "cartpole" else ", and fewer than 2^63 of them"
        return {f"{table} needs {FINITE}{fewer}; {environment} gives {seen}"}
    if {"munchausen", "nstep"} <= names:
        span = 10 if environment == "pong" and not names & {"rainbow", "data_efficient"} else 3
        return {
            f"munchausen needs one-step returns, and these returns span {span} steps: drop munchausen or the longer "
            "returns (with pong, which adds nstep: no:nstep)"
        }
    for name in ("expected_sarsa", "sarsa"):
        if name in names and "dqn" in names:
            return {
                f"{name} learns the Q-table of 'tabular', and dqn makes a DQNPolicy: replace dqn by tabular, "
                f"or drop {name}"
            }
    if "averaging" in names and "tabular" in names:
        table = "TwoTables" if "double_q" in names else "QTable"
        return {f"averaging needs a policy with dqn's networks; {table} has none: drop averaging"}
    if "explain" in names and "dqn" in names:
        loss = "pqn" if "pqn" in names else "dqn"
        return {
            f"explain writes updates of a table as arithmetic, and the loss of {loss} cannot be written so: use it "
            "with tabular, sarsa, expected_sarsa or double_q, or drop explain (--explain)"
        }
    for name in ("online", "polyak"):
        if name in names and "tabular" in names:
            table = "TwoTables" if "double_q" in names else "QTable"
            return {f"{name} needs a policy with a target network; {table} has none: drop {name}"}
    if "ray_collect" in names and "pqn" in names:
        return {
            "ray_collect needs a replay with a sampler, and the buffer of pqn learns from steps in their order with "
            "the newest weights: use ray_envs, or drop ray_collect"
        }
    for name in ("expected_sarsa", "sarsa"):
        if {name, "ray_collect"} <= names:
            return {
                f"the loss of {name} asks how the agent itself explores (it learns on-policy), and each actor of "
                "ray_collect explores in another way: use ray_envs, or drop ray_collect"
            }
    idle = set()
    if "normalise" in names and environment != "cartpole":
        nothing = "no part of the observations is a Box of numbers other than bytes"
        idle.add(f"normalise has no effect: {nothing}. Drop normalise")
    if "mirror" in names and environment != "pong":
        return {
            *idle,
            "mirror has no effect: the environment declares no mirror. Drop mirror",
        }
    if idle:
        return idle
    if "pqn" in names:
        endings = {
            "dqn_bootstrap": "nothing here uses: drop {}",
            "dqn_bonus": "nothing here uses: drop {}",
            "make_returns": "pqn provides itself: keep one",
            "make_sampler": "pqn provides itself: keep one",
        }
        return {
            f"{name} fills {slot}, which {endings[slot].format(name)}"
            for name in names
            for slot in set(CLAIMS[name]) & set(endings)
        }
    return set()


WHOLE = [tuple(names) for names in map(whole, PAIRS) if not Composition.of(names).problems()]


def check_whole(names: tuple[str, ...]) -> None:
    try:
        assemble(list(names)).close()
        told = set()
    except UsageError as error:
        told = set(error.problems)
    assert told == problems_when_built(Composition.of(names).names)


@pytest.mark.usefixtures("ray_here")
@settings(max_examples=12, phases=[Phase.generate])
@given(names=st.sampled_from(WHOLE))
def test_a_sample_of_completed_pairs(names: tuple[str, ...]) -> None:
    check_whole(names)


@pytest.mark.compositions
@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize("names", WHOLE, ids=",".join)
def test_a_completed_pair_assembles_or_says_why_not(names: tuple[str, ...]) -> None:
    check_whole(names)
