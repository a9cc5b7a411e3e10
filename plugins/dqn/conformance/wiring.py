"""Checks of the whole loss: which observations each network gets, and what the head gets."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A, B
from framework.conformance.fixtures.learners import bootstrapping
from framework.conformance.fixtures.masking import masked, recorded
from framework.conformance.subject import Subject
from framework.types import Batch, TDErrors
from plugins.dqn.conformance.heads import Case
from plugins.dqn.conformance.rig import Rig, numbers, require_filled_by, rigged
from plugins.dqn.networks import Observation


class Witness:
    """Records every pass of the two networks, and the arguments of the online network's head in its loss."""

    def __init__(self, rig: Rig, batch: Batch) -> None:
        self.shown = {"obs": rig.tensor(batch.obs), "next_obs": rig.tensor(batch.next_obs)}
        self.passes: list[tuple[str, Observation, Any]] = []
        self.given: Case | None = None
        self.networks = {"online": rig.online, "target": rig.target}
        for name, network in self.networks.items():
            network.register_forward_hook(self._watch(name))
        loss = rig.online.head.loss

        def overheard(*arguments: Any, **named: Any) -> Any:
            self.given = Case(*arguments, **named)
            return loss(*arguments, **named)

        rig.online.head.loss = overheard

    def _watch(self, name: str) -> Callable[..., None]:
        return lambda module, inputs, output: self.passes.append((name, inputs[0], output))

    def at(self, network: str, obs: Observation) -> list[Any]:
        """Return the outputs that a network gave at these observations."""
        return [output for name, seen, output in self.passes if name == network and _equal(seen, obs)]

    def once(self, network: str, place: str) -> Any:
        """Return a network's output at a place, "obs" or "next_obs".

        This is the recorded output, since each pass may have different noise, or a new one if none was recorded.
        """
        given = self.at(network, self.shown[place])
        return given[0] if given else self.networks[network](self.shown[place])

    def demand(self, what: str, output: Any, network: str, place: str) -> None:
        """Raise a `Violation` unless the output is that of this network at this place, "obs" or "next_obs".

        Raises:
            NotApplicable: if no whole pass of a network gave the output.
        """
        origins = [
            f"the {name} network at {where}"
            for name in ("online", "target")
            for where, obs in self.shown.items()
            if any(found is output for found in self.at(name, obs))
        ]
        if not origins:
            raise NotApplicable("the head gets an output that no whole pass of a network gave")
        wanted = f"the {network} network at {place}"
        require(wanted in origins, example=what, expected=wanted, got=" and ".join(origins))


def _equal(one: Observation, other: Observation) -> bool:
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)
    return one.keys() == other.keys() and all(torch.equal(part, other[name]) for name, part in one.items())


def _make_best_actions_differ(rig: Rig, batch: Batch) -> None:
    """Change the weights until the best actions differ between the networks and between `obs` and `next_obs`."""
    for _ in range(5):
        rig.randomise_weights()
        favourites = set()
        for network, obs in itertools.product((rig.online, rig.target), (batch.obs, batch.next_obs)):
            mode = network.training
            with torch.no_grad():
                favourites.add(tuple(network.eval()(rig.tensor(obs)).values.argmax(dim=1).tolist()))
            network.train(mode)
        if len(favourites) == 4:
            return


def _recorded_loss(rig: Rig) -> tuple[Batch, Witness, Case, TDErrors]:
    """Compute the loss of a batch. Return the batch, the witness, the arguments of the head's loss, and the errors."""
    batch = rig.batch()
    _make_best_actions_differ(rig, batch)
    witness = Witness(rig, batch)
    errors = rig.loss(batch)
    if witness.given is None:
        raise NotApplicable("the loss does not call the loss of the online network's head")
    return batch, witness, witness.given, errors


@check(
    "loss",
    "make_loss",
    Cause("the loss trains the values of another observation or another network"),
    Cause("the head gets the actions or the discounts of other rows"),
)
def the_online_values_of_the_batch_are_learnt(subject: Subject) -> None:
    """The loss trains the online network's output at `obs`, with the actions and the discounts of the batch."""
    with rigged(subject) as rig:
        batch, witness, given, errors = _recorded_loss(rig)
        witness.demand("the output that the loss trains", given.online, "online", "obs")
        expect(numbers(given.action), batch.action, example="the actions that the head gets")
        example = "the discounts that the head gets"
        expect(numbers(given.discount), batch.discount, example=example, atol=rig.tolerance)
        require(isinstance(errors.update, Tensor) and errors.update.requires_grad, example="errors.update",
                expected="losses with their graph", got=errors.update)  # fmt: skip


@check(
    "loss",
    "make_loss",
    Cause("the online network evaluates the next actions", "facebookresearch/ReAgent#88"),
    Cause("the target network gets s instead of s'", "google-research/recsim#26"),
)
def the_target_network_evaluates_the_next_observation(subject: Subject) -> None:
    """The loss bootstraps from the target network's output at `next_obs`."""
    with rigged(subject) as rig:
        _needs_bootstrap(subject)
        _, witness, given, _ = _recorded_loss(rig)
        witness.demand("the output that the loss bootstraps from", given.target, "target", "next_obs")


@check(
    "loss",
    "make_loss",
    Cause("the values at s select the next action", "google-research/recsim#26"),
    Cause("the bootstrap gets the two networks in the wrong order", "higgsfield/RL-Adventure#5"),
)
def next_actions_are_chosen_at_the_next_observation(subject: Subject) -> None:
    """The head gets the distribution that the bootstrap returns for both networks' outputs at `next_obs`."""
    with rigged(subject) as rig:
        _needs_bootstrap(subject)
        _, witness, given, _ = _recorded_loss(rig)
        with torch.no_grad():
            online = witness.once("online", "next_obs")
            wanted = rig.bootstrap()(given.target, lambda: online)
        example = {"target's values": numbers(given.target.values), "online values": numbers(online.values)}
        expect(numbers(given.policy), numbers(wanted), example=example, atol=rig.tolerance)


@check(
    "loss", "make_loss", Cause("the bootstrapped target has a gradient, so learning changes both sides of the error")
)
def no_gradient_flows_through_what_is_learnt_from(subject: Subject) -> None:
    """Only the online network's output at `obs` has a gradient, not the target network, the bootstrap or the reward."""
    with rigged(subject) as rig:
        _needs_bootstrap(subject)
        _, _, given, errors = _recorded_loss(rig)
        parts = {"target": given.target.values, "policy": given.policy, "reward": given.reward}
        moving = [name for name, tensor in parts.items() if tensor.requires_grad]
        require(not moving, example="the arguments of the head's loss", expected="no gradient", got=f"one in {moving}")
        errors.update.sum().backward()
        moving = [name for name, parameter in rig.target.named_parameters() if parameter.grad is not None]
        require(not moving, example="the target network's parameters", expected="no gradient", got=f"one in {moving}")
        still = all(parameter.grad is None for parameter in rig.online.parameters())
        require(not still, example="the online network's parameters", expected="a gradient", got="none in any")


@check("loss", "make_loss", Cause("the bonus gets the target network's output at s' instead of s"))
def the_reward_gains_the_bonus(subject: Subject) -> None:
    """The head gets the reward plus the bonus, which reads the target network's outputs at `obs` and `next_obs`."""
    with rigged(subject) as rig:
        _needs_bootstrap(subject)
        batch, witness, given, _ = _recorded_loss(rig)
        bonus = rig.part("dqn_bonus", config=rig.builder.config)
        action, discount = rig.tensor(batch.action), rig.tensor(batch.discount)
        with torch.no_grad():
            before = witness.once("target", "obs")
            gained = numbers(bonus(lambda: before, action, given.target, discount))
        example = {"rewards of the batch": batch.reward, "bonus": gained}
        expect(numbers(given.reward), batch.reward + gained, example=example, atol=rig.tolerance)


def _needs_bootstrap(subject: Subject) -> None:
    """Raise `NotApplicable` if the loss fills no slots, as that of pqn: its rewards are whole returns."""
    if not subject.consumes("make_loss", "slots"):
        raise NotApplicable(f"the loss of {subject.owner('make_loss')} does not use dqn_bootstrap")


@check(
    "masks",
    "make_loss",
    Cause("a softmax, an entropy or a bonus over all actions, also those that the mask forbids"),
    Cause("one of the two networks selects the next action among all of them"),
)
def a_single_choice_is_the_target(subject: Subject) -> None:
    """Where s and s' allow one action each, the target is r + γ Q_target(s', a'), without a bonus or an entropy."""
    require_filled_by(subject, "dqn_head", "dqn")
    bootstrapping(subject)
    with rigged(subject) as rig:
        rig.randomise_weights()
        plain = rig.batch()
        only = np.eye(A, dtype=np.bool_)
        next_action = rig.rng.integers(A, size=B)
        every, again = (rig.policy.values_of(rig.target, plain.next_obs) for _ in range(2))
        if not np.array_equal(every, again):
            raise NotApplicable("the target network draws random numbers")
        values = every[np.arange(B), next_action]
        unmasked, rig.spaces = rig.spaces, masked(rig.spaces)
        obs = recorded(unmasked, plain.obs, only[plain.action])
        next_obs = recorded(unmasked, plain.next_obs, only[next_action])
        given = replace(plain, obs=obs, read_next_obs=lambda: next_obs, read_next_action=lambda: next_action)
        wanted = replace(given, reward=plain.reward + plain.discount * values, discount=np.zeros(B))
        example = {"r": plain.reward, "γ": plain.discount, "Q_target(s', a')": values}
        expect(rig.loss(given).loss, rig.loss(wanted).loss, example=example, atol=1e3 * rig.tolerance)
